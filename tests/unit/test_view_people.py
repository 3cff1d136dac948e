"""People served and seen again: local days with a contact, over kept records and archived days."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.clock import DAY, Micros
from streams.entries import Call, Case
from streams.views.people import KEPT_DAYS, WINDOWS, Contact, OfCases, People, of_call, of_case
from tests.unit.examples import examples
from tests.unit.test_derive_case import NOON, RULES, by_call, case, opened


def day(at: Micros) -> int:
    """Days of UTC, from 1000."""
    return at // DAY + 1000


def people(*records: set[tuple[int, int | None]]) -> People:
    found = People(day)
    for record in records:
        found.change((), contacts(record))
    return found


def contacts(record: set[tuple[int, int | None]]) -> frozenset[Contact]:
    return frozenset(Contact(person, day) for person, day in record)


def repeat(people: People, today: int) -> tuple[int, int]:
    found = people.repeat((today - 1000) * DAY)
    return found["30d",], found["365d",]


# --- who is in a record --------------------------------------------------------------------------------------


def call(**fields: object) -> Call:
    found = Call("open", NOON, NOON + 3 * DAY, "north", "assist", "alpha", people=(5, 6))
    return msgspec.structs.replace(found, **fields)


def test_a_call_is_a_contact_on_the_day_on_which_it_began() -> None:
    today = RULES.day(NOON)
    began = call(received=NOON, eligible_since=NOON + DAY)
    assert of_call(began, RULES) == {Contact(5, today), Contact(6, today)}
    assert of_call(call(eligible_since=NOON + DAY), RULES) == {Contact(5, today + 1), Contact(6, today + 1)}
    assert of_call(call(), RULES) == {Contact(5, today + 3), Contact(6, today + 3)}
    assert of_call(call(people=()), RULES) == of_call(None, RULES) == frozenset()


def test_a_case_is_a_contact_on_the_day_of_its_opening() -> None:
    assert of_case(case(opened(person=7)), (), RULES) == {Contact(7, RULES.day(NOON))}
    assert of_case(case(opened()), (), RULES) == of_case(None, (), RULES) == frozenset()


def test_a_case_is_no_contact_of_its_own_where_its_call_tells_of_the_same_person() -> None:
    assert of_case(case(by_call=by_call(person=7)), (7,), RULES) == {Contact(7, None)}
    assert of_case(case(opened(person=7, call="c1")), (8,), RULES) == {Contact(7, RULES.day(NOON))}


@given(st.permutations(("call", "case")))
def test_call_and_case_may_come_and_go_in_any_order(order: list[str]) -> None:
    named, elsewhere = case(opened(person=7, call="c1")), case(opened(person=7, call="c2"))
    contacts, found = OfCases(RULES), People(RULES.day)
    found.change((), {Contact(7, RULES.day(NOON) - 1), Contact(8, RULES.day(NOON) - 1)})

    def change(what: str, before: Case | None, after: Case | None, people: tuple[int, ...]) -> None:
        found.change(*(contacts.call_tells("c1", people) if what == "call" else contacts.change("k", before, after)))

    for what in order:
        change(what, None, named, (7,))
    assert found.repeat(NOON)["30d",] == 0
    change("call", None, None, (8,))
    assert found.repeat(NOON)["30d",] == 1
    change("call", None, None, (7,))
    assert found.repeat(NOON)["30d",] == 0
    change("case", named, elsewhere, ())
    assert found.repeat(NOON)["30d",] == 1
    for what in order:
        change(what, elsewhere, None, ())
    assert (found.served(), found.repeat(NOON)["30d",]) == (2, 0)


# --- sums ----------------------------------------------------------------------------------------------------


def test_a_person_of_several_records_is_served_once() -> None:
    found = people({(1, 1000)}, {(1, 1000), (2, 1000)}, {(3, None)})
    assert found.served() == 3
    found.change(contacts({(1, 1000)}), ())
    assert found.served() == 3
    found.change(contacts({(1, 1000), (2, 1000)}), ())
    assert found.served() == 1


def test_two_days_of_contact_are_a_repeat_and_two_calls_of_one_day_are_none() -> None:
    assert repeat(people({(1, 1000)}, {(1, 1000)}), 1000) == (0, 0)
    assert repeat(people({(1, 1000)}, {(1, 1001)}, {(1, 1002)}), 1002) == (1, 1)


def test_a_case_that_a_call_opened_is_no_second_contact() -> None:
    assert repeat(people({(1, 1000)}, {(1, None)}), 1000) == (0, 0)


def test_both_days_must_be_in_the_window_which_today_ends() -> None:
    found = people({(1, 1000)}, {(1, 1010)})
    assert repeat(found, 1029) == (1, 1)
    assert repeat(found, 1030) == (0, 1)
    assert repeat(found, 1364) == (0, 1)
    assert repeat(found, 1365) == (0, 0)


def test_a_day_to_come_is_not_yet_a_contact() -> None:
    found = people({(1, 1000)}, {(1, 1010)}, {(1, 1020)})
    assert repeat(found, 1009) == (0, 0)
    assert repeat(found, 1010) == (1, 1)


# --- days that outlive their records -------------------------------------------------------------------------


def test_archived_days_count_for_repeats_and_not_as_served() -> None:
    found = people({(1, 1000)}, {(1, 1100)})
    assert found.archive(contacts({(1, 1000)})) == {1000}
    assert found.served() == 1
    found.change(contacts({(1, 1100)}), contacts({(1, 1101)}))
    assert repeat(found, 1101) == (0, 1)
    assert found.archive(contacts({(1, 1101)})) == {1101}
    assert (found.served(), found.archived_days()) == (0, [1000, 1101])


def test_archiving_a_second_record_of_the_day_changes_no_packed_form() -> None:
    found = people({(1, 1000)}, {(1, 1000), (2, None)})
    assert found.archive(contacts({(1, 1000)})) == {1000}
    assert found.archive(contacts({(1, 1000), (2, None)})) == set()
    assert found.pack(1000) == [1]


def test_what_was_packed_is_restored() -> None:
    found = people({(1, 1000), (2, 1000)}, {(1, 1001)})
    found.archive(contacts({(1, 1000), (2, 1000)}))
    found.archive(contacts({(1, 1001)}))
    again = People(day)
    for each in found.archived_days():
        again.restore(each, msgspec.msgpack.decode(msgspec.msgpack.encode(found.pack(each))))
        again.restore(each, found.pack(each))  # a second time changes nothing
    assert repeat(again, 1001) == (1, 1)
    again.restore(1001, [])
    assert repeat(again, 1001) == (0, 0)
    assert again.archived_days() == [1000]
    assert again.pack(1001) == []


def test_a_person_who_is_forgotten_loses_the_archived_days_up_to_then() -> None:
    found = people({(1, 1000), (2, 1000)}, {(1, 1005)}, {(1, 1006)})
    for record in ({(1, 1000), (2, 1000)}, {(1, 1005)}, {(1, 1006)}):
        found.archive(contacts({*record}))
    assert found.forget(1, 5 * DAY + DAY // 2) == {1000, 1005}
    assert found.forget(1, 5 * DAY) == found.forget(9, 5 * DAY) == set()
    assert (found.pack(1000), found.pack(1005), found.pack(1006)) == ([2], [], [1])
    assert repeat(found, 1006) == (0, 0)


def test_days_are_kept_for_four_hundred_days() -> None:
    found = people({(1, 1000)})
    found.archive(contacts({(1, 1000)}))
    assert found.expire((KEPT_DAYS - 1) * DAY) == set()
    assert found.expire(KEPT_DAYS * DAY) == {1000}
    assert not found._days


RECORDS = st.frozensets(st.builds(Contact, st.integers(1, 3), st.none() | st.integers(1000, 1060)), max_size=2)


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("change"), st.sampled_from("abc"), RECORDS),
            st.tuples(st.just("archive"), st.sampled_from("abc"), st.just(frozenset())),
            st.tuples(
                st.just("forget"),
                st.sampled_from("123"),
                st.frozensets(st.builds(Contact, st.just(0), st.integers(1000, 1060)), min_size=1, max_size=1),
            ),
        ),
        max_size=20,
    ),
    st.integers(990, 1100),
)
def test_after_any_changes_it_says_what_a_plain_count_says(
    steps: list[tuple[str, str, frozenset[Contact]]], today: int
) -> None:
    found = People(day)
    records: dict[str, frozenset[Contact]] = {}
    archived: set[tuple[int, int]] = set()
    for what, key, told in steps:
        if what == "change":
            found.change(records.get(key, ()), told)
            records[key] = told
        elif what == "archive":
            found.archive(records.get(key, ()))
            archived |= {(person, day) for person, day in records.pop(key, ()) if day is not None}
        else:
            (until,) = (contact.day or 0 for contact in told)
            found.forget(int(key), (until - 1000) * DAY)
            archived = {(person, day) for person, day in archived if person != int(key) or day > until}
    kept = [contact for record in records.values() for contact in record]
    assert found.served() == len({contact.person for contact in kept})
    days = archived | {(person, day) for person, day in kept if day is not None}
    for window, length in WINDOWS.items():
        seen = [person for person, day in days if today - length < day <= today]
        expected = sum(seen.count(person) > 1 for person in set(seen))
        assert found.repeat((today - 1000) * DAY)[window,] == expected
    assert {(person, day) for day in found.archived_days() for person in found.pack(day)} == archived
