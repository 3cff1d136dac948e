"""Program files as they are in a demo."""

from __future__ import annotations

import functools
from pathlib import Path
from tempfile import TemporaryDirectory

from feeds.lively import lively_file
from streams import programs
from streams.programs import Profile

FOLDER = Path(__file__).parents[2] / "programs"
PROGRAMS = ["cambridge", "chicago", "seattle"]


@functools.cache
def lively(program: str, *, around_the_clock: bool = True, speed: float = 1.0) -> Profile:
    """A program that comes with the project, read from its demo's file."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{program}.toml"
        lively_file(FOLDER / file.name, file, around_the_clock=around_the_clock, speed=speed)
        return programs.load(file)
