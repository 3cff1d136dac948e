"""What of the worker's web can be told without a server."""

from __future__ import annotations

import pytest

from agents.web import _takes_gzip


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip ; q=1.0, identity", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("x-gzip", False),
        ("identity", False),
        ("*", False),
        ("", False),
    ],
)
def test_gzip_is_for_who_takes_it(accepted: str, takes: bool) -> None:
    assert _takes_gzip(accepted) is takes
