"""Where an input is read on: what the state says, what the group says, what is still there."""

import pytest

from agents.place import Begin, Log, Lost, Place, Places, begin, pack, unpack

WHOLE = Log(0, 100)


@pytest.mark.parametrize(
    ("place", "committed", "log", "offset", "lost", "why"),
    [
        (None, None, WHOLE, 0, 0, ""),  # the first start of all
        (None, None, Log(40, 100), 40, 0, ""),  # and one on topics that are older: nothing was lost of what was ours
        (Place({"dispatch": 60}), 60, WHOLE, 60, 0, ""),
        (Place({"dispatch": 63}), 60, WHOLE, 60, 0, ""),  # killed between the two: read again, known already
        (Place({"dispatch": 100}), 100, WHOLE, 100, 0, ""),  # nothing new
        (Place({"dispatch": 60}), None, WHOLE, 0, 0, ""),  # offsets deleted before any was noted
        (Place({"dispatch": 60}, {}, {}, {"dispatch": 58}), None, WHOLE, 58, 0, ""),  # offsets deleted
        (Place({"dispatch": 60}, {}, {}, {"dispatch": 58}), 0, WHOLE, 58, 0, ""),  # or moved to the beginning
        (Place({"dispatch": 60}, {}, {}, {"dispatch": 58}), 59, WHOLE, 59, 0, ""),
        (Place({"dispatch": 60}, {}, {"dispatch": "a"}, {"dispatch": 58}), None, Log(0, 9, "b"), 0, 0, "made anew"),
        (Place({"dispatch": 60}), None, Log(55, 100), 55, 0, ""),
        (Place({"dispatch": 60}), None, Log(75, 100), 75, 15, "removed before"),  # and for long
        (Place({"dispatch": 75}), 60, Log(70, 100), 70, 0, ""),  # what is gone is in the state
        (Place({"dispatch": 75}, {"dispatch": Lost(15, 1)}), 60, Log(75, 100), 75, 0, ""),  # or counted as lost
        (Place({"dispatch": 75}), 60, Log(80, 100), 80, 5, "removed before"),
        (None, 60, WHOLE, 0, 0, "no state"),
        (None, 60, Log(40, 100), 40, 40, "no state"),
        (Place({"dispatch": 60}), 90, WHOLE, 60, 0, "ahead of the state"),
        (Place({"dispatch": 60}), 90, Log(70, 100), 70, 10, "ahead of the state"),
        (Place({"status": 60}), 90, WHOLE, 0, 0, "ahead of the state"),  # of this input nothing is in the state
        (Place({"dispatch": 60}), 60, Log(75, 100), 75, 15, "removed before"),
        (Place({"dispatch": 60}), 60, Log(100, 100), 100, 40, "removed before"),
        (Place({"dispatch": 60}), 60, Log(0, 20), 0, 0, "made anew"),
        (Place({"dispatch": 60}, {}, {"dispatch": "a"}), 60, Log(0, 100, "a"), 60, 0, ""),
        (Place({"dispatch": 60}, {}, {"dispatch": "a"}), 60, Log(0, 100, "b"), 0, 0, "made anew"),  # and filled again
        (Place({"dispatch": 60}), 60, Log(0, 100, "b"), 60, 0, ""),  # of a broker that told no ids
    ],
)
def test_begin(place: Place | None, committed: int | None, log: Log, offset: int, lost: int, why: str) -> None:
    found = begin(place, "dispatch", committed, log)
    assert found[:2] == (offset, lost)
    assert why in found.why
    assert bool(why) == bool(found.why)
    assert isinstance(found, Begin)


def test_a_place_is_what_was_applied_and_what_was_lost() -> None:
    handled = {("dispatch", 3): 12, ("status", 3): 7}
    committed = {("dispatch", 3): 11}
    places = Places(
        lambda topic, partition: handled.get((topic, partition)),
        lambda topic, partition: committed.get((topic, partition)),
        lambda topic: "" if topic == "status" else "x",
    )
    places.take({3: Place({"dispatch": 10}, {"status": Lost(5, 1)}), 4: None})
    places.lose("status", 3, 2, 9)
    places.lose("followup", 4, 1, 8)
    assert (
        places.now(3)
        == unpack(pack(places.now(3)))
        == Place({"dispatch": 12, "status": 7}, {"status": Lost(7, 9)}, {"dispatch": "x"}, {"dispatch": 11})
    )
    assert places.now(4) == Place({}, {"followup": Lost(1, 8)})
    assert places.lost("dispatch", 3) is None
    places.take({4: None})
    assert places.partitions == {4}
    assert places.lost("status", 3) is None, "that is another worker's to tell"
