"""A run as Markdown: the tables of `docs/performance.md`, with what must hold beside what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.results import AIOKAFKA, BATCH, FAUST, QUIX_RECORDS, QUIX_STATEFUL, Results, Site, Spread

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def insert(page: Path, text: str) -> None:
    """Put the generated part between its marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def render(results: Results) -> str:
    """The generated part of the page."""
    rates = ("contender", "what it does", "events/s", f"{BATCH} is", "events in the window", "peak RSS")
    costs = ("events", "us an event", "against the first", "kept calls", "RSS")
    parts = [
        _where_and_how(results),
        "### What must hold",
        _table(("figure", "measured", "must", "aim"), goals(results)),
        "### Events a second",
        _table(rates, _rates(results)),
    ]
    if results.sites:
        parts += ["### One worker with its kept calls", _table(_site_head(results.sites), _site_rows(results.sites))]
    if results.costs:
        parts += ["### Cost of an event, in one process without Kafka", _table(costs, _costs(results))]
    if results.quick:
        parts.insert(0, "**A quick run: it shows that the benchmark works. Its numbers say little.**")
    if results.unfinished:
        parts.insert(0, f"**Not finished: {results.unfinished}.**")
    return "\n\n".join(parts)


def _where_and_how(results: Results) -> str:
    machine = results.machine
    option = " --quick" if results.quick else ""
    return (
        f"Measured on {machine.when} at commit `{machine.commit}` with `python3 dev.py bench{option}`, which took "
        f"{results.seconds / 60:.0f} min: {machine.cores} cores ({machine.cpu}), {machine.memory_gb:.0f} GB, "
        f"{machine.system}, Python {machine.python}, Apache Kafka {machine.kafka}. "
        "Broker, load generator and contender share these cores."
    )


Row = tuple[str, ...]


def goals(results: Results) -> Iterator[Row]:
    """One row a figure that must hold: what, measured, must, aim."""
    rate = results.rate(BATCH)
    yield _goal(
        "events/s, 64 programs, 8 partitions", rate, "{:,.0f}", ("at least 50,000", 50_000), ("100,000", 100_000)
    )
    for peer, must in ((QUIX_STATEFUL, 3.0), (QUIX_RECORDS, 3.0), (FAUST, 25.0)):
        yield _goal(
            f"times the events/s of: {peer}",
            _ratio(rate, results.rate(peer)),
            "{:.1f}",
            (f"at least {must:g}", must),
            None,
        )
    yield _goal(
        f"share of the events/s of: {AIOKAFKA}", _ratio(rate, results.rate(AIOKAFKA)), "{:.0%}", None, ("25%", 0.25)
    )
    for site in results.sites:
        where = _where(site)
        yield _time(f"event to visible in `/metrics`, 100 events/s, p99; {where}", _p99(site.quiet_visible), 250, 50)
        yield _time(f"scrape at full load, p99; {where}", _p99(site.load_scrape), 100, 50)
        figure = f"another program's event to visible while {_number(site.flood_events, '{:,}')} of one come at once, most; {where}"
        most = site.flood_visible.most / 1000 if site.flood_visible else None
        yield _goal(figure, most, "{:.1f} s", ("below 1 s", 1), None, least=False)
        figure = f"ready after kill -9, beyond the session timeout; {where}"
        yield _goal(figure, site.beyond_session, "{:.1f} s", ("below 5 s", 5), ("2 s", 2), least=False)
        memory = site.bytes_a_call
        figure = f"memory a kept call; {where}"
        yield _goal(figure, memory, "{:,.0f} bytes", ("below 2 kB", 2000), ("1 kB", 1000), least=False)
    yield _flat(results)


def _flat(results: Results) -> Row:
    costs = results.costs
    figure = "cost of an event, 10^4 to 10^7"
    if not costs:
        return _goal(figure, None, "{}", ("flat within 20%", 0), None)
    micros = [cost.micros for cost in costs]
    change = max(micros) / min(micros) - 1
    row = _goal(figure, change, "{:.0%} apart", ("flat within 20%", 0.2), None, least=False)
    if costs[-1].events < 10**7:
        return (*row[:2], row[2] + f" (only to {costs[-1].events:,} events)", *row[3:])
    return row


def _time(figure: str, measured: float | None, must: float, aim: float) -> Row:
    return _goal(figure, measured, "{:,.0f} ms", (f"below {must:g} ms", must), (f"{aim:g} ms", aim), least=False)


def _goal(
    figure: str,
    measured: float | None,
    form: str,
    must: tuple[str, float] | None,
    aim: tuple[str, float] | None,
    *,
    least: bool = True,
) -> Row:
    """A row; `least` says whether more is better."""

    def verdict(goal: tuple[str, float] | None) -> str:
        if goal is None:
            return "-"
        text, bound = goal
        if measured is None:
            return f"{text}: not measured"
        met = measured >= bound if least else measured < bound
        return f"{text}: {'met' if met else '**missed**'}"

    return figure, "-" if measured is None else form.format(measured), verdict(must), verdict(aim)


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one and other else None


def _p99(found: Spread | None) -> float | None:
    return found.p99 if found else None


def _where(site: Site) -> str:
    return f"{site.programs} programs, {site.calls:,} kept calls"


def _rates(results: Results) -> Iterator[Row]:
    ours = results.rate(BATCH)
    for each in sorted(results.rates, key=lambda each: -(each.per_second or 0)):
        if each.per_second is None:
            yield each.name, each.work, "-", "-", f"not measured: {each.failed}", "-"
        else:
            ratio = None if each.name == BATCH else _ratio(ours, each.per_second)
            window = f"{each.events:,} in {each.seconds:.1f} s"
            peak = f"{each.peak_rss_mb:,.0f} MB"
            yield each.name, each.work, f"{each.per_second:,.0f}", _number(ratio, "{:.2f} x as fast"), window, peak


def _site_head(sites: Sequence[Site]) -> Row:
    return ("", *(_where(site) for site in sites))


def _site_rows(sites: Sequence[Site]) -> Iterator[Row]:
    def row(name: str, cell: Callable[[Site], str]) -> Row:
        return (name, *(cell(site) for site in sites))

    yield row("taking the events that fill it, events/s", lambda site: _number(site.fill_per_second, "{:,.0f}"))
    yield row("size of `/metrics`", lambda site: _number(site.scrape_mb, "{:.1f} MB"))
    yield row("quiet load, events/s", lambda site: _number(site.quiet_rate, "{:,.0f}"))
    yield row("- event to visible, p50 / p99 / most", lambda site: _spread(site.quiet_visible))
    yield row("- scrape, p50 / p99 / most", lambda site: _spread(site.quiet_scrape))
    yield row("full load, events/s", lambda site: _number(site.load_rate, "{:,.0f}"))
    yield row("- kept up with it", lambda site: {None: "-", True: "yes", False: "**no**"}[site.load_kept_up])
    yield row("- event to visible, p50 / p99 / most", lambda site: _spread(site.load_visible))
    yield row("- scrape, p50 / p99 / most", lambda site: _spread(site.load_scrape))
    yield row("events of one program at once", lambda site: _number(site.flood_events, "{:,}"))
    yield row("- all of them visible after", lambda site: _number(site.flood_seconds, "{:.0f} s"))
    yield row("- another's event to visible, p50 / p99 / most", lambda site: _spread(site.flood_visible))
    yield row("kill -9 to ready", lambda site: _number(site.ready_after_kill, "{:.1f} s"))
    yield row("- of it the session timeout", lambda site: f"{site.session_timeout:g} s")
    yield row("RSS without events", lambda site: _number(site.rss_empty_mb, "{:,.0f} MB"))
    yield row("RSS with all of them", lambda site: _number(site.rss_full_mb, "{:,.0f} MB"))
    yield row("peak RSS until ready again", lambda site: _number(site.peak_rss_mb, "{:,.0f} MB"))
    yield row("memory a kept call", lambda site: _number(site.bytes_a_call, "{:,.0f} bytes"))
    if any(site.failed for site in sites):
        yield row("failed", lambda site: site.failed or "-")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _spread(found: Spread | None) -> str:
    return "-" if found is None else f"{found.p50:,.0f} / {found.p99:,.0f} / {found.most:,.0f} ms (n = {found.n:,})"


def _costs(results: Results) -> Iterator[Row]:
    for cost in results.costs:
        change = cost.micros / results.costs[0].micros - 1
        yield f"{cost.events:,}", f"{cost.micros:.1f}", f"{change:+.0%}", f"{cost.calls:,}", f"{cost.rss_mb:,.0f} MB"


def _table(head: Row, rows: Iterator[Row]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
