"""Typed TOML files: one reader, one way to complain."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

from feeds.errors import FeedError

T = TypeVar("T")


def load_toml(file: Path, kind: type[T]) -> T:
    """The file as a `kind`. Raises FeedError naming the file, the key and the cure."""
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise FeedError(f"{file}: cannot be read: {error.strerror}; give the path of a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FeedError(f"{file}: not valid TOML: {error}; mend the line") from error
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        key = where.strip("`").removeprefix("$").removeprefix(".") or "top level"
        raise FeedError(f"{file}: {key}: {what}; the comments in the file say what the key takes") from error
