"""Who is silent: the same as a look at all of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.clock import HOUR
from streams.views.silence import STRETCH, Silence

NAMES = st.sampled_from("abcdef")
TIMES = st.integers(0, 30 * HOUR)


@given(st.lists(st.tuples(NAMES, TIMES) | NAMES | TIMES, max_size=40))
def test_those_that_are_silent_come_out_once(steps: list[tuple[str, int] | str | int]) -> None:
    """A pair: a word of the name; a name: it goes; a time: who is silent since?"""
    silence, words = Silence(), dict[str, int]()
    for step in steps:
        match step:
            case (str(name), int(at)) if (
                name in words and at // STRETCH == words[name] // STRETCH and at >= words[name]
            ):
                words[name] = at  # it need not be moved
            case (str(name), int(at)):
                if name in words:
                    silence.take(name, words[name])
                words[name] = at
                silence.put(name, at)
            case str(name) if name in words:
                silence.take(name, words.pop(name))
            case int(at):
                found = silence.until(at, words.__getitem__)
                assert sorted(found) == sorted(name for name, word in words.items() if word <= at)
                for name in found:
                    del words[name]
            case _:
                pass
