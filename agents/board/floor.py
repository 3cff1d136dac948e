"""All programs, whoever owns them: ours from their states, the others from their workers, and how sure we are of each.

A picture is live only while its worker has said so within the last seconds. Everything else is shown with the time from
which it is, and why.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import msgspec

from agents.board.peers import NoAnswerError, Peers
from agents.board.snapshot import Snapshot, snapshot, totals
from agents.board.trends import EVERY, Trend, Trends
from agents.seal import Seal
from streams.clock import Micros, wall
from streams.programs import Profile
from streams.read import Family, seconds
from streams.state import ProgramState

#: Seconds without a word from a program's worker after which its numbers are no longer live.
TRUSTED = 2.5
#: Seconds that a worker has to answer another.
ANSWER_WITHIN = 1.0
#: Bytes that an answer of another worker may have, for each of its programs and besides: many times what they take.
PROGRAM_BYTES, OTHER_BYTES = 500_000, 10_000
GARBLED = "answers what cannot be read"
DAMAGED = "Its state cannot be read, so nothing is shown: run carewatch state check."
#: Where a worker gives its own programs to others.
OWN_PATH = "/board/own.json"
#: Kinds of pieces: the numbers of a program now, its lines.
KINDS: dict[str, type[Snapshot | Trend]] = {"program": Snapshot, "trend": Trend}

_encode = msgspec.json.Encoder().encode


class Owned(Protocol):
    """What the board asks of the worker that it is in."""

    @property
    def ready(self) -> bool:
        """Whether its numbers are there and its own to show."""

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """All programs, whoever owns them."""

    @property
    def damaged(self) -> Collection[str]:
        """Programs that are its own, and whose state it cannot read."""

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
    damaged: list[str] = []


class Floor:
    """The pieces of the board, each as the JSON that is sent; they change only when their content does.

    Args:
        owned: The worker.
        address: Of this worker, as the others know it.
        silent_after: Seconds without an event after which a feed is silent.
        seal: Of this worker.
        changed: Called with a piece's name (`program/seattle`, `trend/seattle`) and its JSON whenever it has changed.
    """

    def __init__(
        self,
        owned: Owned,
        address: str,
        silent_after: float,
        seal: Seal,
        changed: Callable[[str, bytes], None] = lambda *_: None,
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
        self._peers = Peers(seal, ANSWER_WITHIN)

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
        await self._peers.stop()

    def own(self) -> bytes:
        """Our programs, for another worker."""
        programs = [state.profile.program for state in self._owned.states()] if self._owned.ready else []
        names = [name for name in self.pieces if name.partition("/")[2] in programs]
        pieces = {name: msgspec.Raw(self.pieces[name]) for name in names}
        return _encode(Own(programs, pieces, sorted(self._owned.damaged)))

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
        if program in self._owned.damaged:
            return DAMAGED
        if owner is None or owner == self._address:
            return "This worker is starting, or the programs are being shared out anew."
        other = self._others.get(owner)
        if other is None or time.monotonic() - other.answered > TRUSTED:
            return f"Its worker {owner} {other.why}." if other and other.why else f"Asking its worker {owner}."
        if program in other.garbled:
            return f"Its worker {owner} {GARBLED}."
        if program in other.damaged:
            return DAMAGED
        return "" if program in other.shows else f"Its worker {owner} is starting or recovering."

    async def _ask(self, address: str) -> None:
        """Ask a worker once. Only its own programs are taken from it, and of those only what they can be."""
        other = self._others[address]
        try:
            most = OTHER_BYTES + PROGRAM_BYTES * list(self._owned.owners().values()).count(address)
            own = msgspec.json.decode(await self._peers.ask(address, OWN_PATH, most), type=Own)
        except NoAnswerError as error:
            other.why = str(error)
            return
        except (ValueError, RecursionError):  # no JSON, no UTF-8, not of these fields; brackets in brackets without end
            other.why = GARBLED
            return
        mine = {state.profile.program for state in self._owned.states()}
        its = {program for program, url in self._owned.owners().items() if url == address} - mine
        pieces: dict[str, bytes | None] = {}
        for name, piece in own.pieces.items():
            kind, _, program = name.partition("/")
            if kind in KINDS and program in its:
                pieces[name] = _read(piece, KINDS[kind], program)
        other.answered = time.monotonic()
        other.garbled = {name.partition("/")[2] for name, body in pieces.items() if body is None}
        other.damaged = its & set(own.damaged)
        other.shows = {each for each in own.programs if each in its - other.garbled and f"program/{each}" in pieces}
        for name, body in pieces.items():
            if body and name.partition("/")[2] not in other.garbled:
                self._put(name, body)
        for program in other.shows:
            self._confirmed[program] = time.time()

    def _put(self, name: str, body: bytes) -> None:
        if self.pieces.get(name) != body:
            self.pieces[name] = body
            self._changed(name, body)


def _read(piece: msgspec.Raw, kind: type[Snapshot | Trend], program: str) -> bytes | None:
    """A piece of another worker, written anew; None if it is none of this kind, or is of another program."""
    try:
        said = msgspec.json.decode(piece, type=kind)
    except (ValueError, RecursionError):
        return None
    return _encode(said) if said.program == program else None


class _Other:
    """Another worker: the request that is out, when it last answered (monotonic), and with which programs."""

    def __init__(self, asking: asyncio.Task[None]) -> None:
        self.asking = asking
        self.answered = float("-inf")
        self.shows: set[str] = set()
        self.garbled: set[str] = set()  # of which it said what cannot be
        self.damaged: set[str] = set()  # whose state it cannot read
        self.why = ""  # it gave no answer; nothing before it was asked
