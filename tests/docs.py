"""The commands that the documents print: every ```sh block, and what it takes to run it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

#: What a block needs, by the comment `<!-- runs: ... -->` before it. These are run by `test_docs_commands.py`, as printed:
RUN = {
    "alone": "nothing: it starts its own broker",
    "kafka": "a Kafka at localhost:9092 with the topics",
    "worker": "that, events of the three programs, rejected records, and a worker at localhost:6066 with a token",
    "prometheus": "Prometheus at localhost:9090 and Alertmanager at localhost:9093",
}
#: And these are not; each with the reason.
APART = {
    "bare": "`python3 dev.py bare` runs it on bare machines, and CI does",
    "docker": "needs a Docker daemon; tests/integration/test_stack.py runs what the compose file says, without one",
    "grafana": "needs a city's own Grafana; test_push.py and tests/browser/test_look.py run the commands against stand-ins",
    "rest": "long tests, which `python3 dev.py test --rest` runs, and CI does",
    "authorizer": "needs a Kafka with an authorizer and names of a city's own",
    "systemd": "needs a worker that is a systemd unit, and its log",
}

_BLOCK = re.compile(
    r"^(?:<!-- runs: (?P<needs>[^\n]*?) -->\n)?```(?:sh|bash|shell|console)\n(?P<text>.*?)^```\n",
    re.MULTILINE | re.DOTALL,
)
_OUTPUT = re.compile(r"\n*```text\n(?P<text>.*?)^```\n", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of commands."""

    file: Path
    line: int
    needs: str | None
    text: str
    output: str | None  # what the document prints as its output, if it does

    @property
    def name(self) -> str:
        """Where it is."""
        return f"{self.file.relative_to(ROOT)}:{self.line}"


def blocks() -> Iterator[Block]:
    """All of README.md and docs, in their order."""
    for file in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = file.read_text(encoding="utf-8")
        for found in _BLOCK.finditer(text):
            line = text.count("\n", 0, found.start("text")) + 1
            output = _OUTPUT.match(text, found.end())
            yield Block(file, line, found["needs"], found["text"], output["text"] if output else None)


def fences() -> int:
    """How many blocks of commands the documents have, however they are written."""
    files = (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    return sum(
        len(re.findall(r"^\s*[`~]{3,}\s*(?:sh|bash|shell|console)\b", f.read_text(), re.MULTILINE)) for f in files
    )
