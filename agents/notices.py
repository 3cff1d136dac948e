"""Says what has become so: looks at each program every second and writes notices to their topic.

A look is made only when everything that is in the topics is applied: in the middle of a backlog a case may be there
whose completion is not. What was said is remembered in the state, and written like every other change of it, when the
notices are durable. A crash in between says them again, with the same ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec
import structlog

from agents.changelog import Applied, Changelog
from agents.intake import Sender
from agents.owner import Owner
from streams.clock import Micros, wall
from streams.notices import look
from streams.state import ProgramState, Told

log = structlog.get_logger()

#: Seconds between looks: what is exact to the second is said within about one.
EVERY = 1.0

_encode = msgspec.json.Encoder().encode


class Teller:
    """Looks and tells, for the programs of an owner."""

    def __init__(
        self,
        owner: Owner,
        changelog: Changelog,
        sender: Sender,
        up_to_date: Callable[[str], bool],
        topic: str,
        gap_after: Micros,
    ) -> None:
        """`up_to_date` says of a program whether all that is in the topics is applied; `gap_after` as in `look`."""
        self._owner = owner
        self._changelog = changelog
        self._sender = sender
        self._up_to_date = up_to_date
        self._topic = topic
        self._gap_after = gap_after
        self._telling: dict[str, ProgramState] = {}

    async def run(self, failed: Callable[[BaseException], None]) -> None:
        """Look every second until cancelled; what goes wrong is given to `failed`, and ends it."""
        try:
            while True:
                await asyncio.sleep(EVERY)
                self.look(wall())
        except Exception as error:  # noqa: BLE001  # whatever it is, it ends the worker
            failed(error)

    def look(self, now: Micros) -> None:
        """Tell what has become so by *now* (microseconds)."""
        for state in list(self._owner.states()) if self._owner.ready else ():
            program = state.profile.program
            if self._telling.get(program) is state or not self._up_to_date(program):
                continue
            notices, told = look(state, now, self._gap_after)
            if told is None:
                continue
            key = program.encode()
            sent = [self._sender.send(self._topic, None, key, _encode(notice), ()) for notice in notices]
            self._telling[program] = state
            self._changelog.add(self._owner.homes[program], Applied(None, partial(self._said, state, told), sent))
            if notices:
                log.info("notices", program=program, count=len(notices))

    def _said(self, state: ProgramState, told: Told) -> None:
        """The notices are durable: remember it."""
        program = state.profile.program
        if self._telling.get(program) is state:
            del self._telling[program]
            if self._owner.state(program) is state:
                state.remember(told)
                self._changelog.add(self._owner.homes[program], Applied(None, lambda: None, []))
