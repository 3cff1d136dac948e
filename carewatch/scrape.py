"""Read a worker's /metrics."""

from __future__ import annotations

import urllib.request
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from agents.web import NOW_HEADER
from streams.clock import Micros

Labels = tuple[tuple[str, str], ...]
Numbers = dict[tuple[str, Labels], float]

# without the environment's proxy: workers are near, and the demo's are on loopback
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class Scrape(NamedTuple):
    """All samples by sample name and sorted labels, and the *now* (microseconds) that the worker read them at."""

    now: Micros
    numbers: Numbers


def scrape(url: str, timeout: float = 30.0) -> Scrape:
    """Scrape the worker at an address such as http://127.0.0.1:6066.

    Raises OSError if it does not answer, ValueError if what it says are no metrics or it is no carewatch worker.
    """
    with _open(url.rstrip("/") + "/metrics", timeout=timeout) as answer:
        now = int(answer.headers.get(NOW_HEADER, ""))
        text = answer.read().decode()
    return Scrape(now, parse(text))


def parse(text: str) -> Numbers:
    """The samples of a page, or of some of its lines. Raises ValueError if they are no metrics."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
