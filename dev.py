"""Set up a fresh checkout and run it: `python3 dev.py demo` or `python3 dev.py test`. Needs Python 3.11 or newer, and pip.

Makes `.venv` from requirements.lock (hashes checked) when it is missing or the lock has changed, and then runs the
command in it. Each command has --help.

  demo      all of carewatch on this machine, with made-up events
  test      checks and tests; --all for the long ones too
  chaos     kill, freeze and restart workers and broker while events flow
  fuzz      a million hostile records
  clock     tests at other hours, days and zones
  pythons   unit tests on the other versions of Python
  bare      both commands on minimal Debian systems; needs root and debootstrap
  look      pictures of the dashboards in a running Grafana, for a release
  bench     the benchmark; makes an environment for its peers too
  setup     nothing but `.venv`

Every other command is carewatch's own: worker, simulate, replay, verify and so on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
#: The exit status after Ctrl-C.
INTERRUPTED = 130
PEERS_VENV = ROOT / "bench" / ".venv"
PEERS_LOCK = ROOT / "bench" / "requirements.lock"

#: What `test` checks before it runs pytest, in the order in which it fails fastest. Each is a command in the environment.
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports",),
    ("streams.schema", "--check"),
    ("carewatch", "dashboards", "check"),
)

TEST_HELP = """python3 dev.py test [--all | --rest] [OPTIONS OF PYTEST]

Static checks, then the unit, contract, rules and golden tests and the core of the integration tests on a real Apache
Kafka, {most} processes at a time: under five minutes on two cores.

  --all     the long tests too, which are marked `full`: chaos, a big file, pictures in a browser, whole stacks,
            the dashboards as Grafana draws them (these alone: python3 dev.py test tests/grafana -n 2)
  --rest    only these: what the plain command leaves out
  -h        this; pytest's own options: .venv/bin/pytest --help

Every other option goes to pytest. The static checks are left out then, and the tests run in one process unless -n says
how many. A file or test that is named runs, long or not. What this machine lacks is skipped, and the reason says what
to install.

examples: python3 dev.py test
          python3 dev.py test -k replay
          python3 dev.py test --all -n 4 -k board
          python3 dev.py test tests/integration/test_chaos.py"""

#: Commands that are no tests and no part of carewatch: modules, each with its own --help.
TOOLS = {
    "bare": "tests.bare",
    "bench": "bench",
    "chaos": "tests.chaos",
    "clock": "tests.clock",
    "fuzz": "tests.fuzz",
    "look": "tests.look",
    "pythons": "tests.pythons",
}

#: Most of a test's time is waiting: for a broker, a session to end, a scrape. So more processes than cores pay.
PROCESSES = min(8, 2 * (os.cpu_count() or 2))
#: A file's tests stay together, for they share workers; files are begun in the order of collection, slow ones first.
PARALLEL = ("--dist", "loadfile", "--no-loadscope-reorder")


def main(argv: list[str]) -> int:
    """Run `test`, `setup` or a tool such as `bench`, or a command of carewatch such as `demo`; the exit status."""
    if not argv or argv[0] in ("-h", "--help"):
        text = f"{__doc__}\nexamples: python3 dev.py demo\n          python3 dev.py test -k replay"
        print(text, file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    if sys.version_info < (3, 11):  # noqa: UP036  # the project's minimum, but whoever runs this may have another
        print(f"carewatch needs Python 3.11 or newer, this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    command, *rest = argv
    if command == "bare":  # it shows what machines without our environment do, and needs none itself
        os.chdir(ROOT)
        return os.execv(sys.executable, [sys.executable, "-m", TOOLS[command], *rest])
    if command == "test" and {"-h", "--help"} & set(rest):
        print(TEST_HELP.format(most=PROCESSES))
        return 0
    if not python(VENV).exists() and importlib.util.find_spec("ensurepip") is None:  # in Debian a package of its own
        print("this Python cannot make virtual environments: apt-get install python3-venv", file=sys.stderr)
        return 2
    try:
        set_up()
        if command == "setup":
            return 0
        if command == "test":
            return test(rest)
        if command == "bench" and not {"-h", "--help"} & set(rest):
            environment(PEERS_VENV, PEERS_LOCK)
    except KeyboardInterrupt:
        return INTERRUPTED  # whoever pressed Ctrl-C knows why
    except subprocess.CalledProcessError as error:  # it has said why
        print(
            f"setting up failed (status {error.returncode}): check network and disk, and run it again", file=sys.stderr
        )
        return 2
    if command in TOOLS:
        os.chdir(ROOT)
        program = [str(python(VENV)), "-m", TOOLS[command]]
    else:  # where its user is: files and folders are given from there
        program = [*script("carewatch"), command]
    # not a child: Ctrl-C and SIGTERM must reach the command itself, which ends what it started
    return os.execv(program[0], [*program, *rest])


def set_up() -> None:
    """Make the virtual environment, or bring it up to the lock."""
    environment(VENV, LOCK, project=True)


def environment(folder: Path, lock: Path, *, project: bool = False, interpreter: str = sys.executable) -> None:
    """Make a virtual environment with what a lock names, and the project if asked, or bring it up to the lock."""
    stamp = folder / "carewatch.stamp"
    wanted = lock.read_bytes() + ((ROOT / "pyproject.toml").read_bytes() if project else b"")
    digest = hashlib.sha256(wanted).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    print(f"setting up {folder.relative_to(ROOT)} (once; a minute or two)", file=sys.stderr, flush=True)
    if not python(folder).exists():
        subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
    pip = [str(python(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
    if project:
        subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], check=True)
    stamp.write_text(digest)


def python(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def test(options: list[str]) -> int:
    """All checks and tests, or with options only pytest with these; see TEST_HELP. The exit status."""
    wanted = [option for option in ("--all", "--rest") if option in options]
    if len(wanted) > 1:
        print("give --all or --rest, not both", file=sys.stderr)
        return 2
    options = [option for option in options if option not in wanted]
    steps = [] if options or "--rest" in wanted else list(CHECKS)
    for module, *arguments in [*steps, *(("pytest", *run) for run in pytest_runs(options, *wanted))]:
        print(f"--- {module} {' '.join(arguments)}", flush=True)
        if status := run(module, *arguments):
            return status
    return 0


def pytest_runs(options: list[str], which: str = "") -> list[list[str]]:
    """The options of each run of pytest: which tests, in how many processes, then what the caller gave, which wins.

    Long tests that measure a time, or have to end in one, run after the others and one by one, or they would measure the others.
    """
    if options:
        named = any((ROOT / option.partition("::")[0]).exists() for option in options)
        chosen: dict[str, list[str]] = {"--all": [], "--rest": ["-m", "full"]}
        return [[*chosen.get(which, [] if named else ["-m", "not full"]), *parallel(options), *options]]
    if not which:
        return [["-m", "not full", *parallel(options)]]
    together = {"--all": "not alone", "--rest": "full and not alone"}[which]
    return [["-m", together, *parallel(options)], ["-m", "alone"]]


def parallel(options: list[str]) -> list[str]:
    """The options of pytest for tests in parallel, unless its caller gave some and no -n among them."""
    if not options:
        return ["-n", str(PROCESSES), *PARALLEL]
    return [*PARALLEL] if any(option.startswith(("-n", "--numprocesses")) for option in options) else []


def run(module: str, *arguments: str) -> int:
    """Run a module of the virtual environment; its exit status."""
    return call([*script(module), *arguments])


def call(command: list[str]) -> int:
    """Run a command; its exit status. Ctrl-C ends it, and it ends what it started."""
    interrupted = False
    with subprocess.Popen(command, cwd=ROOT) as process:
        while True:
            try:
                status = process.wait()
            except KeyboardInterrupt:  # it got the signal too
                interrupted = True
            else:
                return INTERRUPTED if interrupted else status


def script(module: str) -> list[str]:
    """How a module is started: by its script, or else by name."""
    own = python(VENV).with_name(module)
    return [str(own)] if own.exists() else [str(python(VENV)), "-m", module]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
