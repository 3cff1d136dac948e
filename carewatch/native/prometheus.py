"""Prometheus and Alertmanager on this machine: finding their programs, and running one server of each."""

from __future__ import annotations

import http.client
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from carewatch.native.process import Child, Say, StackError, cache_dir, free_port, locked, silent, wait_for

#: With Prometheus's default of a minute, an alert that fires just after its start or a reload can be late by as much.
RULE_OPTIONS = ("--rules.alert.resend-delay=10s",)

_PACKAGES = ("prometheus", "prometheus-alertmanager")
#: A package of its own since Debian 13; before, a part of the first.
_PROMTOOL = "promtool"
#: Debian's Alertmanager reads its message templates from here, a path that is compiled in; where the package is only
#: unpacked there is no such folder (docs/decisions/0015).
_TEMPLATES = "/usr/share/prometheus/alertmanager"


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where the programs are; None for one that was not found."""

    prometheus: Path | None
    promtool: Path | None
    alertmanager: Path | None
    amtool: Path | None


def find_binaries(say: Say = silent, fetch: bool = False) -> Binaries:
    """Find the programs on PATH, else in the cache folder.

    Args:
        say: Gets one line before a download, and one if it fails.
        fetch: Whether to download the Debian packages if a program is missing (about 30 MB, once; needs
            apt-get and dpkg-deb, but no root). They are unpacked into the cache folder; nothing is installed, and
            nothing is written elsewhere. A failed download is not an error.

    Raises:
        StackError: `fetch`, and the cache folder cannot be written.
    """
    found = _find()
    complete = None not in (found.prometheus, found.promtool, found.alertmanager, found.amtool)
    if complete or not fetch or not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return found
    with locked(_cached().with_name("prometheus.lock")):
        if not _cached().exists():  # else another process filled it while we waited
            _fetch(say)
    return _find()


class _Server:
    """A server with a health page on 127.0.0.1, data in a temporary folder. A context manager."""

    name = ""

    def __init__(self, config: Path, *, binaries: Binaries | None = None, start_timeout: float = 30.0) -> None:
        self.port = free_port()
        self._config = config.absolute()
        self._binaries = binaries
        self._start_timeout = start_timeout
        self._temp: tempfile.TemporaryDirectory[str] | None = None
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The server's address, ``http://127.0.0.1:PORT``, without a slash at the end."""
        return f"http://{self.address}"

    @property
    def address(self) -> str:
        """The server's address, ``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """The process id of the server; None before start and after stop."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Start the server and return when it is ready. Does nothing if it was started.

        Raises:
            StackError: The program is missing or did not come up (a wrong configuration file, for instance);
                nothing is left behind.
        """
        if self._temp is not None:
            return
        program = self._program(self._binaries or find_binaries())
        if program is None:
            raise StackError(f"{self.name} was not found: install it, so that it is on PATH")
        self._temp = tempfile.TemporaryDirectory(prefix=f"carewatch-{self.name}-", ignore_cleanup_errors=True)
        folder = Path(self._temp.name)
        try:
            self._prepare(folder)
            self._child = Child(self.name, [str(program), *self._options(folder)], folder)
            wait_for(self._ready, self._start_timeout, f"{self.name} to be ready", self._child)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server (within 10 s, else it is killed) and remove its data. Can be repeated."""
        try:
            if self._child is not None:
                self._child.stop(timeout=10.0)
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

    def _program(self, binaries: Binaries) -> Path | None:
        raise NotImplementedError

    def _options(self, folder: Path) -> list[str]:
        raise NotImplementedError

    def _prepare(self, folder: Path) -> None:
        """Put what the program wants into its working folder."""

    @property
    def how_it_ended(self) -> str:
        """Its status, or the signal that killed it."""
        return self._child.how_it_ended if self._child else "not started"

    def log_tail(self) -> str:
        """The last line that it wrote; "" if there is none."""
        return self._child.log_tail() if self._child else ""

    def _ready(self) -> bool:
        # Not urllib, which would send the request through a proxy named in the environment.
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2.0)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Prometheus(_Server):
    """One Prometheus server.

    Args:
        config: The configuration file; it is read in place, so that relative paths in it keep their meaning.
        binaries: Where the programs are; `find_binaries` without a download if None.
        start_timeout: Seconds that the start may take.
        data: Folder of its data, which may have blocks of before; one that ends with the server if None.
    """

    name = "prometheus"

    def __init__(
        self, config: Path, *, binaries: Binaries | None = None, start_timeout: float = 30.0, data: Path | None = None
    ) -> None:
        super().__init__(config, binaries=binaries, start_timeout=start_timeout)
        self._data = data

    def _program(self, binaries: Binaries) -> Path | None:
        return binaries.prometheus

    def _options(self, folder: Path) -> list[str]:
        return [
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self._data or folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--log.level=warn",
            *RULE_OPTIONS,
        ]


class Alertmanager(_Server):
    """One Alertmanager, alone: without a cluster.

    Args:
        config: The configuration file.
        binaries: Where the programs are; `find_binaries` without a download if None.
        start_timeout: Seconds that the start may take.
    """

    name = "alertmanager"

    def _program(self, binaries: Binaries) -> Path | None:
        return binaries.alertmanager

    def _prepare(self, folder: Path) -> None:
        for template in (_cached() / _TEMPLATES.lstrip("/")).glob("*.tmpl"):
            (folder / template.name).symlink_to(template)

    def _options(self, folder: Path) -> list[str]:
        return [
            f"--config.file={self._config}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]


def configure(shipped: Path, to: Path, *, worker: str, alertmanager: str | None) -> None:
    """Write a copy of the shipped Prometheus configuration with other addresses, each ``HOST:PORT``.

    Without an Alertmanager the rules are looked at and nobody is told.
    """
    config = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    config["rule_files"] = [str((shipped.parent / file).absolute()) for file in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [worker]}]
    if alertmanager:
        config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [alertmanager]}]}]
    else:
        del config["alerting"]
    to.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _cached() -> Path:
    # Not "prometheus": earlier versions left a copy there, whose Alertmanager does not start.
    return cache_dir() / "prometheus-unpacked"


def _find() -> Binaries:
    def one(*names: str) -> Path | None:
        places = [None, str(_cached() / "usr" / "bin")]  # None: PATH
        hits = (shutil.which(name, path=place) for place in places for name in names)
        return next((Path(hit).absolute() for hit in hits if hit), None)

    return Binaries(
        prometheus=one("prometheus"),
        promtool=one("promtool"),
        alertmanager=one("prometheus-alertmanager", "alertmanager"),  # Debian's name, then the project's
        amtool=one("amtool"),
    )


def _fetch(say: Say) -> None:
    say(f"downloading Prometheus and Alertmanager (about 30 MB, once) to {_cached()}")
    target = _cached()
    # In the cache folder itself: a rename is atomic only within one file system.
    with tempfile.TemporaryDirectory(prefix=".prometheus-", dir=target.parent) as temp:
        folder, new = Path(temp), Path(temp) / "new"
        new.mkdir()
        if said := _download(folder):
            say(f"Prometheus could not be downloaded: check the network and run it again; apt-get said: {said}")
            return
        for package in folder.glob("*.deb"):
            unpack = Child("dpkg-deb", [_tool("dpkg-deb"), "-x", str(package), str(new)], folder)
            if unpack.wait(timeout=120) != 0:
                said = unpack.log_tail()
                say(f"Prometheus could not be unpacked: free some disk space; dpkg-deb said: {said}")
                return
        _look_in_working_folder(new / "usr" / "bin" / "prometheus-alertmanager")
        new.rename(target)


def _download(folder: Path) -> str | None:
    """Download the packages into a folder, by the machine's package lists, else by lists of our own.

    A new machine, or a container, has no lists, and only root may fetch them: a copy in `folder` needs nobody's leave.

    Returns:
        None, or the line in which apt-get said why not.
    """
    lists, cache = folder / "lists", folder / "cache"
    for part in (lists, cache / "archives"):
        (part / "partial").mkdir(parents=True)
    apt = [_tool("apt-get"), "-q", f"--option=Dir::Cache={cache}", "--option=Acquire::Retries=1"]
    apt += ["--option=Acquire::http::Timeout=15"]
    own = [*apt, f"--option=Dir::State::Lists={lists}"]
    if _downloaded(folder, apt) is None:
        return None
    return _said(folder, [*own, "update"]) or _downloaded(folder, own)


def _downloaded(folder: Path, apt: list[str]) -> str | None:
    """Download the packages; None, or what apt-get said last when it failed."""
    if _said(folder, [*apt, "download", *_PACKAGES, _PROMTOOL]) is None:
        return None
    return _said(folder, [*apt, "download", *_PACKAGES])


def _said(folder: Path, command: list[str]) -> str | None:
    """Run apt-get; None, or what it said last when it failed."""
    apt = Child("apt-get", command, folder)
    return None if apt.wait(timeout=300) == 0 else apt.log_tail() or f"status {apt.returncode}"


def _look_in_working_folder(program: Path) -> None:
    """Make Debian's Alertmanager look for its templates in its working folder.

    The folder that is compiled in is overwritten with ``./././...`` of the same length, which names the working folder:
    a package manager that installs into a home folder does the same with paths of its programs. A program without that
    folder in it, such as Alertmanager's own build, stays as it is.
    """
    code = program.read_bytes()
    there = _TEMPLATES.encode()
    if there in code:
        program.write_bytes(code.replace(there, (b"./" * len(there))[: len(there)]))


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise StackError(f"{name} was not found: install Prometheus, so that `prometheus` is on PATH")
    return found
