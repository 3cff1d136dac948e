"""`carewatch dashboards push`: the dashboards that come with carewatch, into a Grafana that a city has already."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from carewatch import __version__
from carewatch.settings import default
from dashboards.build import ROOT
from dashboards.gateway import EDITOR, LOWEST, Grafana, GrafanaError, Login, Source, too_old
from dashboards.sources import choose, pointed, strays
from streams.clock import wall

#: Where the committed dashboards are.
DASHBOARDS = ROOT / "dashboards" / "grafana" / "dashboards"
#: The folder in Grafana: its uid, which stays when somebody renames it there.
FOLDER = "carewatch"
TAGS = ["carewatch", "dashboards"]
#: The oldest Grafana, in words.
OLDEST = ".".join(map(str, LOWEST))

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
    parser.add_argument(
        "--datasource",
        default=default("GRAFANA_DATASOURCE", ""),
        metavar="NAME",
        help="name or uid of the Prometheus data source that the dashboards ask (default CAREWATCH_GRAFANA_DATASOURCE, or "
        "carewatch if there is one, or Grafana's default, or the only Prometheus)",
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
        _version(grafana)
        source = _source(grafana, args.datasource)
        if args.dry_run:
            return _say(grafana, boards, args.folder)
        if not grafana.has_folder(FOLDER) and grafana.make_folder(FOLDER, args.folder):
            print(f"made the folder '{args.folder}'")
        for board in boards:
            _push(grafana, pointed(board, source), source)
        grafana.annotate(f"carewatch {__version__}: {len(boards)} dashboards pushed", TAGS, wall() // 1000)
    return 0


def load(folder: Path) -> list[dict[str, Any]]:
    """The dashboards of a folder's files, in the order of their names. Raises GrafanaError."""
    boards = []
    for file in sorted(folder.rglob("*.json")):
        try:
            board = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
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
        return secret(token_file)
    if not user and (token := default("GRAFANA_TOKEN", "").strip()):
        return token
    name = user or default("GRAFANA_USER", "")
    password = secret(password_file) if password_file else default("GRAFANA_PASSWORD", "")
    if not name or not password:
        raise GrafanaError(_LOGIN)
    return name, password


def secret(file: Path) -> str:
    """What a file has to itself. Raises GrafanaError."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise GrafanaError(f"{file}: cannot be read: {why}") from None
    if not text:
        raise GrafanaError(f"{file}: is empty; put the secret into it")
    return text


def _version(grafana: Grafana) -> None:
    """Say which Grafana it is. Raises GrafanaError if it is too old."""
    version = grafana.version()
    print(f"{grafana.url}: Grafana {version}".rstrip())
    match too_old(version):
        case True:
            raise GrafanaError(f"Grafana {version} is too old for these dashboards: {OLDEST} or newer is needed")
        case None:
            _warn(f"Grafana does not say its version, so it was not checked: {OLDEST} or newer is needed")


def _source(grafana: Grafana, wanted: str) -> Source:
    """The data source that the dashboards are to ask. Raises GrafanaError."""
    source = choose(grafana.sources(), wanted)
    print(f"data source: {source}")
    if why := grafana.why_silent(source):
        _warn(f"the data source {source} does not answer: {why}; until it does the dashboards are empty")
    return source


def _say(grafana: Grafana, boards: list[dict[str, Any]], folder: str) -> int:
    """What a push would do; the exit status."""
    if not grafana.has_folder(FOLDER):
        grafana.require("folders:create", "make folders")
        print(f"would make the folder '{folder}'")
    there = [grafana.dashboard(board["uid"]) for board in boards]
    if None in there:
        grafana.require("dashboards:create", "write dashboards")
    from_files = sum(found is not None and found.from_file for found in there)
    locked = 0
    for board, found in zip(boards, there, strict=True):
        title = board["title"]
        if found is None:
            print(f"would add '{title}'")
        elif found.from_file:
            print(f"cannot replace '{title}': Grafana has it from a file")
        elif not found.writable:
            locked += 1
            print(f"cannot replace '{title}': this login may not change it")
        else:
            print(f"would replace '{title}', version {found.version} there")
    print("nothing was changed")
    if from_files:
        _warn(
            f"{from_files} of {len(boards)} dashboards come from files, which win over a push; take them out of Grafana's "
            "provisioning, or push to another Grafana"
        )
    if locked:
        _warn(f"{locked} of {len(boards)} dashboards may not be changed; {EDITOR}")
    return 1 if from_files or locked else 0


def _push(grafana: Grafana, board: dict[str, Any], source: Source) -> None:
    """Write a dashboard and look whether Grafana has it as it was meant. Raises GrafanaError."""
    saved = grafana.save(board, FOLDER, f"carewatch {__version__}")
    print(f"pushed '{board['title']}', version {saved.version} there")
    found = grafana.dashboard(board["uid"])
    if found is None:
        raise GrafanaError(f"'{board['title']}' was pushed, but {grafana.url} does not show it to this login")
    if wrong := strays(found.board, source):
        raise GrafanaError(f"'{board['title']}' was pushed, but does not ask {source} everywhere: {wrong[0]}")


def _warn(text: str) -> None:
    print(f"carewatch: {text}", file=sys.stderr)
