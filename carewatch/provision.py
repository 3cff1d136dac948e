"""`carewatch dashboards`: the generated files."""

from __future__ import annotations

import argparse

from dashboards import build as generated
from dashboards import thresholds
from dashboards.thresholds import ThresholdError

_NO_SDK = "they are made with grafana-foundation-sdk, which is not installed; pip install 'carewatch[dev]'"


def build(args: argparse.Namespace) -> int:
    """The command `dashboards build`."""
    made = generated.files(thresholds.load(args.thresholds))
    if not generated.can_make_dashboards():
        print(f"left as they are: Grafana's dashboards; {_NO_SDK}")
    try:
        changed = generated.write(made, args.out)
    except OSError as error:
        raise ThresholdError(f"{error.filename}: cannot be written: {error.strerror}; choose another --out") from error
    for path in changed:
        print(f"wrote {args.out / path}")
    print(f"{len(made)} files, {len(changed)} changed")
    return 0


def check(args: argparse.Namespace) -> int:
    """The command `dashboards check`."""
    if not generated.can_make_dashboards():
        raise ThresholdError(f"Grafana's dashboards cannot be checked: {_NO_SDK}")
    made = generated.files(thresholds.load(args.thresholds))
    if found := list(generated.differences(made, args.out)):
        print("\n".join(found))
        print("not what would be made: run `carewatch dashboards build`")
        return 1
    print(f"{len(made)} files are as they would be made")
    return 0
