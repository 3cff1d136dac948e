"""The commands of the documents, run in bash as they are printed, with the checkout's environment on PATH.

They name the default ports (9092, 6066, 9090, 9093), so they run in a network of their own, where these are free.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from carewatch.native.kafka import kafka_version
from carewatch.native.process import cache_dir, locked
from tests.docs import ROOT, RUN, Block, blocks
from tests.integration.harness import require_kafka, require_prometheus, unless

pytestmark = [pytest.mark.integration, pytest.mark.full]

TOKEN = "cLPv7hXQ2fZ0nWkR9sTuYg"  # a made-up one
#: Seconds that a block may take.
WITHIN = 300
#: Kafka's own commands, as its distribution has them; the jars come by Maven.
TOOLS = {
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-get-offsets.sh": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-configs.sh": "org.apache.kafka.tools.ConfigCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
}
LOOPBACK = """
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 1 | 64))  # SIOCSIFFLAGS: up and running
"""
KAFKA = """
carewatch broker --data kafka-data &
carewatch topics create --wait 60
"""
#: One partition: a runbook looks into the first, and all programs should be there. It waits for what comes, so some comes.
WORKER = f"""
export CAREWATCH_PARTITIONS=1 CAREWATCH_API_TOKEN={TOKEN}
{KAFKA}
carewatch simulate chicago cambridge seattle --days 2 --broker kafka://localhost:9092
for n in 1 2 3 4 5; do echo "no event $n"; done > bad.jsonl
carewatch replay bad.jsonl --bad-lines pass
carewatch simulate seattle --days 1 --seed 2 --out more.jsonl
carewatch replay more.jsonl --speed 500 &
carewatch worker &
until curl -sf http://localhost:6066/readyz > /dev/null; do sleep 0.2; done
"""
PROMETHEUS = """
echo 'global: {scrape_interval: 1s}' > prometheus.yml
echo '{route: {receiver: nobody}, receivers: [{name: nobody}]}' > alertmanager.yml
prometheus --config.file=prometheus.yml --storage.tsdb.path=prometheus-data --web.listen-address=127.0.0.1:9090 &
alertmanager --config.file=alertmanager.yml --storage.path=alertmanager-data --cluster.listen-address= \\
  --web.listen-address=127.0.0.1:9093 &
until curl -sf http://localhost:9090/-/ready > /dev/null; do sleep 0.2; done
until curl -sf http://localhost:9093/-/ready > /dev/null; do sleep 0.2; done
"""
SET_UP = {"alone": "", "kafka": KAFKA, "worker": WORKER, "prometheus": PROMETHEUS}


def own_network() -> list[str]:
    """What starts a command with its own network and processes, which end with it. Skips where there can be none."""
    options = [
        "--net",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        *([] if os.geteuid() == 0 else ["--map-root-user"]),
    ]
    command = ["unshare", *options]
    tried = (
        subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
        if shutil.which("unshare")
        else None
    )
    reason = None
    if tried is None or tried.returncode != 0:
        said = tried.stderr.strip() if tried else "unshare is not installed"
        reason = (
            f"no network of its own: {said}; run as root or allow user namespaces (kernel.unprivileged_userns_clone=1)"
        )
    unless(reason, required=os.environ.get("CAREWATCH_REQUIRE_DOCS") == "1")
    unless(
        None if shutil.which("curl") else "not installed: curl; apt-get install curl",
        required=os.environ.get("CAREWATCH_REQUIRE_DOCS") == "1",
    )
    return command


def kafka_tools(folder: Path) -> None:
    """Kafka's own commands, in a folder for PATH."""
    jars = cache_dir() / f"kafka-tools-{kafka_version()}"
    with locked(jars.with_name(jars.name + ".lock")):
        if not jars.exists():
            mvn = shutil.which("mvn")
            unless(
                None if mvn else "not installed: maven, which brings Kafka's own commands; apt-get install maven",
                required=os.environ.get("CAREWATCH_REQUIRE_DOCS") == "1",
            )
            shipped = (ROOT / "carewatch" / "native" / "kafka-pom.xml").read_text()
            with tempfile.TemporaryDirectory(dir=jars.parent) as temp:
                pom = Path(temp) / "pom.xml"
                pom.write_text(shipped.replace("<artifactId>kafka_2.13<", "<artifactId>kafka-tools<"))
                goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={temp}/libs"]
                done = subprocess.run(
                    [str(mvn), "-q", "-B", f"--file={pom}", *goal],
                    capture_output=True,
                    text=True,
                    timeout=600,
                    check=False,
                )
                assert done.returncode == 0, done.stdout
                (Path(temp) / "libs").rename(jars)
    for name, main in TOOLS.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec java -XX:TieredStopAtLevel=1 -cp "{jars}/*" {main} "$@"\n')
        script.chmod(0o755)


def run(needs: str, chosen: list[Block], folder: Path) -> list[tuple[int, str]]:
    """Run the blocks that need the same, one after the other; the exit status and the output of each."""
    network, bin = own_network(), folder / "bin"
    bin.mkdir()
    if needs == "prometheus":
        found = require_prometheus()
        for name in ("prometheus", "alertmanager", "amtool"):
            (bin / name).symlink_to(getattr(found, name))
    else:
        require_kafka()
        if any("kafka-" in block.text for block in chosen):
            kafka_tools(bin)
    for entry in ROOT.iterdir():  # the checkout, but for what the commands write
        if not entry.name.endswith("-data"):
            (folder / entry.name).symlink_to(entry)
    lines = ["set -e -o pipefail", f"{sys.executable} -c {shlex.quote(LOOPBACK)}", SET_UP[needs]]
    for number, block in enumerate(chosen):
        # what a block leaves running ends with it
        script = f"trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\nset -e -o pipefail\n{block.text}"
        (folder / f"{number}.sh").write_text(script)
        lines.append(
            f"timeout {WITHIN} bash {number}.sh > {number}.log 2>&1 < /dev/null && s=0 || s=$?; echo $s > {number}.status"
        )
    (folder / "all.sh").write_text("\n".join([*lines, "kill $(jobs -p) 2>/dev/null || true", "wait"]))
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CAREWATCH_") or name == "CAREWATCH_CACHE"
    }
    env["PATH"] = os.pathsep.join([str(bin), str(Path(sys.executable).parent), env["PATH"]])
    with (folder / "all.log").open("w") as log:
        done = subprocess.run(
            [*network, "bash", "all.sh"], cwd=folder, env=env, stdout=log, stderr=log, timeout=900, check=False
        )
    assert (folder / f"{len(chosen) - 1}.status").exists(), (
        f"{done.returncode}: {(folder / 'all.log').read_text()[-2000:]}"
    )
    return [(int((folder / f"{n}.status").read_text()), (folder / f"{n}.log").read_text()) for n in range(len(chosen))]


@pytest.mark.parametrize("needs", RUN)
def test_commands_run_as_printed(needs: str, tmp_path: Path) -> None:
    chosen = [block for block in blocks() if block.needs == needs]
    failed = []
    for block, (status, said) in zip(chosen, run(needs, chosen, tmp_path), strict=True):
        if status != 0:
            failed.append(f"{block.name} ended with {status}: {said[-1500:]}")
        missing = [line for line in (block.output or "").splitlines() if line and line not in said.splitlines()]
        if missing:
            failed.append(f"{block.name} did not print {missing}: {said[-1500:]}")
    assert not failed, "\n".join(failed)
