"""`carewatch dashboards push`: the dashboards that come with carewatch, into a Grafana that a city has already."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from carewatch import __version__
from carewatch.settings import default
from dashboards.build import ROOT
from dashboards.gateway import Grafana, GrafanaError, Login
from streams.clock import wall

#: Where the committed dashboards are.
DASHBOARDS = ROOT / "dashboards" / "grafana" / "dashboards"
#: The folder in Grafana: its uid, which stays when somebody renames it there.
FOLDER = "carewatch"
TAGS = ["carewatch", "dashboards"]

_URL = "give the address of Grafana with --url or CAREWATCH_GRAFANA_URL, such as https://grafana.city.example"
_LOGIN = (
    "no login: put the token of a service account into CAREWATCH_GRAFANA_TOKEN (or --token-file), or give --user and put "
    "the password into CAREWATCH_GRAFANA_PASSWORD (or --password-file)"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command. Secrets are read from files or the environment: other users can see options."""
    parser.add_argument(
        "--url", default=default("GRAFANA_URL", ""), help="address of Grafana (default CAREWATCH_GRAFANA_URL)"
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="file with a service account's token (default CAREWATCH_GRAFANA_TOKEN)",
    )
    parser.add_argument(
        "--user",
        metavar="NAME",
        help="instead of a token: log in as this user (default CAREWATCH_GRAFANA_USER)",
    )
    parser.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="file with the user's password (default CAREWATCH_GRAFANA_PASSWORD)",
    )
    parser.add_argument("--folder", default="carewatch", help="name of the folder if it has to be made")
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        default=DASHBOARDS,
        metavar="DIR",
        help="folder of dashboard files (default: those that come with carewatch)",
    )
    parser.add_argument("--dry-run", action="store_true", help="log in and say what would be done, change nothing")


def push(args: argparse.Namespace) -> int:
    """The command `dashboards push`. Raises GrafanaError."""
    boards = load(args.source)
    if not args.url:
        raise GrafanaError(_URL)
    agent = f"carewatch/{__version__}"
    with Grafana(args.url, _login(args.token_file, args.user, args.password_file), agent=agent) as grafana:
        version = grafana.version()
        print(f"{grafana.url}: Grafana {version}".rstrip())
        _folder(grafana, args.folder, args.dry_run)
        for board in boards:
            _dashboard(grafana, board, args.dry_run)
        if args.dry_run:
            print("nothing was changed")
        else:
            grafana.annotate(f"carewatch {__version__}: {len(boards)} dashboards pushed", TAGS, wall() // 1000)
    return 0


def load(folder: Path) -> list[dict[str, Any]]:
    """The dashboards of a folder's files, in the order of their names. Raises GrafanaError."""
    boards = []
    for file in sorted(folder.rglob("*.json")):
        try:
            board = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            board = None
        if not isinstance(board, dict) or not all(isinstance(board.get(key), str) for key in ("uid", "title")):
            raise GrafanaError(f"{file}: no dashboard with a uid and a title; give another folder with --from")
        boards.append(board)
    if not boards:
        raise GrafanaError(f"{folder}: no dashboards (*.json) in it; give their folder with --from")
    return boards


def _login(token_file: Path | None, user: str | None, password_file: Path | None) -> Login:
    """Options win over the environment, and there a token over a user."""
    if token_file:
        return _secret(token_file)
    if not user and (token := default("GRAFANA_TOKEN", "").strip()):
        return token
    name = user or default("GRAFANA_USER", "")
    password = _secret(password_file) if password_file else default("GRAFANA_PASSWORD", "")
    if not name or not password:
        raise GrafanaError(_LOGIN)
    return name, password


def _secret(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise GrafanaError(f"{file}: cannot be read: {why}") from None
    if not text:
        raise GrafanaError(f"{file}: is empty; put the secret into it")
    return text


def _folder(grafana: Grafana, title: str, dry_run: bool) -> None:
    if grafana.has_folder(FOLDER):
        return
    if dry_run:
        print(f"would make the folder '{title}'")
        return
    grafana.make_folder(FOLDER, title)
    print(f"made the folder '{title}'")


def _dashboard(grafana: Grafana, board: dict[str, Any], dry_run: bool) -> None:
    title = board["title"]
    if not dry_run:
        saved = grafana.save(board, FOLDER, f"carewatch {__version__}")
        print(f"pushed '{title}', version {saved.version} there")
    elif (version := grafana.dashboard_version(board["uid"])) is None:
        print(f"would add '{title}'")
    else:
        print(f"would replace '{title}', version {version} there")
