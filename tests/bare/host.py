"""The host's part: minimal Debian systems in the cache, with what the host itself needs to reach its package mirrors.

It runs without the project's environment, in which alone `carewatch` can be imported: so it finds the cache folder and
holds its locks by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: All that a machine has to have, by the README.
PACKAGES = ("python3", "python3-pip", "python3-venv")
JAVA = {"bookworm": ("openjdk-17-jre-headless", "maven"), "trixie": ("openjdk-21-jre-headless", "maven")}
#: Variables that lead to package mirrors: proxies, certificates, pip's own.
_PASSED = re.compile(r"(?i)(https?|ftp|all|no)_proxy|PIP_\w+|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE")
#: Kept by the host, not by a machine of its own: where pip keeps packages.
_NOT_PASSED = ("PIP_CACHE_DIR", "PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER")
_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_FILES = ("/etc/resolv.conf", "/etc/pip.conf")
_APT = re.compile(r'^Acquire::.*(proxy|cainfo|verify|retries|timeout).*"[^"]*";$', re.IGNORECASE)


class HostError(Exception):
    """A system cannot be made. The message says why, in one line."""


def unfit() -> str | None:
    """Why no bare machine can be made here, and what to do; None if one can."""
    if os.geteuid() != 0:
        return "bare machines are made as root: sudo python3 dev.py bare"
    missing = [name for name in ("debootstrap", "unshare", "chroot", "mount", "git") if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}; apt-get install debootstrap util-linux git"
    tried = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    if tried.returncode != 0:
        return "this system lets root make no namespaces; in a container add --cap-add SYS_ADMIN"
    return None


def cache() -> Path:
    """Where the systems and their downloads are."""
    folder = Path(os.environ.get("CAREWATCH_CACHE") or Path.home() / ".cache" / "carewatch").absolute() / "bare"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def environment() -> Mapping[str, str]:
    """The host's variables for reaching mirrors. Those that name a file are for `settle` to copy."""
    found = {}
    for name, value in os.environ.items():
        if not _PASSED.fullmatch(name) or name in _NOT_PASSED:
            continue
        if value.startswith("/") and not Path(value).is_file():
            continue  # a folder of the host: such as one of wheels
        found[name] = value
    return found


def base(suite: str, java: bool, *, log: Path) -> Path:
    """The kept system of a suite, made if it is not there. Safe when several processes call it at once."""
    target = _kept(suite, java)
    with _locked(target.with_name(target.name + ".lock")):
        if target.exists():
            return target
        plain = base(suite, False, log=log) if java else None
        new = target.with_name(f".{target.name}-{os.getpid()}")
        print(f"making {target.name} (once)", flush=True)
        try:
            if plain is None:
                _do(["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, str(new)], log)
                settle(new, log)
            else:
                copy(plain, new)
                with mounted(new):
                    _do([*_inside(new), "apt-get", "update", "-qq"], log)
                    _do([*_inside(new), "apt-get", "install", "-qq", "--no-install-recommends", *JAVA[suite]], log)
                    _do([*_inside(new), "apt-get", "clean"], log)
            new.rename(target)  # only a whole one
        finally:
            if new.exists():
                shutil.rmtree(new)
    return target


def forget(suite: str) -> None:
    """Remove the kept systems of a suite."""
    for java in (False, True):
        target = _kept(suite, java)
        with _locked(target.with_name(target.name + ".lock")):
            if target.exists():
                shutil.rmtree(target)


def _kept(suite: str, java: bool) -> Path:
    return cache() / f"{suite}-{'java' if java else 'plain'}"


def settle(root: Path, log: Path) -> None:
    """Give a new system what every machine has from its installer, and this host's way to the mirrors."""
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    wanted = [*_FILES, *(value for value in environment().values() if value.startswith("/"))]
    for name in wanted:
        if Path(name).is_file() and not (root / name[1:]).is_file():
            (root / name[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, root / name[1:])
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    if _CERTIFICATES.is_dir():
        shutil.copytree(_CERTIFICATES, root / str(_CERTIFICATES)[1:], dirs_exist_ok=True)
        _do(["chroot", str(root), "update-ca-certificates"], log)
    dump = (
        subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
        if shutil.which("apt-config")
        else None
    )
    lines = [line for line in (dump.stdout if dump else "").splitlines() if _APT.match(line)]
    (root / "etc/apt/apt.conf.d/99host").write_text("".join(f"{line}\n" for line in lines))
    _do(["chroot", str(root), "useradd", "--create-home", "--shell", "/bin/bash", "care"], log)


def copy(source: Path, target: Path) -> None:
    """A copy of a whole system, with owners and times."""
    _do(["cp", "-a", "--reflink=auto", f"{source}/.", str(target)], None)


@contextlib.contextmanager
def mounted(root: Path) -> Iterator[None]:
    """What the configuration of some packages asks for: /proc."""
    _do(["mount", "-t", "proc", "proc", str(root / "proc")], None)
    try:
        yield
    finally:
        _do(["umount", str(root / "proc")], None)


def checkout(target: Path) -> None:
    """Copy the project as git has it here, with what was changed and not committed."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        raise HostError(f"{ROOT} is no checkout: {listed.stderr.decode().strip()}")
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)


def _inside(root: Path) -> Sequence[str]:
    return ("chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive")


def _do(command: Sequence[str], log: Path | None) -> None:
    done = subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if log:
        with log.open("a") as file:
            file.write(f"$ {' '.join(command)}\n{done.stdout}")
    if done.returncode != 0:
        said = (done.stdout.strip().splitlines() or ["nothing"])[-1]
        raise HostError(f"{command[0]} ended with {done.returncode}; it said: {said}")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
