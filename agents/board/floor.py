"""All programs, whoever owns them: ours from their states, the others from their workers, and how sure we are of each.

A picture is live only while its worker has said so within the last seconds. Everything else is shown with the time from
which it is, and why.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Protocol

import aiohttp
import msgspec

from agents.board.snapshot import snapshot, totals
from agents.board.trends import EVERY, Trends
from streams.clock import Micros, wall
from streams.programs import Profile
from streams.read import Family, seconds
from streams.state import ProgramState

#: Seconds without a word from a program's worker after which its numbers are no longer live.
TRUSTED = 2.5
#: Seconds that a worker has to answer another.
ANSWER_WITHIN = 1.0
#: Bytes that an answer of another worker may have.
MOST_BYTES = 8_000_000
#: Where a worker gives its own programs to others.
OWN_PATH = "/board/own.json"
#: Kinds of pieces: the numbers of a program now, its lines.
KINDS = ("program", "trend")

_encode = msgspec.json.Encoder().encode


class Owned(Protocol):
    """What the board asks of the worker that it is in."""

    @property
    def ready(self) -> bool:
        """Whether its numbers are there and its own to show."""

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """All programs, whoever owns them."""

    def states(self) -> list[ProgramState]:
        """The states that are its own now."""

    def families(self, state: ProgramState, now: Micros) -> list[Family]:
        """The families of a program, as /metrics has them."""

    def caught_up(self, program: str) -> bool:
        """Whether every record of the program that is known to be there is applied."""

    def owners(self) -> Mapping[str, str]:
        """The address of each program's worker, as the group last said; nothing of programs that nobody has."""


class Standing(msgspec.Struct, frozen=True):
    """How sure we are of a program's numbers: live, or from a time (seconds; never: null) and why not live."""

    program: str
    name: str
    live: bool
    since: float | None = None
    why: str = ""


class Own(msgspec.Struct, frozen=True):
    """What a worker says to another: its programs, each as the board's messages `<kind>/<program>`."""

    programs: list[str]
    pieces: dict[str, msgspec.Raw]


class Floor:
    """The pieces of the board, each as the JSON that is sent; they change only when their content does.

    Args:
        owned: The worker.
        address: Of this worker, as the others know it.
        silent_after: Seconds without an event after which a feed is silent.
        changed: Called with a piece's name (`program/seattle`, `trend/seattle`) and its JSON whenever it has changed.
    """

    def __init__(
        self, owned: Owned, address: str, silent_after: float, changed: Callable[[str, bytes], None] = lambda *_: None
    ) -> None:
        self.pieces: dict[str, bytes] = {}
        self._owned = owned
        self._address = address
        self._silent_after = silent_after
        self._changed = changed
        self._trends: defaultdict[str, Trends] = defaultdict(Trends)
        self._sampled = 0
        self._refreshed = float("-inf")
        self._refreshing = asyncio.Lock()
        self._confirmed: dict[str, float] = {}  # program -> when its numbers were last known to be so, wall clock
        self._others: dict[str, _Other] = {}
        self._session: aiohttp.ClientSession | None = None

    async def refresh(self) -> None:
        """Make the pieces of our own programs, and a point of their lines each minute."""
        async with self._refreshing:
            minute = int(time.time()) // EVERY
            sample, self._sampled = minute != self._sampled, minute
            for state in self._owned.states():
                self._make(state, minute * EVERY if sample else None)
                await asyncio.sleep(0)  # events go on being applied between two programs
            self._refreshed = time.monotonic()

    def _make(self, state: ProgramState, point: int | None) -> None:
        if not self._owned.ready or not any(each is state for each in self._owned.states()):
            return  # it went while we were at the others
        program, now = state.profile.program, wall()
        shown = snapshot(
            state.profile,
            self._owned.families(state, now),
            now,
            silent_after=self._silent_after,
            catching_up=not self._owned.caught_up(program),
        )
        self._put(f"program/{program}", _encode(shown))
        self._confirmed[program] = seconds(now)
        if point is not None and not any(feed.silent for feed in shown.feeds):
            self._trends[program].add(point, totals(shown))
            self._put(f"trend/{program}", _encode(self._trends[program].trend(program)))

    @property
    def age(self) -> float:
        """Seconds since our own programs were looked at."""
        return time.monotonic() - self._refreshed

    def sample_due(self) -> bool:
        """Whether a point of the lines is to be taken."""
        return int(time.time()) // EVERY != self._sampled

    async def answers(self, within: float) -> None:
        """Wait until all workers that were asked have answered, but not longer than so many seconds."""
        if asking := [other.asking for other in self._others.values()]:
            await asyncio.wait(asking, timeout=within)

    def ask_others(self) -> None:
        """Ask the workers of the other programs; their answers come when they come."""
        addresses = set(self._owned.owners().values()) - {self._address}
        for gone in self._others.keys() - addresses:
            self._others.pop(gone).asking.cancel()
        for address in addresses:
            other = self._others.get(address)
            if other is None or other.asking.done():
                asking = asyncio.ensure_future(self._ask(address))
                if other is None:
                    self._others[address] = _Other(asking)
                else:
                    other.asking = asking

    async def stop(self) -> None:
        """Ask nobody any more."""
        for other in self._others.values():
            other.asking.cancel()
        if self._session:
            await self._session.close()

    def own(self) -> bytes:
        """Our programs, for another worker."""
        programs = [state.profile.program for state in self._owned.states()] if self._owned.ready else []
        names = [name for name in self.pieces if name.partition("/")[2] in programs]
        return _encode(Own(programs, {name: msgspec.Raw(self.pieces[name]) for name in names}))

    def standings(self) -> list[Standing]:
        """How sure we are of each program, by name."""
        owners = self._owned.owners()
        mine = {state.profile.program for state in self._owned.states()}
        found = []
        for program, profile in self._owned.profiles.items():
            why = self._doubt(program, owners.get(program), mine)
            since = self._confirmed.get(program) if why else None
            found.append(Standing(program, profile.name, not why, since, why))
        return sorted(found, key=lambda standing: standing.name)

    def _doubt(self, program: str, owner: str | None, mine: set[str]) -> str:
        """Why the numbers of a program cannot be taken as live; nothing if they can."""
        if program in mine:
            return (
                "" if self._owned.ready else "The broker does not answer this worker: others may have the program now."
            )
        if owner is None or owner == self._address:
            return "This worker is starting, or the programs are being shared out anew."
        other = self._others.get(owner)
        if other is None or time.monotonic() - other.answered > TRUSTED:
            return f"Its worker {owner} cannot be reached." if other and other.tried else f"Asking its worker {owner}."
        return "" if program in other.shows else f"Its worker {owner} is starting or recovering."

    async def _ask(self, address: str) -> None:
        """Ask a worker once. Whatever goes wrong is no answer."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN), trust_env=False)
        other = self._others[address]
        try:
            async with self._session.get(address + OWN_PATH, allow_redirects=False) as answer:
                body = await answer.content.read(MOST_BYTES) if answer.status == 200 else b""
                while body and not answer.content.at_eof() and len(body) < MOST_BYTES:
                    body += await answer.content.read(MOST_BYTES - len(body))
            own = msgspec.json.decode(body, type=Own)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, msgspec.DecodeError):
            other.tried = True
            return
        other.answered = time.monotonic()
        other.shows = set(own.programs)
        owners = self._owned.owners()
        for name, piece in own.pieces.items():
            kind, _, program = name.partition("/")
            body = bytes(piece)
            # of the programs that the group says it has, and nothing that would break the stream's lines
            if kind in KINDS and owners.get(program) == address and b"\n" not in body and b"\r" not in body:
                self._put(name, body)
        for program in own.programs:
            if owners.get(program) == address:
                self._confirmed[program] = time.time()

    def _put(self, name: str, body: bytes) -> None:
        if self.pieces.get(name) != body:
            self.pieces[name] = body
            self._changed(name, body)


class _Other:
    """Another worker: the request that is out, when it last answered (monotonic), and with which programs."""

    def __init__(self, asking: asyncio.Task[None]) -> None:
        self.asking = asking
        self.answered = float("-inf")
        self.shows: set[str] = set()
        self.tried = False  # it was asked and gave no answer
