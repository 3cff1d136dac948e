"""The work list: which follow-ups are waiting to be done, the ones that lapse first on top."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from streams.clock import Micros, utc
from streams.followups import STATES
from streams.programs import OTHER, Profile
from streams.state import ProgramState


class Wanted(NamedTuple):
    """What a list is asked for. No teams or areas: all of them."""

    states: frozenset[str] = frozenset(("overdue", "missed"))
    teams: frozenset[str] = frozenset()
    areas: frozenset[str] = frozenset()


class Item(msgspec.Struct, frozen=True):
    """One follow-up to be done."""

    program: str
    case: str
    team: str
    area: str
    checkpoint: str
    state: str
    due: datetime
    lapses: datetime
    attempts: int


class WantedError(ValueError):
    """A filter that cannot be. The message is a plain line that says what can."""


def wanted(states: str, teams: str, areas: str, profiles: Iterable[Profile]) -> Wanted:
    """Filters from texts with commas between the codes, empty: the default. Raises WantedError for an unknown code."""
    known_teams: dict[str, None] = {}
    known_areas: dict[str, None] = {}
    for profile in profiles:
        known_teams |= dict.fromkeys(profile.team_codes)
        known_areas |= dict.fromkeys(profile.areas)
    return Wanted(
        _codes("state", states, STATES) or Wanted().states,
        _codes("team", teams, (*known_teams, OTHER)),
        _codes("area", areas, (*known_areas, OTHER)),
    )


def _codes(name: str, text: str, known: tuple[str, ...]) -> frozenset[str]:
    codes = frozenset(code.strip() for code in text.split(",") if code.strip())
    if codes <= set(known):
        return codes
    raise WantedError(f"{name}: no such {name} here; use one or more, with commas, of: {', '.join(known)}")


def items(state: ProgramState, now: Micros, wanted: Wanted) -> list[Item]:
    """The follow-ups of one program that are wanted, at *now*, by lapse time."""
    records = state.cases.records
    found: list[tuple[Micros, Item]] = []
    for name in sorted(wanted.states):
        for case, row, times in state.cases.board.in_state(name, now):
            if (wanted.teams and row.team not in wanted.teams) or (wanted.areas and row.area not in wanted.areas):
                continue
            record = records.get(case)
            item = Item(
                program=state.profile.program,
                case=case,
                team=row.team,
                area=row.area,
                checkpoint=row.checkpoint,
                state=name,
                due=utc(times.due),
                lapses=utc(times.lapses),
                attempts=record.tries(row.checkpoint) if record else 0,
            )
            found.append((times.lapses, item))
    found.sort(key=lambda each: (each[0], each[1].case, each[1].checkpoint))
    return [item for _, item in found]


def as_csv(items: Iterable[Item]) -> str:
    """The list as CSV (RFC 4180) with a header; safe to open in a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(Item.__struct_fields__)
    writer.writerows(_cells(item) for item in items)
    return text.getvalue()


def _cells(item: Item) -> Iterator[str]:
    fields: Mapping[str, object] = msgspec.to_builtins(item)
    for value in fields.values():
        yield _harmless(str(value))


#: Where a formula begins, in every form that spreadsheets read as it: full width, small, raised; and the minus sign.
_FORMULA = "=+-@\N{MINUS SIGN}"
#: Letters and marks that show nothing: Hangul fillers, a blank of Braille, joiners and selectors.
_UNSEEN = "\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5"


def _harmless(text: str) -> str:
    """A spreadsheet takes a cell for a formula by its first character, and some pass over what is not seen before it.

    A case's id is the sender's text, so such a cell gets an apostrophe, which makes it text everywhere.
    """
    seen = next((letter for letter in text if not _blank(letter)), "")
    if unicodedata.normalize("NFKC", seen)[:1] in tuple(_FORMULA) or text[:1] in ("\t", "\r", "\n"):
        return f"'{text}"
    return text


def _blank(letter: str) -> bool:
    """Whether a character shows nothing: white space, controls such as NUL, marks of direction and order, variants."""
    category = unicodedata.category(letter)
    return category[0] in "ZC" or category == "Mn" or letter in _UNSEEN
