"""Spells of a call: from its beginning or a reopening to the next reopening (the contract, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.second.statements import Said

MINUTE = timedelta(minutes=1)


@dataclass
class Spell:
    """From the call's beginning or a reopening to the next reopening."""

    begins: datetime
    walk: list[Said] = field(default_factory=list)
    ends: datetime | None = None
    closes: list[Said] = field(default_factory=list)


def eligible_again(own: Sequence[Said]) -> datetime | None:
    """The first triage as eligible after one as ineligible."""
    ineligible = False
    for said in own:
        if said.type == "call_triaged":
            if said.told["eligible"] and ineligible:
                return said.at
            ineligible = ineligible or not said.told["eligible"]
    return None


def spells_of(first: datetime, walk: Sequence[Said], receipt: Said | None, passed_over: frozenset[Said]) -> list[Spell]:
    spells = [Spell(first)]
    merged = False
    for said in walk:
        spell = spells[-1]
        if said.type == "call_closed":
            spell.closes.append(said)
            spell.ends = said.at if spell.ends is None else spell.ends
        elif said.type == "call_merged" and said not in passed_over:
            merged = True
            spell.ends = said.at if spell.ends is None else spell.ends
        elif spell.ends is not None and _reopens(said, spell, merged, receipt):
            spells.append(Spell(said.at))
            merged = False
        spells[-1].walk.append(said)
    return spells


def _reopens(said: Said, spell: Spell, merged: bool, receipt: Said | None) -> bool:
    if said.type == "call_reopened":
        return True
    if merged or said.type not in ("unit_dispatched", "unit_en_route", "unit_on_scene"):
        return False
    before_receipt = receipt is not None and spell.closes[0].place() < receipt.place()
    return not before_receipt and said.at - spell.closes[-1].at > MINUTE
