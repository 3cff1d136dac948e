"""Child processes that never outlive us, free ports, and waiting for a server to be ready."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from carewatch.ending import pause

Say = Callable[[str], None]
"""Takes one line of progress for the user, without a line end."""


class StackError(Exception):
    """A server could not be started or ended early. The message is one plain line that says what to do."""


def silent(_line: str) -> None:
    """The `Say` that says nothing."""


def cache_dir() -> Path:
    """Where downloaded programs are kept: ``$CAREWATCH_CACHE``, else ``~/.cache/carewatch``. Not created.

    Raises:
        StackError: the variable is unset and the user has no home folder.
    """
    if chosen := os.environ.get("CAREWATCH_CACHE"):
        return Path(chosen).absolute()
    try:
        return Path.home() / ".cache" / "carewatch"
    except RuntimeError:
        raise StackError("there is no home folder to cache programs in: set CAREWATCH_CACHE") from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` (created if missing, never removed); waits while another process holds it.

    The operating system frees the lock when its holder dies, so a stale file does no harm.

    Raises:
        Ended: a signal came while we waited.
        StackError: the lock file cannot be written.
    """
    import fcntl  # here, because it does not exist on Windows and importing this module must not fail there

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise StackError(f"cannot write {path} ({error.strerror}): set CAREWATCH_CACHE to a folder you own") from None
    with file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                pause(0.1)
        yield


# Below the range from which systems take the ports of outgoing connections (Linux: 32768, macOS: 49152).
# In that range a client that keeps retrying a stopped server can be given the server's own port, connect to
# itself, and so keep the server from coming back.
_PORTS = range(15_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """A TCP port that is free on 127.0.0.1 and that this process was not given before.

    Raises:
        StackError: no free port was found.
    """
    for port in random.sample(_PORTS, 500):
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise StackError("no free port on 127.0.0.1 between 15000 and 32000: end some programs and run it again")


def port_open(port: int) -> bool:
    """Whether something on 127.0.0.1 accepts connections on `port`."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


# Runs in the child and then becomes the wanted program. Not a `preexec_fn`, which may deadlock in a program
# with threads. PR_SET_PDEATHSIG (1) stays set over exec; the parent's id is compared afterwards because the
# parent may already have died before the call.
_UNTIL_PARENT_DIES = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"cannot run {sys.argv[2]}: {error.strerror}")
"""


_Popen = subprocess.Popen[bytes]


class _Starter(threading.Thread):
    """Starts every child from one thread that lives as long as the process.

    Linux sends the parent-death signal when the *thread* that started the child ends: a child started from
    a short-lived worker thread would be killed in the middle of its work.
    """

    def __init__(self) -> None:
        super().__init__(name="carewatch-child-starter", daemon=True)
        self._jobs: queue.SimpleQueue[tuple[Callable[[], _Popen], Future[_Popen]]] = queue.SimpleQueue()

    def run(self) -> None:
        while True:
            job, future = self._jobs.get()
            try:
                future.set_result(job())
            except Exception as error:  # noqa: BLE001 raised again where the child was asked for
                future.set_exception(error)

    def popen(self, job: Callable[[], _Popen]) -> _Popen:
        future: Future[_Popen] = Future()
        self._jobs.put((job, future))
        return future.result()


_starter: _Starter | None = None
_starter_lock = threading.Lock()


def _popen(job: Callable[[], _Popen]) -> _Popen:
    global _starter
    with _starter_lock:
        if _starter is None or not _starter.is_alive():  # not alive: this is the child of an os.fork()
            _starter = _Starter()
            _starter.start()
        return _starter.popen(job)


class Child:
    """A running subprocess; constructing it starts it.

    It has its own process group, so that Ctrl-C in the terminal reaches only us and we end it in order. Its
    standard output and error go to `log`. It is killed when this process exits; on Linux also when this
    process is killed.

    Args:
        name: What the user calls it; used in messages.
        argv: The program's absolute path and its arguments.
        folder: An existing folder, its working directory; ``<name>.log`` in it is appended to.
        env: The whole environment; this process's own if None.

    Raises:
        StackError: the program does not exist, or no process could be started.
    """

    def __init__(self, name: str, argv: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        command = list(argv)
        if not os.access(command[0], os.X_OK):
            raise StackError(f"{name} cannot be run: {command[0]} is not a program")
        if sys.platform == "linux" and sys.executable:
            command = [sys.executable, "-I", "-S", "-c", _UNTIL_PARENT_DIES, str(os.getpid()), *command]

        def job() -> _Popen:
            with self.log.open("ab") as out:
                return subprocess.Popen(  # noqa: S603 that is what this class is for
                    command,
                    cwd=folder,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    process_group=0,
                )

        try:
            self._process = _popen(job)
        except OSError as error:
            raise StackError(f"{name} could not be started: {error}") from None
        # Registered after the owner made its temporary folder, so it runs before that folder is removed.
        atexit.register(self.kill)

    @property
    def pid(self) -> int:
        """The process id; kept after the end."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    @property
    def how_it_ended(self) -> str:
        """Its status, or the signal that killed it: ``status 1``, ``killed by SIGKILL``; ``running`` before."""
        status = self._process.poll()
        if status is None:
            return "running"
        return f"status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"

    def wait(self, timeout: float) -> int:
        """Wait for its end and return the exit status; kills it after `timeout` seconds, or when a signal comes.

        Raises:
            StackError: it had not ended after `timeout` seconds.
            Ended: a signal came.
        """
        end = time.monotonic() + timeout
        try:
            while self.alive:
                if time.monotonic() >= end:
                    raise StackError(f"{self.name} did not finish within {timeout:g} s: run it again")
                pause(0.05)
        finally:
            self.kill()
        return self._process.returncode

    def join(self) -> int:
        """Wait for its end, however long that takes; the exit status. Raises Ended if a signal comes."""
        while self.alive:
            pause(0.1)
        return self._process.returncode

    def stop(self, timeout: float = 10.0) -> None:
        """Ask it to end (SIGTERM), kill it after `timeout` seconds. Does nothing if it has ended."""
        if self.alive:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """Kill it and its process group (SIGKILL) and wait for the end. Does nothing if it has ended."""
        if self.alive:  # so not reaped yet: the id is still its own
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        atexit.unregister(self.kill)

    def log_tail(self, n: int = 1) -> str:
        """The last `n` non-empty lines of the log, without stack frames; "" if there are none."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines()]
        return "\n".join([x for x in lines if x and not x.startswith(("at ", "... "))][-n:])


def wait_for(
    predicate: Callable[[], bool],
    timeout: float,
    what: str,
    child: Child | None = None,
    *,
    interval: float = 0.05,
) -> None:
    """Poll `predicate` every `interval` seconds until it is true.

    Args:
        predicate: Called again and again.
        timeout: Seconds.
        what: What is awaited, as a clause: ``"Kafka to answer"``.
        child: The process that has to live meanwhile.
        interval: Seconds.

    Raises:
        StackError: `child` ended or the time is over.
        Ended: a signal came.
    """
    end = time.monotonic() + timeout
    while True:
        ended = child is not None and not child.alive
        if not ended and predicate():
            return
        said = f"; it last said: {tail}" if child is not None and (tail := child.log_tail()) else ""
        if ended and child is not None:
            raise StackError(
                f"waited for {what}, but {child.name} ended ({child.how_it_ended}): "
                f"fix the cause and run it again{said}"
            )
        if time.monotonic() >= end:
            raise StackError(
                f"waited {timeout:g} s for {what} without success: free some memory or processor time "
                f"and run it again{said}"
            )
        pause(interval)
