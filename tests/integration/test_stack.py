"""The compose file and the image, as far as they go without a container engine.

The image's own build steps run in a fresh place, read from the Dockerfile. Each service's own command then runs on this
machine with the files that it mounts, in the environment that the compose file gives it; service names become addresses on
loopback. Kafka is set up by the code with which its image sets it up. Not run here: Grafana, whose server comes as an image
only, and the engine's own part (limits, capabilities, networks).

`CAREWATCH_REQUIRE_COMPOSE=1` fails where the compose file would go unchecked for want of Docker Compose.
"""

from __future__ import annotations

import fnmatch
import functools
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import pytest
import yaml

from carewatch.native.kafka import has_brokers, kafka_libs
from carewatch.native.process import Child, free_port, wait_for
from carewatch.scrape import scrape
from tests.integration.harness import eventually, require_kafka, require_prometheus, total, unless
from tests.rules.tools import run

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.full]

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PASSWORD = {"GRAFANA_ADMIN_PASSWORD": "made-up"}
#: The image's user, where the tests may become it.
USER = 10001 if os.geteuid() == 0 else None


# --- docker compose ---------------------------------------------------------------------------------------------


def compose(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Docker Compose on the shipped file, with these variables and no others."""
    return _compose(arguments, tuple(sorted(variables.items())))


@functools.cache
def _compose(arguments: Sequence[str], variables: tuple[tuple[str, str], ...]) -> subprocess.CompletedProcess[str]:
    text = (ROOT / "docker-compose.yml").read_text()
    command = _compose_command()
    if command is None:
        unless(
            "no Docker Compose here; on Debian: apt-get install docker-compose",
            required=os.environ.get("CAREWATCH_REQUIRE_COMPOSE") == "1",
        )
        raise AssertionError
    if command == ["docker-compose"]:  # Debian's is of 2021 and has all that we use but the project's name
        text = re.sub(r"^name: .*$", "", text, flags=re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:  # not the checkout: it may have an .env
        file = Path(folder) / "docker-compose.yml"
        file.write_text(text)
        argv = [*command, "--project-directory", folder, "-f", str(file), *arguments]
        env = {"PATH": os.environ["PATH"], "HOME": folder, **dict(variables)}
        return subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def _compose_command() -> list[str] | None:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            said = subprocess.run([*command, "version"], capture_output=True, text=True, check=False)
            if said.returncode == 0 and "ompose version" in said.stdout:
                return command
    return None


def services(**variables: str) -> dict[str, Any]:
    """The services as Compose understands them."""
    done = compose("--profile", "demo", "config", **PASSWORD, **variables)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return found


def hosts(service: dict[str, Any]) -> set[str]:
    """The addresses of this machine on which a service's ports are."""
    ports = service.get("ports", [])
    return {port["host_ip"] if isinstance(port, dict) else port.split(":")[0] for port in ports}


@pytest.mark.parametrize("variables", [{}, {"GRAFANA_ADMIN_PASSWORD": ""}], ids=["unset", "empty"])
def test_without_a_password_nothing_starts(variables: dict[str, str]) -> None:
    done = compose("config", "-q", **variables)
    assert done.returncode != 0
    assert "set GRAFANA_ADMIN_PASSWORD in .env" in done.stderr


def test_compose_takes_the_file_and_opens_nothing_beyond_loopback() -> None:
    found = services()
    assert set(found) == {"kafka", "topics", "worker", "simulator", "prometheus", "alertmanager", "grafana"}
    assert set.union(*map(hosts, found.values())) == {"127.0.0.1"}


def test_an_address_is_opened_by_choice_and_alone() -> None:
    opened = {name for name, service in services(GRAFANA_BIND="0.0.0.0").items() if "0.0.0.0" in hosts(service)}
    assert opened == {"grafana"}


# --- the image --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Image:
    """What the Dockerfile makes, in a folder that other users can read."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "opt" / "carewatch" / "bin"

    def start(self, name: str, argv: Sequence[str], env: dict[str, str], logs: Path, cwd: Path) -> Child:
        """Start a command as the image would: its user, its PATH, a folder that it cannot write."""
        become = [] if USER is None else ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        script = f'cd "{cwd}" && exec "$0" "$@"'
        shell = shutil.which("sh")
        assert shell
        return Child(name, [shell, "-c", script, *(become or ["env"]), *argv], logs, self.env() | env)

    def env(self) -> dict[str, str]:
        """The environment that the Dockerfile sets."""
        return {"PATH": f"{self.bin}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The build stage's steps, with the image's paths below a folder of our own."""
    with tempfile.TemporaryDirectory(prefix="carewatch-image-") as temp:
        folder = Path(temp)
        folder.chmod(0o755)
        uv = shutil.which("uv", path=str(Path(sys.executable).parent))
        assert uv, "uv is among the developers' packages"
        build = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[-2]
        steps = re.findall(r"^RUN (.*?[^\\])$", build, re.MULTILINE | re.DOTALL)
        assert len(steps) == 2
        _copy_context(folder / "src")
        env = {**os.environ, "PATH": f"{Path(uv).parent}:{os.environ['PATH']}", "UV_PYTHON": sys.executable}
        env.pop("VIRTUAL_ENV", None)
        for step in steps:
            own = re.sub(r"(?<![\w/])/(opt/carewatch|dist)", rf"{folder}/\1", step)
            done = subprocess.run(
                ["bash", "-ec", own],
                cwd=folder / "src",
                env=env,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        shutil.rmtree(folder / "src")  # the final stage does not have it
        yield Image(folder)


def _copy_context(to: Path) -> None:
    """What the engine sends to the build: the files of the checkout that .dockerignore lets through."""
    lines = [x for x in (ROOT / ".dockerignore").read_text().splitlines() if x and not x.startswith("#")]
    assert lines[0] == "*"
    dropped = [line.removeprefix("**/") for line in lines if line.startswith("**/")]

    def ignore(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in dropped)]

    to.mkdir()
    for line in lines:
        source, target = ROOT / line[1:], to / line[1:]
        if line.startswith("!") and source.is_dir():
            shutil.copytree(source, target, ignore=ignore)
        elif line.startswith("!"):
            shutil.copy(source, target)


def test_the_image_has_what_the_lock_says_and_no_developers_tools(image: Image) -> None:
    done = subprocess.run(
        [
            image.bin / "python",
            "-c",
            "import importlib.metadata as m, json; print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    installed = json.loads(done.stdout)
    own = installed.pop("carewatch")
    locked = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    names = {re.sub(r"[-_.]+", "-", name): version for name, version in installed.items()}
    assert {name: locked.get(name) for name in names} == names
    assert {"faust-streaming", "grafana-api", "msgspec"} < set(names)
    assert not {"pytest", "mypy", "uv", "hatchling", "pip"} & set(names)
    said = run(image.bin / "carewatch", "--version")
    assert said.strip() == f"carewatch {own}"
    assert "example: carewatch demo" in run(image.bin / "carewatch", "--help")


def test_the_image_brings_what_its_commands_read(image: Image) -> None:
    (site,) = (image.folder / "opt" / "carewatch" / "lib").glob("python3.*/site-packages")
    for packages in ("programs", "feeds", "dashboards"):
        shipped = {
            file.relative_to(ROOT) for file in (ROOT / packages).rglob("*") if file.suffix in {".toml", ".yml", ".json"}
        }
        assert not {str(file) for file in shipped if not (site / file).is_file()}
    assert len(list((site / "programs").glob("*.toml"))) == len(list((ROOT / "programs").glob("*.toml")))


# --- the services -----------------------------------------------------------------------------------------------


class Stack:
    """The services as processes; leaving it ends them."""

    def __init__(self, image: Image, folder: Path) -> None:
        self.image = image
        self.logs = folder
        self.services = services(CAREWATCH_API_TOKEN="cLPv7hXQ2fZ0nWkR9sTuYg")
        self.ports = {name: free_port() for name in ("kafka", "outside", "controller", "prometheus", "alertmanager")}
        self.workers: list[tuple[Child, int]] = []
        self._stack = ExitStack()
        self.closed = folder / "closed"  # a working directory in which nothing can be written
        self.closed.mkdir()
        self.closed.chmod(0o555)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def keep(self, child: Child) -> Child:
        self._stack.callback(child.stop)
        return child

    # --- Kafka

    def kafka(self) -> Child:
        """Set up as the image does it: the compose file's environment, and the code that the image runs."""
        env: dict[str, str] = {key: str(value) for key, value in self.services["kafka"]["environment"].items()}
        assert env["KAFKA_LOG_DIRS"] == "/var/lib/kafka/data"
        env |= {"KAFKA_LOG_DIRS": str(self.logs / "kafka-data"), "PATH": os.environ["PATH"]}
        places = {"29093": "controller", "19092": "kafka", "9092": "outside"}
        for key, value in env.items():
            if key.startswith("KAFKA_") and ("LISTENERS" in key or "VOTERS" in key):
                near = re.sub(r"(?<=[@/])(kafka|localhost)?:", "127.0.0.1:", value)
                env[key] = re.sub(r"(?<=:)\d+", lambda found: str(self.ports[places[found[0]]]), near)
        folders = {name: self.logs / f"kafka-{name}" for name in ("default", "mounted", "final")}
        for folder in folders.values():
            folder.mkdir()
        # the image's default does not go with a list of voters: the environment has to replace it, not add to it
        (folders["default"] / "server.properties").write_text("controller.quorum.bootstrap.servers=127.0.0.1:1\n")
        log4j = {"Configuration": {"Loggers": {"Root": {"level": "warn"}, "Logger": []}, "Appenders": {}}}
        for name in ("log4j2.yaml", "tools-log4j2.yaml"):
            (folders["default"] / name).write_text(yaml.safe_dump(log4j))
        java = shutil.which("java")
        assert java
        start = [java, *env["KAFKA_HEAP_OPTS"].split(), "-cp", f"{kafka_libs()}/*"]
        options = [part for name, folder in folders.items() for part in (f"--{name}-configs-dir", str(folder))]
        setup = Child("kafka-setup", [*start, "kafka.docker.KafkaDockerWrapper", "setup", *options], self.logs, env)
        assert setup.wait(timeout=60) == 0, setup.log_tail(5)
        command = [*start, "kafka.Kafka", str(folders["final"] / "server.properties")]
        kafka = self.keep(Child("kafka", command, self.logs, env))
        wait_for(lambda: has_brokers(f"127.0.0.1:{self.ports['kafka']}"), 60, "Kafka to answer", kafka)
        assert has_brokers(f"127.0.0.1:{self.ports['outside']}"), "the listener for feeds"
        return kafka

    # --- the image's commands

    def command(self, name: str) -> list[str]:
        """The service's command, else the image's, with names of services as addresses."""
        argv = self.services[name].get("command") or json.loads(
            re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[-1]
        )
        (entry,) = json.loads(re.findall(r"^ENTRYPOINT (\[.*\])$", DOCKERFILE, re.MULTILINE)[-1])
        return [str(self.image.bin / entry), *(self._near(part) for part in argv)]

    def environment(self, name: str) -> dict[str, str]:
        """The service's environment; what it mounts is where it comes from."""
        env = {key: self._near(str(value)) for key, value in self.services[name]["environment"].items()}
        assert env["CAREWATCH_PROGRAMS"] == "/programs"
        (mount,) = self.services[name]["volumes"]
        source = mount["source"] if isinstance(mount, dict) else mount.split(":")[0]
        assert Path(source).name == "programs"
        return env | {"CAREWATCH_PROGRAMS": str(_readable(self.logs))}

    def _near(self, text: str) -> str:
        return text.replace("kafka:19092", f"127.0.0.1:{self.ports['kafka']}")

    def run(self, name: str) -> Child:
        return self.keep(self.image.start(name, self.command(name), self.environment(name), self.logs, self.closed))

    def worker(self) -> tuple[Child, int]:
        """One more worker, on a port of its own instead of a container of its own."""
        port = free_port()
        argv = [{"0.0.0.0": "127.0.0.1", "6066": str(port)}.get(part, part) for part in self.command("worker")]
        name = f"worker-{len(self.workers)}"
        child = self.image.start(name, argv, self.environment("worker"), self.logs, self.closed)
        self.workers.append((self.keep(child), port))
        return self.workers[-1]

    # --- Prometheus and Alertmanager

    def server(self, name: str, program: Path, config: Path, inside: str, data: str) -> Child:
        """Run a server with the options of its service; the paths of the container are those of this machine."""
        options = []
        for option in self.services[name]["command"]:
            if option.startswith("--config.file="):
                assert option.endswith(f"/{inside}")
                option = f"--config.file={config}"
            options.append(re.sub(rf"={data}$", f"={self.logs / name}-data", option))
        listen = f"--web.listen-address=127.0.0.1:{self.ports[name]}"
        return self.keep(Child(name, [str(program), *options, listen], self.logs))

    def healthy(self, name: str, tool: Path) -> bool:
        """Whether the service's health check says so."""
        kind, own, *arguments = self.services[name]["healthcheck"]["test"]
        assert (kind, own) == ("CMD", tool.name)
        port = {"prometheus": "9090", "alertmanager": "9093"}[name]
        command = [
            str(tool),
            *(part.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.ports[name]}") for part in arguments),
        ]
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0

    def query(self, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["prometheus"], timeout=10)
        try:
            connection.request("GET", f"/api/v1/{path}")
            return json.loads(connection.getresponse().read())["data"]
        finally:
            connection.close()


def _readable(folder: Path) -> Path:
    """The shipped programs where the image's user can read them."""
    copy = folder / "programs"
    if not copy.exists():
        shutil.copytree(ROOT / "programs", copy)
    return copy


@pytest.fixture(scope="module")
def stack(image: Image) -> Iterator[Stack]:
    require_kafka()
    with tempfile.TemporaryDirectory(prefix="carewatch-stack-") as temp:
        Path(temp).chmod(0o755)
        with Stack(image, Path(temp)) as stack:
            stack.kafka()
            yield stack


def test_the_topics_are_made_once_and_then_checked(stack: Stack) -> None:
    for word in ("created", "ok"):
        child = stack.run("topics")
        assert child.wait(timeout=60) == 0, child.log_tail(5)
        assert [line.rsplit(" ", 1)[1] for line in child.log.read_text().splitlines()[-5:]] == [word] * 5


def health(stack: Stack, port: int) -> int:
    """The exit status of the image's health check."""
    found = re.search(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found
    python, *arguments = json.loads(found[1])
    command = [str(stack.image.bin / python), *(part.replace("6066", str(port)) for part in arguments)]
    env = stack.image.env() | {"http_proxy": "http://127.0.0.1:1"}  # an engine may set one in every container
    return subprocess.run(command, env=env, capture_output=True, timeout=20, check=False).returncode


def test_workers_share_made_up_events_and_prometheus_finds_them(stack: Stack) -> None:
    found = require_prometheus()
    programs = [found.prometheus, found.promtool, found.alertmanager, found.amtool]
    prometheus_server, promtool, alertmanager_server, amtool = (path for path in programs if path)
    workers = [stack.worker(), stack.worker()]
    simulator = stack.run("simulator")

    def received() -> float:
        for child in (simulator, *(child for child, _ in workers)):
            assert child.alive, child.log_tail(5)
        try:
            numbers = {key: n for _, port in workers for key, n in scrape(f"http://127.0.0.1:{port}").numbers.items()}
            return total(numbers, "care_calls_received_total", program="chicago")
        except (OSError, ValueError, AssertionError):
            return 0

    assert eventually(received, "calls of Chicago", timeout=90, every=0.5)
    assert [health(stack, port) for _, port in workers] == [0, 0]
    if USER is not None:
        assert {
            int(Path(f"/proc/{child.pid}/status").read_text().split("Uid:")[1].split()[0]) for child, _ in workers
        } == {USER}

    # Alertmanager and Prometheus: their own options, the mounted files with addresses in place of names
    mounted = ROOT / "dashboards"
    alertmanager = stack.server(
        "alertmanager",
        alertmanager_server,
        mounted / "alertmanager" / "alertmanager.yml",
        "alertmanager.yml",
        "/alertmanager",
    )
    config = yaml.safe_load((mounted / "prometheus" / "compose.yml").read_text())
    config["rule_files"] = [str(mounted / "prometheus" / file) for file in config["rule_files"]]
    (job,) = config["scrape_configs"]
    assert job.pop("dns_sd_configs")[0]["names"] == ["worker"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for _, port in workers]}]
    (named,) = config["alerting"]["alertmanagers"][0]["static_configs"]
    named["targets"] = [
        text.replace("alertmanager:9093", f"127.0.0.1:{stack.ports['alertmanager']}") for text in named["targets"]
    ]
    written = stack.logs / "compose.yml"
    written.write_text(yaml.safe_dump(config))
    prometheus = stack.server("prometheus", prometheus_server, written, "compose.yml", "/prometheus")
    wait_for(lambda: stack.healthy("prometheus", promtool), 30, "Prometheus to be healthy", prometheus)
    wait_for(lambda: stack.healthy("alertmanager", amtool), 30, "Alertmanager to be healthy", alertmanager)

    def up() -> bool:
        found = stack.query("query?query=" + quote('count(up{job="carewatch"} == 1)'))["result"]
        return bool(found) and found[0]["value"][1] == "2"

    eventually(up, "both workers to be scraped", timeout=30, every=0.5)
    assert len(stack.query("alertmanagers")["activeAlertmanagers"]) == 1
    rules = [rule["name"] for group in stack.query("rules")["groups"] for rule in group["rules"]]
    assert "Watchdog" in rules

    # the checks see an end, and the worker takes the signal that `docker compose stop` sends
    child, port = workers[0]
    os.kill(child.pid, signal.SIGTERM)
    assert child.wait(timeout=30) == 0
    assert health(stack, port) != 0
    prometheus.stop()
    assert not stack.healthy("prometheus", promtool)
    alertmanager.stop()
    assert not stack.healthy("alertmanager", amtool)


@pytest.mark.parametrize("name", ["compose.yml", "prometheus.yml"])
def test_promtool_takes_the_mounted_configuration(name: str) -> None:
    binaries = require_prometheus()
    said = run(binaries.promtool, "check", "config", ROOT / "dashboards" / "prometheus" / name)
    assert "rules found" in said


def test_amtool_takes_the_mounted_configuration() -> None:
    binaries = require_prometheus()
    said = run(binaries.amtool, "check-config", ROOT / "dashboards" / "alertmanager" / "alertmanager.yml")
    assert "SUCCESS" in said
