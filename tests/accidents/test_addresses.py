"""An address where no Kafka answers: what is there, and what to do, in one plain line."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from carewatch.native.process import free_port
from tests.integration.harness import Site, eventually

#: Seconds in which it has to be said.
SAID = 30.0


@contextmanager
def serving(take: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port whose connections are taken by this, each in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=take, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@contextmanager
def tls(folder: Path) -> Iterator[int]:
    """A TLS port that asks its clients for a certificate, as brokers do."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=broker", "-days", "1"]
    subprocess.run([*made, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(cert))
    context.load_cert_chain(cert, key)
    context.verify_mode = ssl.CERT_REQUIRED

    def take(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1)
        except OSError:
            connection.close()

    with serving(take) as port:
        yield port


@contextmanager
def web(folder: Path) -> Iterator[int]:
    class Page(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@contextmanager
def silent(folder: Path) -> Iterator[int]:
    kept: list[socket.socket] = []
    with serving(kept.append) as port:
        yield port
    for connection in kept:
        connection.close()


@contextmanager
def nobody(folder: Path) -> Iterator[int]:
    yield free_port()


@pytest.mark.parametrize(("there", "line"), [(tls, "is a TLS port"), (web, "is a web server")])
def test_what_will_never_be_a_broker(
    there: Callable[[Path], Iterator[int]], line: str, site: Site, tmp_path: Path
) -> None:
    with there(tmp_path) as port:  # type: ignore[attr-defined]  # a context manager each
        broker = f"kafka://127.0.0.1:{port}"
        for argv in (("worker", "--web-port", "0"), ("verify",)):
            done = site.command(*argv, "--broker", broker, timeout=SAID)
            assert done.returncode == 2
            assert line in done.stderr.splitlines()[-1]
            assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("there", "line"), [(silent, "says nothing"), (nobody, "nothing can be reached")])
def test_what_may_become_one(there: Callable[[Path], Iterator[int]], line: str, site: Site, tmp_path: Path) -> None:
    with there(tmp_path) as port:  # type: ignore[attr-defined]  # a context manager each
        broker = f"kafka://127.0.0.1:{port}"
        worker = site.worker("--broker", broker)
        eventually(lambda: line in worker.log, "the worker to say it", SAID)
        assert worker.get("/readyz")[0] == 503
        assert line in site.command("verify", "--broker", broker, timeout=SAID + 5).stderr
