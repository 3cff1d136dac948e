"""A real Chromium for the tests of the board, and real workers on a real Kafka with the demo's data.

`CAREWATCH_CHROMIUM` is its path, else the system's is looked for. `CAREWATCH_REQUIRE_CHROMIUM=1` fails where the tests
would be skipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from streams.events import TOPICS, Heartbeat, Topic
from tests.browser.chromium import ARGUMENTS, MISSING, chromium
from tests.integration.harness import PROFILES, Broker, Site, Worker, history, session_kafka, unless

WALL = {"width": 1920, "height": 1080}
PHONE = {"width": 390, "height": 844}

Open = Callable[..., Page]


# Not for the session: Playwright's event loop runs in this thread until it is closed, and other tests have their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    unless(
        None if path else MISSING,
        required=os.environ.get("CAREWATCH_REQUIRE_CHROMIUM") == "1",
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens pages; whatever they say on the console or ask of another server fails the test."""
    contexts = []
    said: list[str] = []

    def open_page(url: str, size: dict[str, int] | None = None, **options: Any) -> Page:
        context = browser.new_context(viewport=size or {"width": 1440, "height": 900}, **options)  # type: ignore[arg-type]  # a plain dict
        contexts.append(context)
        page = context.new_page()
        host = "/".join(url.split("/")[:3])
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("request", lambda request: None if request.url.startswith(host) else said.append(f"asks {request.url}"))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    wrong = [text for text in said if "net::ERR_" not in text]  # a worker that is away is told of like this
    assert not wrong, wrong


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Broker:
    """The session's Kafka."""
    return session_kafka(request.config)


@pytest.fixture(scope="module")
def floor(kafka: Broker, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Worker]]:
    """Two days of the three programs up to now, and a worker that has read them. Its feeds are silent after an hour."""
    with Site(kafka.bootstrap, tmp_path_factory.mktemp("floor"), {"SILENT_AFTER": "3600"}) as site:
        site.send(history(2))
        beat(site, *PROFILES)
        worker = site.worker().ready()
        site.verify([worker])
        yield site, worker


def beat(site: Site, *programs: str, topics: Iterable[Topic] = TOPICS) -> None:
    """A heartbeat now on each of these topics of these programs."""
    now = datetime.now(UTC)
    for program in programs:
        for topic in topics:
            site.post_event(Heartbeat(id=f"{program}-{topic}-{now:%H%M%S%f}", program=program, at=now, topic=topic))
    site.flush()


def folder_of(program: str, text: str, tmp_path: Path) -> Path:
    """A folder with one program file."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / f"{program}.toml").write_text(text)
    return folder
