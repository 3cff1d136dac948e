"""The thresholds of the alerts, from `thresholds.toml`."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

SHIPPED = Path(__file__).parent / "thresholds.toml"

#: The uid of an alert's runbook in Grafana begins so.
RUNBOOK = "care-runbook-"

_DURATION = re.compile(r"\d{1,5}(s|m|h|d)")


class ThresholdError(Exception):
    """A threshold file that cannot be used. The message is one line: file, key, what is wrong, what to do."""


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number that an alert compares with."""

    value: float
    unit: str
    reason: str
    set_by: str


class Timing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"for_": "for"}):
    """When one alert fires: its limits, how long they must be passed (`for`) and how long it goes on after."""

    for_: str
    keep_firing_for: str
    timing: str
    limits: dict[str, Limit] = {}


class Links(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where people are sent: base addresses. `runbooks` is a folder of your own with them; none: Grafana has them."""

    grafana: str
    runbooks: str = ""

    def runbook(self, alert: str, *, inside_grafana: bool = False) -> str:
        """The address of an alert's runbook. Inside of Grafana a path will do, whatever its address."""
        if self.runbooks:
            return f"{self.runbooks}/{alert}.md"
        return f"{'' if inside_grafana else self.grafana}/d/{RUNBOOK}{alert}"


class Thresholds(msgspec.Struct, frozen=True):
    """All of the file."""

    links: Links
    alerts: dict[str, Timing]


def load(file: Path = SHIPPED) -> Thresholds:
    """Read a threshold file. Raises ThresholdError."""
    try:
        raw = msgspec.toml.decode(file.read_bytes())
        links = msgspec.convert(raw.pop("links", {}), Links)
    except OSError as error:
        raise ThresholdError(f"{file}: cannot be read: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise ThresholdError(f"{file}: links: {error}") from error
    except msgspec.DecodeError as error:
        raise ThresholdError(f"{file}: not valid TOML: {error}; mend the line") from error
    alerts: dict[str, Timing] = {}
    for name, table in raw.items():
        try:
            alerts[name] = timing = msgspec.convert(table, Timing)
        except msgspec.ValidationError as error:
            raise ThresholdError(f"{file}: {name}: {error}") from error
        for key, text in (("for", timing.for_), ("keep_firing_for", timing.keep_firing_for)):
            if not _DURATION.fullmatch(text):
                raise ThresholdError(f"{file}: {name}.{key}: '{text}' is no duration; write a number and s, m, h or d")
    return Thresholds(links, alerts)
