"""Ids of records that are gone: remembered for ever in eight bytes, stored in chunks."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.gone import CHUNK, Gone, hash64
from tests.unit.examples import examples


def chunks(gone: Gone) -> list[bytes]:
    return [gone.chunk(number) for number in range((len(gone) + CHUNK - 1) // CHUNK)]


def test_nothing_is_gone_at_first() -> None:
    gone = Gone()
    assert "call/A1" not in gone
    assert len(gone) == 0
    assert gone.add([]) == []


def test_what_went_is_known_and_what_did_not_is_not() -> None:
    gone = Gone()
    gone.add(["call/A1"])
    assert "call/A1" in gone
    assert "case/A1" not in gone
    assert "call/A" not in gone


def test_a_key_takes_eight_bytes() -> None:
    gone = Gone()
    gone.add(f"call/{number}" for number in range(10))
    assert len(gone.chunk(0)) == 80


def test_only_the_chunks_that_changed_are_stored_again() -> None:
    gone = Gone()
    assert gone.add(f"call/{number}" for number in range(CHUNK - 1)) == [0]
    assert gone.add(["call/last"]) == [0]
    assert gone.add(["call/next"]) == [1]
    assert gone.add(f"call/x{number}" for number in range(2 * CHUNK)) == [1, 2, 3]


def test_a_chunk_fits_into_a_message() -> None:
    gone = Gone()
    gone.add(f"call/{number}" for number in range(CHUNK + 1))
    assert len(gone.chunk(0)) == 32 * 1024
    assert len(gone.chunk(1)) == 8


def test_restored_it_knows_the_same_and_goes_on_in_the_same_chunk() -> None:
    gone = Gone()
    gone.add(f"call/{number}" for number in range(CHUNK + 10))
    again = Gone(chunks(gone))
    assert len(again) == CHUNK + 10
    assert all(f"call/{number}" in again for number in range(CHUNK + 10))
    assert again.add(["call/new"]) == [1]
    assert chunks(again)[0] == chunks(gone)[0]


def test_hashes_stay_as_they_are() -> None:
    assert hash64("call/A1") == 0x2C960C09F5736A58  # they are stored: another one would forget what is gone


@settings(deadline=None, max_examples=examples(50))
@given(st.lists(st.lists(st.integers(0, 20_000), max_size=6), max_size=8), st.integers(0, 3))
def test_it_knows_all_that_went_in_whatever_groups(groups: list[list[int]], many: int) -> None:
    gone = Gone()
    known: set[str] = set()
    for group in [*groups, range(30_000, 30_000 + many * 3000)]:
        keys = [f"call/{number}" for number in group]
        gone.add(keys)
        known.update(keys)
    again = Gone(chunks(gone))
    for number in [*range(0, 20_000, 371), *(number for group in groups for number in group), 30_000, 38_999]:
        key = f"call/{number}"
        assert (key in gone) == (key in again) == (key in known)
