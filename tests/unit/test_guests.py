"""Guests of the web, each on a real socket: none shuts the others out, none is waited for without end."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import io
import os
import resource
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from agents import guests, shares
from agents.board import stream
from agents.settings import Settings
from agents.shares import source_of
from carewatch.settings import PROGRAMS
from tests.unit.served import Served, closed, eventually, read_all, served

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere 127.0.0.2 is no address of this machine's own"
)

OTHER = "127.0.0.2"
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
ASK = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF_FORM = (
    b"POST /followups/enter HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\ntok"
)


@pytest.fixture(scope="module")
def web() -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guests, "LINGER", 0.1)
        with served() as web:
            yield web


def status_of(answer: bytes) -> int:
    return int(answer.split(maxsplit=2)[1])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times that a test can wait for."""
    for name in ("HEAD", "BODY", "IDLE", "TAKE"):
        monkeypatch.setattr(guests, name, 0.3)
    monkeypatch.setattr(guests, "LOOK", 0.05)


# --- time ---------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /hea",
        HEAD,
        HALF_FORM,
        b"GET /board/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc",
    ],
    ids=["silent", "half a line", "half a head", "half a body", "half a body that nobody reads"],
)
def test_whoever_does_not_go_on_is_let_go(sent: bytes) -> None:
    """Was: held for ever."""
    with served() as web, web.guest() as guest:
        guest.sendall(sent)
        began = time.monotonic()
        read_all(guest)
        assert time.monotonic() - began < 10


@pytest.mark.usefixtures("quick")
def test_a_head_that_drips_has_the_time_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guests, "IDLE", 60.0)
    with served() as web, web.guest() as guest:
        guest.sendall(HEAD + b"\r\n")
        assert guest.recv(4096).startswith(b"HTTP/1.1 200")

        def refused() -> bool:
            try:
                guest.sendall(b"G")
            except ConnectionError:
                return True
            return False

        eventually(refused, "it is closed", timeout=10)


@pytest.mark.usefixtures("quick")
def test_a_connection_that_is_kept_alive_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guests, "IDLE", 4.0)
    with served() as web, web.guest() as guest:
        for _ in range(2):
            guest.sendall(HEAD + b"\r\n")
            assert guest.recv(4096).startswith(b"HTTP/1.1 200")
            time.sleep(0.5)  # longer than a head may take
        began = time.monotonic()
        assert read_all(guest) == b""
        assert time.monotonic() - began < 10


@pytest.mark.usefixtures("quick")
def test_an_answer_that_nobody_reads_is_given_up() -> None:
    """Was: kept with its connection for ever. A guest that asks and never reads."""
    with served() as web, web.guest(small=True) as guest:
        guest.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 30)
        eventually(lambda: not web.web._guests._here, "the connection is given up")


# --- how many -----------------------------------------------------------------------------------------------------------


def test_one_source_leaves_room_for_the_others() -> None:
    """Was: 1,500 idle connections were held, and with few descriptors nobody else got one."""
    with served(connections=40, connections_each=20) as web:
        crowd = [web.guest(OTHER) for _ in range(60)]
        assert b" 200 OK" in web.get("/metrics")
        assert b" 200 OK" in web.get("/healthz", source=OTHER), "its own oldest idle one gives way"
        eventually(lambda: sum(map(closed, crowd)) >= 40, "those over the share are closed")
        assert web.web._guests._count <= 20
        for guest in crowd:
            guest.close()


def test_all_that_there_may_be_are_taken_from_whoever_has_the_most() -> None:
    with served(connections=20, connections_each=15) as web:
        crowd = [web.guest(f"127.0.0.{2 + n // 15}") for n in range(30)]
        eventually(lambda: web.web._guests._count == 20, "the web is full")
        for n in range(10):
            assert b" 200 OK" in web.get("/healthz", source=f"127.0.1.{n}")
        for guest in crowd:
            guest.close()


@contextmanager
def held(web: Served) -> Iterator[None]:
    """Whoever asks for /metrics waits meanwhile."""
    loop, making = web.web._guests._loop, web.web._making
    asyncio.run_coroutine_threadsafe(making.acquire(), loop).result(20)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(making.release)


def busy(web: Served, source: str, request: bytes, count: int) -> list[socket.socket]:
    """So many connections whose request has come."""
    found = [web.guest(source) for _ in range(count)]
    for guest in found:
        guest.sendall(request)
    here = web.web._guests._here
    eventually(lambda: sum(guest._current_request is not None for guest in list(here[source])) == count, "all are busy")
    return found


def test_busy_connections_do_not_give_way_to_their_own_source() -> None:
    with served(connections=20, connections_each=3) as web, ExitStack() as stack:
        with held(web):
            crowd = [stack.enter_context(guest) for guest in busy(web, OTHER, ASK, 3)]
            assert web.get("/healthz", source=OTHER) == b""
            assert b" 200 OK" in web.get("/healthz"), "there is room for others"
            assert not any(map(closed, crowd))
        stack.close()
        eventually(lambda: web.web._guests._count == 0, "all are counted out")


def test_a_connection_that_owes_a_body_gives_way() -> None:
    """Was: with all of a proxy's connections in bodies that dripped, nobody behind it had an answer."""
    with served(connections=20, connections_each=3) as web, ExitStack() as stack:
        crowd = [stack.enter_context(guest) for guest in busy(web, OTHER, HALF_FORM, 3)]
        assert b" 200 OK" in web.get("/healthz", source=OTHER)
        eventually(lambda: any(map(closed, crowd)), "one of them is closed")
        assert sum(map(closed, crowd)) == 1
        stack.close()
        eventually(lambda: web.web._guests._count == 0, "all are counted out")


def test_where_all_are_taken_a_busy_one_goes_for_a_source_that_has_fewer() -> None:
    """Was: a few sources with a slow request each in all their connections shut everybody out."""
    with served(connections=4, connections_each=2) as web, ExitStack() as stack, held(web):
        crowds = [
            [stack.enter_context(guest) for guest in busy(web, source, ASK, 2)] for source in (OTHER, "127.0.0.3")
        ]
        assert b" 200 OK" in web.get("/healthz")
        assert sum(map(closed, crowds[0] + crowds[1])) == 1
        stack.enter_context(busy(web, "127.0.0.4", ASK, 1)[0])
        stack.enter_context(busy(web, "127.0.0.5", ASK, 1)[0])
        assert web.get("/healthz") == b"", "each has one, and none has to go for another's first"


@contextmanager
def at_once(web: Served) -> Iterator[None]:
    """All connections that come meanwhile are found by the web in one go."""
    go_on = threading.Event()
    web.web._guests._loop.call_soon_threadsafe(go_on.wait, 20)
    try:
        yield
    finally:
        go_on.set()


def test_a_request_in_the_midst_of_a_crowd_from_its_own_source_is_answered() -> None:
    """Was: none of those that had just come was idle yet, so that the next, Prometheus's too, were refused."""
    with served(connections=80, connections_each=20) as web, ExitStack() as stack:
        with at_once(web):
            for _ in range(60):
                stack.enter_context(web.guest(OTHER))
            asks = stack.enter_context(web.guest(OTHER))
            asks.sendall(HEAD + b"Connection: close\r\n\r\n")
            for _ in range(15):
                stack.enter_context(web.guest(OTHER))
        assert b" 200 OK" in read_all(asks)


def test_one_that_has_to_go_before_it_is_there_is_closed_too() -> None:
    """Else it is counted out and held for ever: nobody looks at it any more."""
    with served(connections=4, connections_each=3) as web, ExitStack() as stack:
        with at_once(web):
            crowd = [stack.enter_context(web.guest(OTHER)) for _ in range(3)]
            others = [stack.enter_context(web.guest(source)) for source in ("127.0.0.3", "127.0.0.4")]
        eventually(lambda: any(map(closed, crowd)), "one of the most is closed")
        assert sum(map(closed, crowd)) == 1
        assert not any(map(closed, others))
        assert web.web._guests._count == 4


def test_without_a_descriptor_the_log_has_one_line_and_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: asyncio wrote 128 tracebacks a second, 152 MB a minute."""
    monkeypatch.setattr(guests, "LOOK", 0.05)
    with capture_logs() as lines, served() as web:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        waiting = [socket.socket() for _ in range(5)]
        try:
            highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
            holes = []
            while True:
                try:
                    holes.append(os.dup(0))
                except OSError:
                    break
            for guest in waiting:
                guest.connect((web.host, web.port))
                guest.sendall(HEAD + b"\r\n")
            eventually(lambda: bool(lines), "it is told")
            time.sleep(0.3)  # some more tries
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            for hole in holes:
                os.close(hole)
        for guest in waiting:
            guest.settimeout(20)
            assert guest.recv(4096).startswith(b"HTTP/1.1 200")
            guest.close()
    assert [line["event"] for line in lines] == [
        "no connection can be accepted: raise the limit of open files (ulimit -n)"
    ]


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_sources(address: str, source: str) -> None:
    assert source_of(address) == source


def test_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (160, 160))
    few = shares.connections(Settings(programs=PROGRAMS, proxies=("10.0.0.1", "::ffff:10.0.0.2")))
    assert few.most == 80, "half of the descriptors are for Kafka"
    assert few.of("10.9.9.9") == few.of("127.0.0.1") == 60
    monkeypatch.setattr(resource, "getrlimit", lambda _: (20_000, 20_000))
    many = shares.connections(Settings(programs=PROGRAMS, proxies=("10.0.0.1", "::ffff:10.0.0.2")))
    assert [many.of(each) for each in ("10.9.9.9", "127.0.0.1", "::1", "10.0.0.1", "10.0.0.2")] == [
        200,
        750,
        750,
        750,
        750,
    ]
    assert many.halved().of("10.9.9.9") == 100


# --- bodies -------------------------------------------------------------------------------------------------------------


def test_a_compressed_body_is_not_unpacked(web: Served) -> None:
    """Was: eight of 2 MB to /healthz were answered after 9.5 s."""
    small = gzip.compress(bytes(200_000_000), 1)
    began = time.process_time()
    answer = web.ask(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(small) + small)
    assert answer.startswith(b"HTTP/1.1 200")
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/", "/nothing", "/api/followups"])
def test_a_body_that_nobody_reads_ends_the_connection(web: Served, path: str) -> None:
    """Both requests would be answered if the rest of the body were taken for the next one."""
    answer = web.ask(b"GET %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nab" % path.encode())
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer.partition(b"\r\n\r\n")[0].lower()


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/x-www-form-urlencoded", b"token=x", 303),
        ("application/x-www-form-urlencoded; charset=UTF-8", b"token=x", 303),
        ("application/x-www-form-urlencoded; charset=nonsense", b"token=x", 400),
        ("application/x-www-form-urlencoded; charset=utf-16", b"token=x", 400),
        ("application/x-www-form-urlencoded", b"token=\xff\xfe", 400),
        ("application/x-www-form-urlencoded\r\nContent-Encoding: gzip", gzip.compress(b"token=x", mtime=0), 400),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n", 400),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", 400),
        ("multipart/form-data; boundary=" + "b" * 200, b"x", 400),
        ("application/json", b"{", 400),
        ("", b"token=x", 400),
        (";;;", b"token=x", 400),
        ("application/x-www-form-urlencoded", b"token=" + b"x" * 5000, 413),
        ("application/x-www-form-urlencoded", b"&".join(b"a=b" for _ in range(1100)), 413),
        ("application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked", b"zz\r\n", 400),
    ],
)
@pytest.mark.parametrize("path", ["/followups/enter", "/followups/leave"])
def test_odd_forms_are_refused_and_never_an_error_of_ours(
    web: Served, path: str, kind: str, body: bytes, status: int
) -> None:
    """Was: 500, and a traceback in the log."""
    length = "" if "chunked" in kind else f"Content-Length: {len(body)}\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n{length}\r\n"
    with capture_logs() as lines:
        answer = web.ask(head.encode() + body)
    assert status_of(answer) == status, answer
    assert not [line for line in lines if line["event"] != "refused what is no HTTP request"]


def test_whoever_leaves_in_the_middle_of_a_form_is_no_error_of_ours() -> None:
    """Was: "a request could not be answered" in the log for each."""
    with capture_logs() as lines, served() as web:
        (guest,) = busy(web, OTHER, HALF_FORM, 1)
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        guest.close()
        eventually(lambda: web.web._guests._count == 0, "it is gone")
        assert b" 200 OK" in web.get("/healthz")
    assert not lines


def test_a_form_without_a_body_is_one(web: Served) -> None:
    assert b"303" in web.get("/followups/leave", "Content-Length: 0", method="POST")


# --- HEAD ---------------------------------------------------------------------------------------------------------------


def test_head_has_no_body_on_any_route(web: Served) -> None:
    """Was: /metrics sent its page, and the next answer on the connection was read wrongly; the board's stream never ended."""
    paths = sorted({route.resource.canonical for route in web.web._runner.app.router.routes() if route.resource})
    assert "/metrics" in paths
    assert "/board/events" in paths
    for path in [*paths, "/nothing"]:
        first = b"HEAD %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode()
        answer = web.ask(first + HEAD + b"Connection: close\r\n\r\n")
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 "), path
        assert rest.startswith(b"HTTP/1.1 200 OK"), path
        assert rest.endswith(b"\r\n\r\nalive\n"), path
        assert b"transfer-encoding" not in head.lower(), path


def test_head_says_the_length_of_a_file(web: Served) -> None:
    response = http.client.HTTPResponse(_File(web.get("/assets/board.js")))  # type: ignore[arg-type]  # reads only
    response.begin()
    length = len(response.read())
    assert b"Content-Length: %d\r\n" % length in web.get("/assets/board.js", method="HEAD")


class _File:
    def __init__(self, text: bytes) -> None:
        self.text = text

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self.text)


# --- names --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True),
        ("LOCALHOST:6066", True),
        ("localhost.", True),
        ("localhost:", True),
        ("rooted.example", True),
        ("rooted.example.:6066", True),
        ("rooted-3.example", True),
        ("127.0.0.1:1", True),
        ("10.2.3.4", True),
        ("[::1]:6066", True),
        (socket.gethostname(), True),
        ("board.city.example", True),
        ("carewatch-worker-3:6066", True),
        ("told.example", True),
        ("evil.example", False),
        ("evil.example:6066", False),
        ("carewatch-worker-3.evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("board.city.example@evil.example", False),
        ("[::1].evil.example", False),
        ("", False),
        (":", False),
    ],
)
def test_only_its_own_names_are_answered_to(host: str, known: bool) -> None:
    """Was: any. A web page whose name is made to mean 127.0.0.1 could read the board of whoever looks at the page."""
    hosts = ("board.city.example", "carewatch-worker-*", "rooted.example.", "rooted-*.example.")
    told = {"hosts": hosts, "advertised": "http://told.example:6066"}
    with served(**told) as web:
        for path in ("/metrics", "/", "/healthz", "/nothing"):
            answer = web.ask(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert answer.startswith(b"HTTP/1.1 421 ") != known, (path, answer[:200])
            assert known == (b"CAREWATCH_HOSTS" not in answer)


def test_a_star_is_any_name() -> None:
    with served(hosts=("*",)) as web:
        assert b"alive" in web.ask(b"GET /healthz HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n")


def test_one_host_header(web: Served) -> None:
    assert status_of(web.ask(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")) == 400
    assert status_of(web.ask(b"GET /healthz HTTP/1.0\r\n\r\n")) == 200, "old probes name no host"
    assert status_of(web.ask(HEAD + b"Host: evil.example\r\nConnection: close\r\n\r\n")) == 400


# --- logs ---------------------------------------------------------------------------------------------------------------

SECRET = b"JANE-DOE-SECRET"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + SECRET + b"\x01\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: a=" + SECRET * 1000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: " + SECRET + b"\x80=;;=;" + SECRET + b"\r\n\r\n",
        b"GET /" + SECRET * 1000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://[" + SECRET + b"/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /?token=" + SECRET + b"\r\nHost: localhost\r\n\r\n",
        SECRET + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: " + SECRET + b"\r\nConnection: close\r\n\r\n",
        b"GET /%0a" + SECRET + b"%0d%0aforged HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"POST /followups/enter HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data\r\n"
        b"Content-Length: 15\r\nConnection: close\r\n\r\n" + SECRET,
        b"\x16\x03\x01\x02\x00" + SECRET,
    ],
)
def test_nothing_of_a_request_is_logged_or_sent_back(
    web: Served, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Was: aiohttp's log quoted the header with a traceback, and so did the answer."""
    request_ = request_.replace(b"Host: localhost\r\n", b"Host: localhost\r\nConnection: close\r\n", 1)
    with capture_logs() as lines:
        answer = web.ask(request_)
    assert SECRET not in answer
    assert SECRET.decode() not in caplog.text + str(lines)
    assert "Traceback" not in caplog.text


def test_a_bug_of_ours_is_told_by_its_place_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError(SECRET.decode())

    with capture_logs(processors=[structlog.processors.ExceptionRenderer(_kind)]) as lines, served() as web:
        monkeypatch.setattr("agents.web.choose_encoder", broken)
        for _ in range(3):
            assert web.get("/metrics").startswith(b"HTTP/1.1 500 ")
    assert [(line["event"], line["times"], line["exception"]) for line in lines] == [
        ("a request could not be answered", 1, "KeyError")
    ]


def _kind(exc_info: structlog.typing.ExcInfo) -> str:
    return exc_info[0].__name__


# --- streams ------------------------------------------------------------------------------------------------------------


def test_one_client_that_never_reads_shuts_no_other_out() -> None:
    """Was: 500 of its streams, and others got 503 for 36 s."""
    ask = b"GET /board/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with served(connections=40, connections_each=20) as web:
        crowd = [web.guest(OTHER) for _ in range(20)]
        for guest in crowd:
            guest.sendall(ask)
        streams = web.web._board._streams
        eventually(lambda: streams.open == 10, "half of its connections may be streams")
        with web.guest() as board:
            board.sendall(ask)
            assert board.recv(4096).startswith(b"HTTP/1.1 200")
        for guest in crowd:
            guest.close()


@pytest.mark.parametrize("small", [True, False], ids=["little fits into its buffer", "much fits into its buffer"])
def test_a_board_that_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch, small: bool) -> None:
    """Was: noticed after 64 kB more than what both systems keep, which may be megabytes."""
    monkeypatch.setattr(stream, "READ_WITHIN", 1.0)
    with served() as web, web.guest(small=small) as guest, web.guest() as reader:
        streams = web.web._board._streams
        for each in (guest, reader):
            each.sendall(b"GET /board/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: streams.open == 2, "both are open")
        sent = 0
        until = time.monotonic() + 20
        while streams.open == 2:
            assert time.monotonic() < until
            sent += 2000
            web.web._guests._loop.call_soon_threadsafe(streams.publish, f"program/p{sent}", b"x" * 2000)
            time.sleep(0.04)
            reader.recv(100_000)
        assert sent < 130_000, "before its buffers are full"
        assert not closed(reader)

        def dropped() -> bool:
            try:
                assert guest.recv(100_000), "it was closed as one that reads"
            except ConnectionResetError:
                return True
            return False

        eventually(dropped, "what was sent and not read is dropped")


def test_an_event_id_of_any_length_is_taken(web: Served) -> None:
    """Was: 500, for Python reads no number of more than 4,300 digits."""
    boot = web.web._board._streams._boot
    with web.guest() as board:
        number = "9" * 5000
        board.sendall(
            f"GET /board/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {boot}-{number}\r\n\r\n".encode()
        )
        assert status_of(board.recv(4096)) == 200


def test_one_that_does_not_read_goes_for_another_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "GIVES_WAY", 0.1)
    ask = b"GET /board/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with served(connections=8, connections_each=2) as web, web.guest(OTHER, small=True) as guest:
        streams = web.web._board._streams
        web.web._guests._loop.call_soon_threadsafe(streams.publish, "program/p", b"x" * 1_000_000)
        guest.sendall(ask)
        eventually(lambda: any(client.wrote for client in list(streams._clients)), "it does not read")
        time.sleep(0.2)
        with web.guest(OTHER) as board:
            board.sendall(ask)
            assert board.recv(4096).startswith(b"HTTP/1.1 200")


def test_where_all_streams_are_taken_one_of_the_most_goes_for_a_source_that_has_fewer() -> None:
    """Was: five sources with a hundred boards each that read shut everybody else out."""
    ask = b"GET /board/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with served(connections=8, connections_each=4) as web, ExitStack() as stack:
        streams = web.web._board._streams

        def opened(source: str) -> bytes:
            board = stack.enter_context(web.guest(source))
            board.sendall(ask)
            return board.recv(4096)

        for n in (2, 2, 3, 3):
            assert status_of(opened(f"127.0.0.{n}")) == 200
        assert streams.open == 4, "all are taken, and all are read"
        assert status_of(opened("127.0.0.4")) == 200
        assert status_of(opened("127.0.0.5")) == 200
        sources = Counter(client.source for client in list(streams._clients))
        assert sources == Counter(f"127.0.0.{n}" for n in (2, 3, 4, 5))
        assert status_of(opened("127.0.0.6")) == 503, "each has one, and none has to go for another's first"
