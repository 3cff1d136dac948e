"""Calls that are merged: chains, circles, into what is not known, undone; and how their numbers move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.books.merges import NOTHING, Merges, Told, told_in
from streams.clock import SECOND
from streams.said import Merged, Received, Reopened, Said
from tests.unit.examples import examples

CALLS = "ABCDE"


def merges(told: Mapping[str, str], unknown: Iterable[str] = ()) -> Merges:
    """Each call with those that it was told to be merged into, the last first."""
    gone = set(unknown)
    found = Merges(lambda call: call not in gone)
    for id, into in told.items():
        found.tell(id, Told(tuple(into), tuple(into)))
    return found


# --- what is told of one call -------------------------------------------------------------------------------


def merged(second: int, into: str) -> Merged:
    return Merged(f"m{second}", second * SECOND, 0, into)


def test_a_call_without_a_merge_tells_of_none() -> None:
    assert told_in("A", [Received("r", 0, 0, "mh", "loop"), Reopened("o", SECOND, 0)]) is NOTHING


def test_the_last_merge_comes_first() -> None:
    assert told_in("A", [merged(1, "B"), merged(2, "C")]) == Told(("C", "B"), ("B", "C"))


def test_reopened_undoes_those_before_it_and_they_are_remembered() -> None:
    walk: list[Said] = [merged(1, "B"), Reopened("o", 2 * SECOND, 0), merged(3, "C")]
    assert told_in("A", walk) == Told(("C",), ("B", "C"))
    assert told_in("A", walk[:2]) == Told((), ("B",))


def test_a_merge_into_itself_is_not_told() -> None:
    assert told_in("A", [merged(1, "A")]) is NOTHING
    assert told_in("A", [merged(1, "B"), merged(2, "A")]).stands == ("B",)


# --- among calls --------------------------------------------------------------------------------------------


def test_a_merged_call_counts_for_the_other() -> None:
    found = merges({"A": "B"})
    assert (found.into("A"), found.into("B")) == ("B", None)
    assert (found.final("A"), found.final("B")) == ("B", "B")


def test_a_chain_counts_for_its_last() -> None:
    found = merges({"A": "B", "B": "C", "C": "D"})
    assert {found.final(call) for call in "ABCD"} == {"D"}
    assert found.into("A") == "B"


def test_in_a_circle_none_is_merged() -> None:
    found = merges({"A": "B", "B": "C", "C": "A"})
    assert [found.into(call) for call in "ABC"] == [None] * 3
    assert [found.final(call) for call in "ABC"] == list("ABC")


def test_a_call_merged_into_one_of_a_circle_counts_for_that_one() -> None:
    found = merges({"A": "B", "B": "A", "C": "B", "D": "C"})
    assert found.final("D") == found.final("C") == "B"


def test_into_an_unknown_call_it_is_passed_over_for_the_one_before() -> None:
    found = merges({"A": "XB"}, unknown="X")
    assert found.into("A") == "B"
    assert merges({"A": "X"}, unknown="X").into("A") is None


def test_a_merge_into_an_unknown_call_makes_no_circle() -> None:
    found = merges({"A": "B", "B": "XA"}, unknown="X")
    assert found.into("A") is None
    assert merges({"A": "B", "B": "X"}, unknown="X").final("A") == "B"


def test_only_calls_of_which_a_merge_was_told_are_concerned() -> None:
    found = merges({"A": "B"})
    assert [found.concerns(call) for call in "ABC"] == [True, True, False]
    found.tell("A", NOTHING)
    assert not found.concerns("A")
    assert not found.concerns("B")


def test_a_family_is_all_that_may_count_for_one_another() -> None:
    found = merges({"A": "B", "C": "B", "D": "E"})
    assert found.family("A") == found.family("B") == found.family("C") == set("ABC")
    assert found.family("D") == set("DE")
    assert found.family("X") == {"X"}


def test_a_merge_that_was_undone_keeps_the_family() -> None:
    found = merges({})
    found.tell("A", Told((), ("B",)))
    assert found.family("B") == set("AB")
    assert found.into("A") is None


@settings(deadline=None, max_examples=examples(300))
@given(
    st.dictionaries(
        st.sampled_from(CALLS), st.permutations(CALLS).map("".join).flatmap(lambda p: _some(p)), max_size=5
    ),
    st.sets(st.sampled_from(CALLS)),
)
def test_as_said_plainly(told: dict[str, str], unknown: set[str]) -> None:
    told = {id: into.replace(id, "") for id, into in told.items()}
    found = merges(told, unknown)
    first = {id: next((each for each in into if each not in unknown), None) for id, into in told.items()}

    def reaches(call: str) -> list[str]:
        """The calls after this one, each once, in the order of the chain."""
        chain: list[str] = []
        after = first.get(call)
        while after is not None and after not in chain:
            chain.append(after)
            after = first.get(after)
        return chain

    for call in CALLS:
        in_circle = call in reaches(call)
        assert found.into(call) == (None if in_circle else first.get(call))
        final = call
        while final not in reaches(final) and reaches(final):
            final = reaches(final)[0]
        assert found.final(call) == final
        assert final in found.family(call)
        assert sorted(found.merged_into(call)) == [each for each in CALLS if each != call and found.final(each) == call]


def _some(calls: str) -> st.SearchStrategy[str]:
    return st.integers(0, 3).map(lambda many: calls[:many])
