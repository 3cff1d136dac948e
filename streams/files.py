"""The program files of a program: the one in force, and those that applied before it.

The text under which records were last settled stands beside them, by its digest, and so do all before it: a restart with another
file settles every kept record anew, and a rebuild gives the same. Source: the contract, section 3, *The program file*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from streams.clock import Micros
from streams.entries import Call, Case
from streams.packed import pack
from streams.programs import Profile, digest
from streams.retired import Retired, needed_by, retire
from streams.rules import Rules

#: Under which digest the records stand.
CURRENT = "program/"


class Stored(msgspec.Struct, array_like=True):
    """A program file that applied, and since when on the clock."""

    since: Micros
    text: bytes  # as JSON


class _Settled(msgspec.Struct, array_like=True, gc=False):
    """Of the record of a call or case only what it is."""

    touched: Micros
    fresh: bool
    entry: msgspec.Raw


_decode = msgspec.msgpack.Decoder(Stored).decode
_decode_settled = msgspec.msgpack.Decoder(_Settled).decode
_decode_call = msgspec.msgpack.Decoder(Call | None).decode
_decode_case = msgspec.msgpack.Decoder(Case | None).decode


class Files:
    """The files that applied, by what the records of a program hold. Raises msgspec.DecodeError."""

    def __init__(self, profile: Profile, records: Mapping[str, bytes]) -> None:
        """With this file in force."""
        self._profile = profile
        #: What stands for the file in force.
        self.digest = digest({profile.program: profile})
        self._stored = {
            key: _decode(packed) for key, packed in records.items() if key.startswith(CURRENT) and key != CURRENT
        }
        current = records.get(CURRENT, b"").decode()
        self._is_new = current != self.digest
        older = sorted((each for key, each in self._stored.items() if key != CURRENT + self.digest), key=_since)
        files = [msgspec.json.decode(each.text, type=Profile) for each in older]
        #: The file under which the records stand, if that is another one.
        self.before: Profile | None = None
        if current and self._is_new:
            self.before = msgspec.json.decode(self._stored[CURRENT + current].text, type=Profile)
        self.retired: Retired
        extended, self.retired = retire(profile, files, needed_by(_entries(records) if files else ()))
        self.rules = Rules(extended, self.retired)

    def stored(self, now: Micros) -> Iterator[tuple[str, bytes]]:
        """What to store, once; `now` is the clock. When all records stand under this file: CURRENT, with its digest."""
        if self._is_new and now:
            self._is_new = False
            yield CURRENT + self.digest, pack(Stored(now, msgspec.json.encode(self._profile)))


def _since(stored: Stored) -> Micros:
    return stored.since


def _entries(records: Mapping[str, bytes]) -> Iterator[Call | Case | None]:
    for key, packed in records.items():
        if key.startswith("call/"):
            yield _decode_call(_decode_settled(packed).entry)
        elif key.startswith("case/"):
            yield _decode_case(_decode_settled(packed).entry)
