"""The AsyncAPI document, read by the official parser (Node.js)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import node
from tests.node import give_up

#: `full`, as npm needs the network the first time.
pytestmark = [pytest.mark.contract, pytest.mark.slow, pytest.mark.full]

HERE = Path(__file__).resolve().parent / "asyncapi"
DOCUMENT = HERE.parents[2] / "docs" / "reference" / "asyncapi.json"


@pytest.fixture(scope="module")
def validator() -> Path:
    try:
        return node.installed(HERE, "validate.mjs")
    except node.UnavailableError as reason:
        give_up(str(reason))


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
