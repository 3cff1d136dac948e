"""What was said, and which of it holds (the contract, section 2: statements, corrections, order)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.second.names import FIELDS, OF_CASES, PLACE, TIMES

FUTURE = timedelta(minutes=10)


@dataclass(eq=False)
class Said:
    """A statement that holds."""

    record: str
    id: str
    type: str
    at: datetime
    told: dict[str, Any]

    def place(self) -> tuple[datetime, int, str, str]:
        """Where it stands in the walk of its record."""
        return self.at, PLACE[self.type], self.id, self.record


@dataclass
class _Id:
    """All that was told under one id of one record."""

    revision: int
    content: dict[str, Any]
    replaced: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, revision: int, content: dict[str, Any]) -> None:
        if content == self.content:
            if revision > self.revision:
                self.revision, self.replaced = revision, []
        elif revision > self.revision:
            self.revision, self.content, self.replaced = revision, content, []
        elif revision == self.revision and content not in self.replaced:
            self.replaced.append(self.content)
            self.content = content


@dataclass
class _Record:
    ids: dict[str, _Id] = field(default_factory=dict)
    withdrawals: dict[str, tuple[str, int | None]] = field(default_factory=dict)

    def withdrawn(self, id: str, revision: int) -> bool:
        return any(of == id and (upto is None or revision <= upto) for of, upto in self.withdrawals.values())


@dataclass
class Heard:
    """Statements that hold, by record, in the order of the walk; records without any are left out."""

    calls: dict[str, list[Said]]
    units: dict[str, list[Said]]
    cases: dict[str, list[Said]]
    newest: dict[str, datetime]


def hear(events: Sequence[dict[str, Any]], arrived: Sequence[datetime] | None = None) -> Heard:
    """What holds of these events of one program, which come in the order of the log."""
    records: dict[tuple[str, str], _Record] = {}
    forgotten: dict[str, datetime] = {}
    newest: dict[str, datetime] = {}
    for index, event in enumerate(events):
        at = moment(event["at"])
        if arrived is not None and at - arrived[index] > FUTURE:
            continue
        topic = _topic(event)
        newest[topic] = max(at, newest.get(topic, at))
        if event["type"] == "heartbeat":
            continue
        if event["type"] == "person_forgotten":
            forgotten[event["person"]] = max(at, forgotten.get(event["person"], at))
            continue
        kind = {"dispatch": "call", "status": "unit", "followup": "case"}[topic]
        record = records.setdefault((kind, event[kind]), _Record())
        if event["type"] == "withdrawn":
            record.withdrawals.setdefault(event["id"], (event["of"], event.get("upto")))
            continue
        content, revision = _content(event, at), event.get("revision") or 0
        if event["id"] in record.ids:
            record.ids[event["id"]].tell(revision, content)
        else:
            record.ids[event["id"]] = _Id(revision, content)
    heard = Heard({}, {}, {}, newest)
    homes = {"call": heard.calls, "unit": heard.units, "case": heard.cases}
    for (kind, key), record in records.items():
        holding = [
            _said(key, id, told.content, forgotten)
            for id, told in record.ids.items()
            if not record.withdrawn(id, told.revision)
        ]
        if holding:
            homes[kind][key] = sorted(holding, key=Said.place)
    return heard


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


def _topic(event: dict[str, Any]) -> str:
    if event["type"] == "heartbeat":
        return str(event["topic"])
    if event["type"] == "withdrawn":
        if event.get("case") is not None:
            return "followup"
        return "dispatch" if event.get("call") is not None else "status"
    if event["type"] == "unit_status":
        return "status"
    return "followup" if event["type"] in OF_CASES or event["type"] == "person_forgotten" else "dispatch"


def _content(event: dict[str, Any], at: datetime) -> dict[str, Any]:
    content: dict[str, Any] = {"type": event["type"], "at": at}
    for name in FIELDS[event["type"]]:
        value = event.get(name)
        if value is not None:
            content[name] = moment(value) if name in TIMES else value
    return content


def _said(record: str, id: str, content: dict[str, Any], forgotten: dict[str, datetime]) -> Said:
    told = {name: value for name, value in content.items() if name not in ("type", "at")}
    person = told.get("person")
    if person in forgotten and content["at"] <= forgotten[person]:
        del told["person"]
    return Said(record, id, content["type"], content["at"], told)


def last_told(walk: Sequence[Said], name: str) -> Any:
    """What the last statement of a walk that tells a field says; None: not told."""
    found = None
    for said in walk:
        if name in said.told:
            found = said.told[name]
    return found
