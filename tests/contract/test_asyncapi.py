"""The AsyncAPI document, read by the official parser (Node.js)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

#: `full`, as npm needs the network the first time.
pytestmark = [pytest.mark.contract, pytest.mark.slow, pytest.mark.full]

HERE = Path(__file__).resolve().parent / "asyncapi"
DOCUMENT = HERE.parents[2] / "docs" / "reference" / "asyncapi.json"
FILES = ("package.json", "package-lock.json", ".npmrc", "validate.mjs")


def give_up(reason: str) -> NoReturn:
    """Skip, or fail where Node.js is promised to be there."""
    if os.environ.get("CAREWATCH_REQUIRE_NODE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def validator() -> Path:
    """The checker, installed once for each state of its files."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        give_up("no Node.js with npm here, for the AsyncAPI parser; on Debian: apt-get install nodejs npm")
    state = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    cache = Path(os.environ.get("CAREWATCH_CACHE") or Path.home() / ".cache" / "carewatch")
    folder = cache / "asyncapi" / state
    if not (folder / "installed").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(HERE / name, folder / name)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode != 0:
            give_up(f"npm could not install the AsyncAPI parser, connect to the network once: {done.stderr[-300:]}")
        (folder / "installed").touch()
    return folder / "validate.mjs"


def validate(validator: Path, document: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", str(validator), str(document)], capture_output=True, text=True, check=False, timeout=120
    )


def test_the_parser_finds_no_error(validator: Path) -> None:
    done = validate(validator, DOCUMENT)
    assert done.returncode == 0, done.stderr
    assert "AsyncAPI 3.0.0" in done.stdout


@pytest.mark.parametrize("broken", ["channel", "schema"])
def test_the_parser_finds_a_mistake(validator: Path, tmp_path: Path, broken: str) -> None:
    document = json.loads(DOCUMENT.read_bytes())
    if broken == "channel":
        document["operations"]["receive_status"]["channel"]["$ref"] = "#/channels/nowhere"
    else:
        document["components"]["schemas"]["unit_status"]["properties"]["status"] = {"type": "code"}
    file = tmp_path / "asyncapi.json"
    file.write_text(json.dumps(document))
    done = validate(validator, file)
    assert done.returncode == 1
    assert "error" in done.stderr
