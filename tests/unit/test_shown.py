"""A code is shown only where it looks like one."""

import re

import pytest

from streams.shown import shown


@pytest.mark.parametrize("code", ["x", "ART-7", "Medical Incident", "a_b.c-9", "X" * 32])
def test_a_code_is_shown(code: str) -> None:
    assert shown(code) == code


@pytest.mark.parametrize(
    "text",
    ["", "X" * 33, "Jane Doe, 12 Elm St", "\x1b[2J", "a\nforged line", "jané", "a'b", "\u202egnp", "\ud800", "a\x00"],
)
def test_anything_else_is_not(text: str) -> None:
    said = shown(text)
    assert re.fullmatch(rf"\({len(text)} characters, not a code: [0-9a-f]{{8}}\)", said)
    assert said == shown(text) != shown(text + "!")
