"""The compose file, the image and what they mount: what must hold of them as they are written.

`tests/integration/test_stack.py` runs what they say.
"""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from carewatch.native.kafka import kafka_version
from carewatch.native.prometheus import RULE_OPTIONS

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
TEXT = COMPOSE_FILE.read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
#: `${NAME}`, `${NAME:-default}`, `${NAME:?message}`
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
LOCKED = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))

#: Where the tools of the virtual environment are.
BIN = str(Path(sys.executable).parent)

services = pytest.mark.parametrize("name", SERVICES)


def by_default(text: str) -> str:
    """A text with the default of each variable."""
    return VARIABLE.sub(lambda found: found[3] if found[2] == "-" else "", text)


def config(path: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "dashboards" / path).read_text())
    return loaded


def test_the_compose_file_is_of_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_dockerfile_has_no_lint() -> None:
    hadolint = shutil.which("hadolint", path=BIN) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint's package is for Linux on x86-64; elsewhere install hadolint")
    done = subprocess.run([hadolint, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@services
def test_an_image_is_pinned_to_a_full_version(name: str) -> None:
    tag = by_default(SERVICES[name]["image"]).rpartition(":")[2]
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag)


def test_the_versions_are_those_that_are_tested_or_locked() -> None:
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"
    assert by_default(SERVICES["worker"]["image"]) == f"carewatch:{own}"
    assert f"ARG UV={LOCKED['uv']}\n" in DOCKERFILE
    assert re.search(r"^ARG PYTHON=3\.11\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)


@services
def test_a_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only") or name == "kafka", "kafka writes its own configuration at the start"
    assert not {"privileged", "pid", "network_mode", "devices", "user", "container_name"} & set(service)
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["logging"]["options"]["max-size"]
    once = {"topics": "on-failure:3", "simulator": "no"}
    assert service["restart"] == once.get(name, "unless-stopped")


@services
def test_a_service_has_a_health_check(name: str) -> None:
    check = SERVICES[name].get("healthcheck")
    if name in {"topics", "simulator"}:
        assert check == {"disable": True}, "the image's check asks for a worker"
    elif name == "worker":
        assert check is None, "the image's"
        assert re.search(r"^HEALTHCHECK .*--timeout=\d+s .*\\\n +CMD \[\"python\"", DOCKERFILE, re.MULTILINE)
    else:
        assert check
        assert check["test"][0] in {"CMD", "CMD-SHELL"}
        assert {"interval", "timeout", "start_period", "retries"} < set(check)


@services
def test_a_port_is_on_loopback_unless_chosen(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        bind, default, published, _ = re.fullmatch(r"\$\{(\w+):-([^}]+)\}:([\d-]+):(\d+)", port).groups()  # type: ignore[union-attr]  # a failed match fails the test
        assert default == "127.0.0.1"
        assert f"#{bind}=127.0.0.1\n" in EXAMPLE
        assert ("-" in published) == (name == "worker"), "several workers need several ports"


def test_a_password_has_to_be_given_and_nobody_comes_in_without() -> None:
    grafana = SERVICES["grafana"]["environment"]
    assert re.fullmatch(r"\$\{GRAFANA_ADMIN_PASSWORD:\?.+\}", grafana["GF_SECURITY_ADMIN_PASSWORD"])
    assert grafana["GF_AUTH_ANONYMOUS_ENABLED"] == grafana["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert "\nGRAFANA_ADMIN_PASSWORD=\n" in EXAMPLE, "the example has none either"
    assert SERVICES["worker"]["environment"]["CAREWATCH_API_TOKEN"] == "${CAREWATCH_API_TOKEN:-}"
    assert [name for name, service in SERVICES.items() if "CAREWATCH_API_TOKEN" in str(service)] == ["worker"]


def test_every_variable_is_in_the_example_with_its_default() -> None:
    used = {name: default if kind == "-" else "" for name, kind, default in VARIABLE.findall(TEXT)}
    shown = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert shown == used


@services
def test_a_mount_is_there_and_read_only_a_volume_is_named(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source, *target = by_default(mount).split(":")
        if source.startswith("./"):
            assert target[1:] == ["ro"]
            assert (ROOT / source).is_dir()
        else:
            assert source in COMPOSE["volumes"]


@services
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    for other, wanted in SERVICES[name].get("depends_on", {}).items():
        done = "service_completed_successfully" if other == "topics" else "service_healthy"
        assert wanted == {"condition": done}
        assert set(SERVICES[other]["networks"]) & set(SERVICES[name]["networks"])


def test_the_simulator_is_only_for_a_demo() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"simulator"}
    assert SERVICES["simulator"]["profiles"] == ["demo"]


def test_one_broker_holds_one_copy_and_makes_no_topics_by_itself() -> None:
    kafka = SERVICES["kafka"]["environment"]
    copies = {value for key, value in kafka.items() if key.endswith(("REPLICATION_FACTOR", "MIN_ISR"))}
    assert copies == {1}
    assert "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR" in kafka, "a worker claims with transactional ids"
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    data = next(mount for mount in SERVICES["kafka"]["volumes"] if mount.startswith("kafka-data:"))
    assert data == f"kafka-data:{kafka['KAFKA_LOG_DIRS']}", "what is kept is on the volume"


def test_prometheus_differs_from_the_native_one_in_addresses_only() -> None:
    native, compose = config("prometheus/prometheus.yml"), config("prometheus/compose.yml")
    addresses = compose["scrape_configs"][0].pop("dns_sd_configs")
    assert [(one["names"], one["port"]) for one in addresses] == [(["worker"], 6066)]
    assert set(addresses[0]["names"]) <= set(SERVICES)
    assert compose["alerting"]["alertmanagers"][0].pop("static_configs") == [{"targets": ["alertmanager:9093"]}]
    del native["scrape_configs"][0]["static_configs"], native["alerting"]["alertmanagers"][0]["static_configs"]
    assert compose == native


def test_prometheus_treats_alerts_as_the_native_one_does() -> None:
    assert set(RULE_OPTIONS) <= set(SERVICES["prometheus"]["command"])


def test_grafana_finds_what_is_mounted() -> None:
    mounts = dict(by_default(mount).split(":")[:2] for mount in SERVICES["grafana"]["volumes"])
    provisioning = config("grafana/provisioning/dashboards/carewatch.yml")
    (provider,) = provisioning["providers"]
    assert mounts["./dashboards/grafana/dashboards"] == provider["options"]["path"]
    (source,) = config("grafana/provisioning/datasources/carewatch.yml")["datasources"]
    assert source["url"] == "$PROMETHEUS_URL"
    assert SERVICES["grafana"]["environment"]["PROMETHEUS_URL"] == "http://prometheus:9090"


def test_the_image_is_locked_not_root_and_without_a_compiler() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    build, final = stages[-2:]
    assert [stage.split()[0] for stage in stages] == ["ghcr.io/astral-sh/uv:${UV}", *["python:${PYTHON}"] * 2]
    for line in re.findall(r"uv (?:pip install|build) .*?[^\\]\n", build, re.DOTALL):
        assert "--no-deps /dist/" in line or ("--require-hashes" in line and "requirements.lock" in line)
    assert re.search(r"^USER (\d+):\1$", final, re.MULTILINE)
    assert not re.search(r"^RUN|apt-get|pip install", final, re.MULTILINE)
    assert 'CMD ["worker", "--web-host", "0.0.0.0", "--web-port", "6066"]' in final


@pytest.mark.parametrize("secret", [".env", ".git", ".venv", "dashboards/.env", "node_modules", "tests", "docs"])
def test_the_image_is_made_of_listed_folders(secret: str) -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    kept = [line[1:] for line in lines if line.startswith("!")]
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(packages["packages"]) | set(packages["force-include"]) < set(kept)
    if "/" in secret:
        assert any(fnmatch.fnmatch(secret, pattern) for pattern in lines if pattern.startswith("**"))
    else:
        assert secret not in kept
