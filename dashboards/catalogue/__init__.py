"""The catalogue of signals: what is shown, warned of and explained, each defined once.

A signal is a number that people act on: its name, its definition, its unit and the PromQL that gives it. Panels, rules,
alert tests and the reference in `docs/` are made from here; none of them has a definition of its own.
"""

from dashboards.catalogue import followups, live, outcomes, pipeline, staffing, times
from dashboards.catalogue.signal import Signal

#: All signals by name, in the order of the dashboards that show them.
SIGNALS: dict[str, Signal] = {
    signal.name: signal
    for group in (live, staffing, times, outcomes, followups, pipeline)
    for signal in vars(group).values()
    if isinstance(signal, Signal) and signal.home == group.__name__
}

__all__ = ["SIGNALS", "Signal"]
