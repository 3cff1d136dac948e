"""The metric reference, as Markdown, from the declarations."""

from __future__ import annotations

from streams.catalogue.pipeline import PIPELINE
from streams.catalogue.program import PROGRAM


def reference() -> str:
    """The page for docs/reference."""
    rows = "\n".join(
        f"| `{metric.name}` | {', '.join(metric.labels) or '-'} | {metric.kind} | {metric.help} |"
        for metric in (*PROGRAM, *PIPELINE)
    )
    return f"""# Metrics of a worker

Generated from `streams/catalogue`; do not edit. Served at `/metrics` in the Prometheus text format and OpenMetrics.

Every combination that a program file makes possible is there from the start at 0, unless the help says that there is no sample.
Nothing of a program is there while this worker does not own it or is not recovered. Codes that the program file does not know
count under `other`. Times are timestamps, not ages. There are no ids in labels, ever. Names (`care_*_info`) are those of the
program file, and no two codes of a program have one.

Counters of calls, units and cases survive restarts, kills and a move to another worker exactly. They never fall: what is no longer
so is counted in `care_facts_corrected_total` and `care_call_interval_corrected_seconds`, so subtract these. `care_events_*` and
`care_partition_conflicts_total` are of the process.

| metric | labels | kind | what |
|---|---|---|---|
{rows}
"""
