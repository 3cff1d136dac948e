"""A member of the consumer group that is not ours: a real worker without our token, whose web is somebody else's."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from streams.events import CaseOpened
from tests.answering import Answering
from tests.integration.harness import PROFILES, Broker, Site, Worker, eventually, once_shown

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TOKEN = "cLPv7hXQ2fZ0nWkR9sTuYg"  # a made-up one
#: What the stranger answers, in turns: 1.5 GB packed in 1.5 MB, brackets without end, no UTF-8, more than is taken.
ANSWERS = {
    "packed": (gzip.compress(b" " * 100_000_000) * 15, {"Content-Encoding": "gzip"}),
    "deep": (b"[" * 400_000, {}),
    "no text": (b'[{"case": "\xff\xfe"}]', {}),
    "endless": (b" " * 20_000_000, {}),
}


class Stranger(ThreadingHTTPServer):
    """Answers all that it is asked with `answer`, and keeps what it heard."""

    daemon_threads = True
    answer: tuple[bytes, dict[str, str]] = b"", {}

    def __init__(self) -> None:
        stranger = self
        self.heard: list[str] = []

        class Handler(Answering):
            def reply(self) -> None:
                stranger.heard.append(f"{self.path}\n{self.headers}")
                body, headers = stranger.answer
                self.send_response(200)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:  # it is not read to its end
                    self.close_connection = True

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with Stranger() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def listed(worker: Worker) -> tuple[int, Any]:
    """The work list of all workers, as one of them has it."""
    connection = http.client.HTTPConnection(urlsplit(worker.url).netloc, timeout=20)
    connection.request("GET", "/followups/list.json", headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, json.loads(text) if answer.status == 200 else text


@contextmanager
def board(worker: Worker) -> Iterator[http.client.HTTPResponse]:
    """An open board: the workers ask each other while one is there."""
    connection = http.client.HTTPConnection(urlsplit(worker.url).netloc, timeout=20)
    connection.request("GET", "/board/events")
    answer = connection.getresponse()
    yield answer
    answer.close()
    connection.close()


def standings(stream: http.client.HTTPResponse) -> dict[str, str]:
    """Of the next moment: why each program is not live, "" for those that are."""
    while stream.readline() != b"event: moment\n":
        pass
    moment = json.loads(stream.readline().removeprefix(b"data: "))
    return {each["program"]: each["why"] for each in moment["programs"]}


def test_a_member_that_is_not_ours(kafka: Broker, tmp_path: Path, stranger: Stranger) -> None:
    opened = datetime.now(UTC) - timedelta(days=1.5)
    cases = [
        CaseOpened(id=f"o-{program}", program=program, at=opened, case=f"C-{program}", kind="encounter", team=team)
        for program, team in (("chicago", "art"), ("cambridge", "care"))
    ]
    with Site(kafka.bootstrap, tmp_path, {"API_TOKEN": TOKEN}) as site:
        site.send(cases)
        ours, others = site.worker(), site.worker(API_TOKEN="", ADVERTISE=stranger.url)
        once_shown([ours, others], by_all=True)
        lost = others.programs()
        with board(ours) as stream:
            said = f"Its worker {stranger.url} has another CAREWATCH_API_TOKEN or none, or is not one of ours."
            eventually(lambda: said in standings(stream).values(), "the board to say so", every=0)
        memory = psutil.Process(ours.child.pid).memory_info().rss
        for stranger.answer in ANSWERS.values():
            status, found = listed(ours)
            assert status == 200
            assert {each["program"] for each in found["missing"]} == lost, "a bad answer costs its own part only"
            with board(ours) as stream:
                found = standings(stream)
            assert {program for program, why in found.items() if why} == lost
        assert psutil.Process(ours.child.pid).memory_info().rss < memory + 100_000_000
        assert any("/api/followups" in each for each in stranger.heard)
        assert any("/board/own.json" in each for each in stranger.heard)
        assert TOKEN not in "".join(stranger.heard)
        assert TOKEN not in ours.log + others.log
        for each in stranger.heard:  # it was signed for the stranger's address: nobody else takes it
            path, _, rest = each.partition("\n")
            (authorization,) = [line for line in rest.splitlines() if line.startswith("Authorization: ")]
            assert asked(ours, path, authorization.partition(": ")[2]) == (401 if "followups" in path else 200)


def asked(worker: Worker, path: str, authorization: str) -> int:
    """The status of a page, asked for with this header."""
    connection = http.client.HTTPConnection(urlsplit(worker.url).netloc, timeout=20)
    connection.request("GET", path, headers={"Authorization": authorization})
    status = connection.getresponse().status
    connection.close()
    return status


def test_workers_of_ours_have_one_list(kafka: Broker, tmp_path: Path) -> None:
    opened = datetime.now(UTC) - timedelta(days=1.5)
    with Site(kafka.bootstrap, tmp_path, {"API_TOKEN": TOKEN}) as site:
        site.send(
            CaseOpened(
                id=f"o-{name}", program=name, at=opened, case=f"C-{name}", kind="encounter", team=profile.team_codes[0]
            )
            for name, profile in PROFILES.items()
        )
        workers = [site.worker(), site.worker()]
        once_shown(workers, by_all=True)
        lists = [listed(worker)[1] for worker in workers]
        assert lists[0] == lists[1]
        assert lists[0]["missing"] == []
