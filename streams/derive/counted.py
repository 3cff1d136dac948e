"""Things counted of a call beside its close: force, needles, referrals, transports, diversions, police requests.

Each is a fact: its code, its local day, its labels, its amount. Source: the contract, section 3, *Counted things*.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streams.clock import Micros
from streams.derive.response import Work
from streams.derive.told import Told
from streams.entries import Fact
from streams.programs import OTHER
from streams.rules import Rules
from streams.said import AtDestination, Force, Needles, Referral, Transporting


def of_statements(told: Told, rules: Rules) -> Iterator[Fact]:
    """Force and needles by statement; police requested and involuntary by call; referrals by service and partner."""
    requested: Micros | None = None
    referrals: list[Referral] = []
    for said in told.counted:
        if isinstance(said, Force):
            yield "force", rules.day(said.at), str(said.level), 1
        elif isinstance(said, Needles):
            yield "needles", rules.day(said.at), told.area, said.count
        elif isinstance(said, Referral):
            referrals.append(said)
        elif requested is None:
            requested = said.at
    if requested is not None:
        yield "police_requested", rules.day(requested), told.area, 1
    if told.involuntary is not None:
        involuntary, at = told.involuntary
        if involuntary:
            yield "involuntary", rules.day(at), told.area, 1
    if referrals:
        yield from _of_referrals(referrals, told.area, rules)


def _of_referrals(referrals: Sequence[Referral], area: str, rules: Rules) -> Iterator[Fact]:
    """One a service and partner: on the day of its first telling, with its latest result."""
    first: dict[tuple[str, str | None], tuple[str, Micros]] = {}
    latest: dict[tuple[str, str | None], str] = {}
    for said in referrals:
        label = rules.label("service", said.service)
        # two services that the program does not know are two, though both count as `other`
        service = _plain(said.service) if label == OTHER else label
        key = service, None if said.partner is None else _plain(said.partner)
        first.setdefault(key, (label, said.at))
        latest[key] = said.result
    for key, (label, at) in first.items():
        yield "referral", rules.day(at), label, latest[key], 1
    yield "with_referral", rules.day(referrals[0].at), area, 1


def _plain(code: str) -> str:
    return code.strip().casefold()


def of_work(work: Work, rules: Rules) -> Iterator[Fact]:
    """The transport and the diversion of a CARE unit's response."""
    transports = [at for kind in (Transporting, AtDestination) if (at := work.at(kind)) is not None]
    if transports:
        destination = OTHER if work.destination is None else rules.label("destination", work.destination)
        yield "transport", rules.day(min(transports)), work.team, destination, 1
    if work.ended == "diverted":
        yield "diverted", rules.day(work.ends), work.team, 1
