"""What the web servers of tests have in common, which stand in for a Grafana."""

from __future__ import annotations

from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler


class Answering(BaseHTTPRequestHandler):
    """Answers GET and POST alike, with `reply`, and prints nothing."""

    def do_GET(self) -> None:
        self.reply()

    def do_POST(self) -> None:
        self.reply()

    def reply(self) -> None:
        """Answer a request."""
        raise NotImplementedError

    def body(self) -> bytes:
        """What was sent."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, text: str, headers: Mapping[str, str]) -> None:
        """Send a whole answer."""
        raw = text.encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": f"{len(raw)}"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        pass
