"""A Grafana server and its HTTP API: the one file that knows grafana-api.

That library is archived upstream and small; what it leaves to its callers is done here. It takes an address in parts,
fails with a TypeError on an error page that is not JSON, follows a redirected POST with a GET, has no call for the health
of the server, and its errors may quote a header with the token. Callers see `GrafanaError`, one plain line, and nothing of
the library.

The API is Grafana's own, the same in versions 9 to 13: https://grafana.com/docs/grafana/latest/developers/http_api/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import SplitResult, urlsplit

from grafana_api.grafana_api import GrafanaException
from grafana_api.grafana_face import GrafanaFace
from requests import exceptions

from dashboards.bounded import Bounded, TooLargeError

Json = dict[str, Any]
#: A service account's token, or a user's name and password.
Login = str | tuple[str, str]

#: The oldest Grafana that draws these dashboards right.
LOWEST = (12, 4)

#: What to do where Grafana refuses a login.
EDITOR = "give a token of a service account with the role Editor"


class GrafanaError(Exception):
    """Grafana could not be asked, or refused. The message is one line that says what to do, and quotes no secret."""


class Saved(NamedTuple):
    """A dashboard that Grafana took: the version that it has there now, and its path below the server's address."""

    version: int
    path: str


class Found(NamedTuple):
    """A dashboard that is there: its JSON, whether Grafana has it from a file, and whether this login may change it."""

    board: Json
    from_file: bool
    writable: bool

    @property
    def version(self) -> int:
        """How often it was saved there."""
        return int(self.board["version"])


class Source(NamedTuple):
    """A data source."""

    uid: str
    name: str
    type: str
    is_default: bool = False

    def __str__(self) -> str:
        return f"{self.name} ({self.uid})"


def address(url: str) -> SplitResult | None:
    """The parts of a web server's address; None if it is none, or has a login in it."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError too
    except ValueError:
        return None
    return parts if parts.hostname and parts.scheme in ("http", "https") and parts.username is None else None


class Grafana:
    """One Grafana server. A context manager: leaving it closes the connection.

    Args:
        url: Its address, such as `https://grafana.city.example` or `https://city.example/grafana`.
        login: How to log in.
        agent: What to call ourselves to the server.
        timeout: Seconds that an answer may take, from the request to its last byte.

    Raises:
        GrafanaError: the address or the login is none.
    """

    def __init__(self, url: str, login: Login, *, agent: str = "carewatch", timeout: float = 15.0) -> None:
        parts = address(url)
        if parts is None or not (host := parts.hostname):
            # the address is not quoted: somebody may have put a password into it
            raise GrafanaError("the address of Grafana is none; write it like https://grafana.city.example")
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        path = parts.path.strip("/")
        self._face = GrafanaFace(
            auth=_checked(login),
            host=f"[{host}]" if ":" in host else host,
            port=parts.port,
            url_path_prefix=f"{path}/" if path else "",
            protocol=parts.scheme,
            timeout=timeout,
        )
        session = self._face.api.s
        session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": agent})
        session.max_redirects = 0
        session.mount(f"{parts.scheme}://", Bounded(timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._face.api.s.close()

    def version(self) -> str:
        """Its version, "" where it hides it. Needs no login, so it tells a wrong address from a wrong password."""
        with self._answers("answer"):
            health: object = self._face.api.GET("/health")
        if not isinstance(health, dict) or "database" not in health:
            raise self._no_grafana()
        return str(health.get("version", ""))

    def sources(self) -> list[Source]:
        """The data sources that this login may ask, by name.

        They come from the settings that Grafana gives to every page of its own. Only some roles may read the list of
        data sources: in Grafana's paid editions an Editor may not.
        """
        with self._answers("show its data sources"):
            settings = self._face.api.GET("/frontend/settings")
            given = settings["datasources"].values()
            default = settings.get("defaultDatasource")
            return sorted(
                (
                    Source(str(one["uid"]), str(one["name"]), str(one["type"]), one["name"] == default)
                    for one in given
                    if one.get("uid")  # Grafana's own ones for mixing have none
                ),
                key=lambda source: source.name,
            )

    def why_silent(self, source: Source) -> str | None:
        """Ask a Prometheus a number through Grafana; why it does not answer, None if it does."""
        query = {
            "refId": "A",
            "datasource": {"type": source.type, "uid": source.uid},
            "expr": "vector(1)",
            "instant": True,
            "range": False,
            "intervalMs": 15000,
            "maxDataPoints": 1,
        }
        try:
            answer: object = self._face.api.POST("/ds/query", json={"from": "now-5m", "to": "now", "queries": [query]})
        except GrafanaException as error:
            return _failure(_result(error.response)) or _said(error.response) or f"status {error.status_code}"
        except exceptions.Timeout:
            return "no answer in time"
        except (exceptions.RequestException, TypeError, ValueError, RecursionError):
            return "no answer that can be read"
        result = _result(answer)
        return "no answer that can be read" if result is None else _failure(result)

    def require(self, action: str, doing: str) -> None:
        """Raise GrafanaError if this login may not do what Grafana calls `action`, wherever it is.

        A Grafana that does not say what a login may do passes.

        Args:
            action: Grafana's name, such as `folders:create`.
            doing: In our words.
        """
        try:
            may: object = self._face.api.GET("/access-control/user/actions")
        except (GrafanaException, exceptions.RequestException, TypeError, ValueError, RecursionError):
            return
        if isinstance(may, dict) and may and not may.get(action):
            raise GrafanaError(f"{self.url} does not let us {doing}; {EDITOR}")

    def has_folder(self, uid: str) -> bool:
        """Whether there is a folder with this uid that we may see.

        A login that may not see all folders, such as an Editor's, is refused (403) one that is not there.
        """
        with self._answers("show its folders"):
            return self._found(self._face.folder.get_folder, uid) is not None

    def make_folder(self, uid: str, title: str) -> bool:
        """Make a folder; False if one with this uid is there already."""
        with self._answers(f"make the folder '{title}'"):
            try:
                self._face.folder.create_folder(title, uid)
            except GrafanaException as error:
                # 409 may also mean that a folder of another uid has the name: that is for people to put right
                if error.status_code in (409, 412) and "same name" not in _said(error.response):
                    return False
                raise
        return True

    def dashboard(self, uid: str) -> Found | None:
        """The dashboard with this uid; None if there is none that we may see, as with folders."""
        with self._answers("show its dashboards"):
            found = self._found(self._face.dashboard.get_dashboard, uid)
            if found is None:
                return None
            board, meta = found["dashboard"], found.get("meta", {})
            int(board["version"])
            return Found(board, bool(meta.get("provisioned")), bool(meta.get("canSave", True)))

    def save(self, dashboard: Json, folder: str, message: str) -> Saved:
        """Write a dashboard into the folder with this uid, over the one that has its uid.

        Args:
            dashboard: Its JSON, with a `uid`.
            folder: The folder's uid.
            message: What its history in Grafana is to say.
        """
        body = {"dashboard": dashboard | {"id": None}, "folderUid": folder, "message": message, "overwrite": True}
        with self._answers(f"take the dashboard '{dashboard['title']}'"):
            answer = self._face.dashboard.update_dashboard(body)
            return Saved(int(answer["version"]), str(answer["url"]))

    def annotate(self, text: str, tags: list[str], at_ms: int) -> None:
        """Write an annotation of the organization: any dashboard can show it by its tags.

        Args:
            text: What happened.
            tags: To find it by.
            at_ms: When, milliseconds since the epoch.
        """
        with self._answers("take the annotation"):
            self._face.annotations.add_annotation(time_from=at_ms, tags=tags, text=text)

    @staticmethod
    def _found(get: Any, uid: str) -> Json | None:
        try:
            found: Json = get(uid)
        except GrafanaException as error:
            if error.status_code in (403, 404):
                return None
            raise
        return found

    @contextmanager
    def _answers(self, doing: str) -> Iterator[None]:
        """Turn what the library raises into one line."""
        try:
            yield
        except GrafanaException as error:
            raise GrafanaError(self._refused(error, doing)) from None
        except exceptions.TooManyRedirects as error:
            to = error.response.headers.get("Location", "") if error.response is not None else ""
            where = f" to {target.scheme}://{target.netloc}" if (target := urlsplit(to)).netloc else ""
            raise GrafanaError(f"{self.url} sends us on{where}; give Grafana's own address with --url") from None
        except exceptions.SSLError as error:
            raise GrafanaError(f"{self.url}: {_insecure(str(error))}") from None
        except exceptions.Timeout:
            raise GrafanaError(f"{self.url} does not answer in time; try again, or check --url") from None
        except (exceptions.JSONDecodeError, TooLargeError):
            raise self._no_grafana() from None
        except exceptions.RequestException:
            raise GrafanaError(f"{self.url} cannot be reached; is Grafana running and --url right?") from None
        except OSError:  # not one of a connection, which are RequestExceptions
            raise GrafanaError("REQUESTS_CA_BUNDLE names no file of certificates that can be read") from None
        except (
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            RecursionError,
        ):  # a page instead of JSON, or JSON of something else
            raise self._no_grafana() from None

    def _refused(self, error: GrafanaException, doing: str) -> str:
        said = _said(error.response)
        if not said and error.status_code < 500 and error.status_code not in (401, 403):
            return str(self._no_grafana())
        reason = said or f"status {error.status_code}"
        match error.status_code:
            case 401:
                return f"{self.url} does not accept the login; {EDITOR}, or a user and a password"
            case 403:
                return f"{self.url} does not let us {_by_us(doing)}: {reason}; {EDITOR}"
            case 400 if "provisioned" in reason.lower():
                return f"{self.url} has its dashboards from files, which win over a push; push to another Grafana"
            case 409 | 412:
                return f"{self.url} did not {doing}: {reason}; rename or delete the other one there, and push again"
        return f"{self.url} did not {doing}: {reason}"

    def _no_grafana(self) -> GrafanaError:
        return GrafanaError(f"{self.url} answers, but not as Grafana does; check --url")


def too_old(version: str) -> bool | None:
    """Whether a Grafana of this version is older than LOWEST; None if the version does not say."""
    number = re.match(r"(\d+)\.(\d+)", version)
    return None if number is None else (int(number[1]), int(number[2])) < LOWEST


def _said(response: object) -> str:
    """What Grafana says in an error's JSON, on one line; "" if nothing."""
    said = response.get("message") if isinstance(response, dict) else None
    return _line(said or "")


def _result(answer: object) -> Json | None:
    """What an answer of Grafana's says of its one query."""
    results = answer.get("results") if isinstance(answer, dict) else None
    result = results.get("A") if isinstance(results, dict) else None
    return result if isinstance(result, dict) else None


def _failure(result: Json | None) -> str | None:
    """Why a query failed, where it did. Newer versions answer 400 or 502 with it, older ones 200."""
    return _line(result["error"]) if result and result.get("error") else None


def _line(text: object) -> str:
    """A text of Grafana's on one line, cut if it is long."""
    return " ".join(str(text).split())[:200]


def _insecure(error: str) -> str:
    """What a TLS error means, and what to do. The libraries below tell them apart in words only."""
    words = error.lower().replace("_", " ")
    if any(plain in words for plain in ("wrong version number", "record layer failure", "packet length too long")):
        return "the server there does not speak TLS; try http:// or another port"
    if "certificate" in words and "verify failed" in words:
        return "its certificate is not trusted; name your authority's file in REQUESTS_CA_BUNDLE"
    reason = re.search(r"\[SSL: (\w+)\]", error)
    why = f" ({reason[1].lower().replace('_', ' ')})" if reason else ""
    return f"no secure connection came about{why}; check the port, and which versions of TLS the server takes"


def _by_us(doing: str) -> str:
    """What we wanted to do, from what Grafana was to do."""
    return doing.replace("take", "write", 1).replace("show its", "see", 1)


def _checked(login: Login) -> str | tuple[bytes, bytes]:
    """The login as the library needs it. Raises GrafanaError for a token that no header can carry."""
    if isinstance(login, tuple):
        user, password = login
        return user.encode(), password.encode()
    if not login.isascii() or not login.isprintable() or " " in login:
        raise GrafanaError("the token has characters that no token has; copy it anew, without spaces or line ends")
    return login
