"""What was tried against the web and did not work: it stays so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.served import Served, served

TOKEN = "cLPv7hXQ2fZ0nWkR9sTuYg"  # a made-up one
LOCAL = b"Host: localhost\r\n"
END = b"Connection: close\r\n\r\n"
NEXT = b"GET /healthz HTTP/1.1\r\n" + LOCAL + END


@pytest.fixture(scope="module")
def web() -> Iterator[Served]:
    with served(api_token=TOKEN) as web:
        yield web


def status_of(answer: bytes) -> int:
    return int(answer.split(maxsplit=2)[1])


@pytest.mark.parametrize(
    "path",
    [
        b"/assets/../pages.py",
        b"/assets/%2e%2e/pages.py",
        b"/assets/..%2fpages.py",
        b"/assets/..%5cpages.py",
        b"/assets/....//pages.py",
        b"/assets/uplot/../../pages.py",
        b"/assets//etc/passwd",
        b"/../../../../etc/passwd",
        b"/%2e%2e/%2e%2e/etc/passwd",
        b"/assets/board.js%00.css",
        b"/assets/",
        b"/assets/board.js/",
        b"file:///etc/passwd",
        b"http://localhost/assets/../pages.py",
    ],
)
def test_only_listed_files_are_served(web: Served, path: bytes) -> None:
    answer = web.ask(b"GET " + path + b" HTTP/1.1\r\n" + LOCAL + END)
    assert status_of(answer) in (400, 404)
    assert b"import" not in answer
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 5,5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length : 5\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X: a\r\n Transfer-Encoding: chunked\r\n",
        b"X: a\x00b\r\n",
        b"X: a\rTransfer-Encoding: chunked\r\n",
    ],
)
def test_a_second_request_cannot_be_hidden_in_the_first(web: Served, head: bytes) -> None:
    answer = web.ask(b"POST /followups/leave HTTP/1.1\r\n" + LOCAL + head + b"\r\n0\r\n\r\n" + NEXT)
    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.") == 1


@pytest.mark.parametrize("size", [b"5;\n", b"+5", b"0x5", b"ffffffffffffffffff", b"-1", b" 5"])
def test_a_chunk_has_one_length(web: Served, size: bytes) -> None:
    head = b"POST /followups/leave HTTP/1.1\r\n" + LOCAL + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = web.ask(head + size + b"\r\nabcde\r\n0\r\n\r\n" + NEXT)
    assert status_of(answer) == 400
    assert b"alive" not in answer


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + LOCAL + END,
        b"GET / HTTP/1.1\r\n" + LOCAL + b"X: " + b"a" * 9000 + b"\r\n" + END,
        b"GET / HTTP/1.1\r\n" + LOCAL + b"".join(b"X-%d: a\r\n" % n for n in range(200)) + END,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\r\n\r\n",
        b"\x00" * 100,
    ],
)
def test_a_head_is_short_and_http(web: Served, request_: bytes) -> None:
    assert status_of(web.ask(request_)) == 400


@pytest.mark.parametrize(
    "path", ["/", "/followups", "/metrics", "/board/own.json", "/followups/list.json", "/api/followups"]
)
def test_no_other_site_may_read_or_frame_it(web: Served, path: str) -> None:
    answer = web.get(path, "Origin: http://evil.example").partition(b"\r\n\r\n")[0].lower()
    assert b"access-control-" not in answer
    asked = web.get(path, "Origin: http://evil.example", "Access-Control-Request-Method: GET", method="OPTIONS")
    assert status_of(asked) == 405
    assert b"access-control-" not in asked.lower()
    if path in ("/", "/followups"):
        for part in (b"default-src 'none'", b"frame-ancestors 'none'", b"base-uri 'none'", b"form-action 'self'"):
            assert part in answer
        assert b"x-content-type-options: nosniff" in answer
        assert b"unsafe-inline" not in answer


@pytest.mark.parametrize("path", ["//evil.example", "//evil.example/%2e%2e", "/\\evil.example", "/followups/?wrong=1"])
def test_no_path_leads_elsewhere(web: Served, path: str) -> None:
    answer = web.get(path)
    assert status_of(answer) == 404
    assert b"\r\nlocation:" not in answer.lower()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "POST"])
def test_pages_are_only_read(web: Served, method: str) -> None:
    assert status_of(web.get("/metrics", "Content-Length: 0", method=method)) == 405


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}t",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}, Bearer {TOKEN}",
        f"Bearer {TOKEN.upper()}",
        "Bearer \xe9\xff",
        TOKEN,
    ],
)
def test_a_token_is_the_whole_of_it(web: Served, given: str) -> None:
    request = f"GET /api/followups HTTP/1.1\r\nHost: localhost\r\nAuthorization: {given}\r\nConnection: close\r\n\r\n"
    assert status_of(web.ask(request.encode("latin-1"))) in (401, 429), (
        "429: a source that has guessed wrong has to wait"
    )
