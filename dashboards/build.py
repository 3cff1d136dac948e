"""The generated files: made from the catalogue and the thresholds, written, or compared with those that are there."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dashboards import alertmanager, reference
from dashboards.rules import rules
from dashboards.thresholds import Thresholds

#: The checkout, or the folder that the packages are installed in.
ROOT = Path(__file__).parent.parent

#: What the dashboards are made with; only developers have it.
SDK = "grafana_foundation_sdk"

_NOTE = "# Made by `carewatch dashboards build` from dashboards/; do not edit.\n"


def can_make_dashboards() -> bool:
    """Whether Grafana's dashboards can be made here."""
    return importlib.util.find_spec(SDK) is not None


def files(thresholds: Thresholds) -> dict[str, str]:
    """Every generated file: its text by its path below the root. Raises ThresholdError.

    Without Grafana's dashboards and their guide where these cannot be made.
    """
    configs = {"email": alertmanager.email(), "slack": alertmanager.slack(), "webhook": alertmanager.webhook()}
    return {
        "dashboards/prometheus/rules.yml": _yaml(rules(thresholds)),
        "dashboards/alertmanager/alertmanager.yml": _yaml(alertmanager.plain()),
        **{f"dashboards/alertmanager/examples/{name}.yml": _yaml(config) for name, config in configs.items()},
        "docs/reference/signals.md": reference.signals(),
        "docs/reference/alerts.md": reference.alerts(thresholds),
        **(_dashboards(thresholds) if can_make_dashboards() else {}),
    }


def _dashboards(thresholds: Thresholds) -> dict[str, str]:
    from dashboards.grafana import files as grafana  # needs what only developers have

    return grafana.files(thresholds)


def write(made: dict[str, str], root: Path) -> list[str]:
    """Write the files that differ; their paths. Raises OSError."""
    changed = [path for path, text in made.items() if _read(root / path) != text]
    for path in changed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(made[path], encoding="utf-8")
    return changed


def differences(made: dict[str, str], root: Path) -> Iterator[str]:
    """How the files that are there differ from those made, as lines of a diff."""
    for path, text in made.items():
        there = _read(root / path)
        yield from difflib.unified_diff(
            there.splitlines(), text.splitlines(), f"{path} (there)", f"{path} (made)", n=1, lineterm=""
        )


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as a block, and lists inside of their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _yaml(content: Any) -> str:
    return _NOTE + yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6)
