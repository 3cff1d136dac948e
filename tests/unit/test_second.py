"""The second implementation gives the numbers that must come out of the cases of everyday work."""

from __future__ import annotations

import pytest

from tests.cases import CASES, FOLDER, Case, Question, come_by, moment
from tests.second import LABELS, numbers


def answer(case: Case, question: Question) -> float | tuple[float, ...]:
    at = moment(question.at)
    events, came = come_by(case.events(), at)
    texts = [(came[0], case.texts()[0]), *((at, text) for text in case.texts()[1:])]
    cells = numbers(events, texts, at, came).get(question.metric, {})
    found = []
    for labels, value in cells.items():
        named = dict(zip(LABELS[question.metric], labels[1:], strict=True))
        if question.labels.items() <= named.items():
            found.append(value)
    if isinstance(question.expected, tuple):
        return tuple(sorted(each for row in found if isinstance(row, tuple) for each in row))
    return sum(value for value in found if not isinstance(value, tuple))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_of_everyday_work(case: Case) -> None:
    wrong = [
        f"{question}: {answered}"
        for question in case.questions
        if (answered := answer(case, question)) != question.expected
    ]
    assert not wrong, "\n".join(wrong)


def test_every_case_is_asked_about() -> None:
    assert {case.name for case in CASES} == {folder.name for folder in FOLDER.iterdir()}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_events_in_any_order_give_the_same(case: Case) -> None:
    last = max(moment(question.at) for question in case.questions)
    events, came = come_by(case.events(), last)
    texts = [(last, text) for text in case.texts()]
    ids = [event["id"] for event in events]
    if len(set(ids)) == len(ids):  # of one id the later telling holds
        backwards = numbers(events[::-1], texts, last, came[::-1])
        assert backwards == numbers(events, texts, last, came)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_events_sent_twice_give_the_same(case: Case) -> None:
    last = max(moment(question.at) for question in case.questions)
    events, came = come_by(case.events(), last)
    texts = [(last, text) for text in case.texts()]
    assert numbers(events * 2, texts, last, came * 2) == numbers(events, texts, last, came)
