"""Things counted of a call beside its close: force, needles, referrals, transports, diversions, police requests.

Each is a fact: its code, its local day, its labels, its amount. Source: the contract, section 3, *Counted things*.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streams.clock import Micros
from streams.derive.response import Work
from streams.derive.told import Told
from streams.entries import Fact
from streams.programs import OTHER, plain
from streams.rules import Rules
from streams.said import Force, Needles, Referral


def add_facts(told: Told, care: Sequence[Work], rules: Rules, found: list[Fact]) -> None:
    """All of a call. `care`: the responses of CARE units."""
    for work in care:
        if work.transporting is not None or work.at_destination is not None:
            found.append(_of_transport(work, rules))
        if work.ended == "diverted":
            found.append(("diverted", rules.day(work.ends), work.team, 1))
    if told.involuntary is not None:
        involuntary, at = told.involuntary
        if involuntary:
            found.append(("involuntary", rules.day(at), told.area, 1))
    if told.counted:
        found += _of_statements(told, rules)


def _of_transport(work: Work, rules: Rules) -> Fact:
    first = min(at for at in (work.transporting, work.at_destination) if at is not None)
    destination = OTHER if work.destination is None else rules.label("destination", work.destination)
    return "transport", rules.day(first), work.team, destination, 1


def _of_statements(told: Told, rules: Rules) -> Iterator[Fact]:
    """Force and needles by statement; police requested by call; referrals by service and partner."""
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
    if referrals:
        yield from _of_referrals(referrals, told.area, rules)


def _of_referrals(referrals: Sequence[Referral], area: str, rules: Rules) -> Iterator[Fact]:
    """One a service and partner: on the day of its first telling, with its latest result."""
    first: dict[tuple[str, str | None], tuple[str, Micros]] = {}
    latest: dict[tuple[str, str | None], str] = {}
    for said in referrals:
        label = rules.label("service", said.service)
        # two services that the program does not know are two, though both count as `other`
        service = plain(said.service) if label == OTHER else label
        key = service, None if said.partner is None else plain(said.partner)
        first.setdefault(key, (label, said.at))
        latest[key] = said.result
    for key, (label, at) in first.items():
        yield "referral", rules.day(at), label, latest[key], 1
    yield "with_referral", rules.day(referrals[0].at), area, 1
