"""The form of a declaration: what one number is called, what it may show, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product, starmap
from typing import Literal, NamedTuple

from streams.catalogue.views import Look
from streams.programs import Profile

Kind = Literal["gauge", "counter", "histogram"]
#: Label values without the program, in the order of the metric's labels.
Labels = tuple[str, ...]
#: Label values to be combined, each of one list with each of the others.
Block = tuple[Sequence[str], ...]
#: What a label may be: always the same, or as the program file says.
Words = Sequence[str] | Callable[[Profile], Sequence[str]]

#: The labels of a corrected fact that have a label of their own; the values of all others are joined.
CORRECTED_LABELS = ("metric", "team", "area", "outcome", "result", "code")


class Values(NamedTuple):
    """The labels of a metric (without `program`) and the combinations that a program file makes possible."""

    labels: tuple[str, ...]
    blocks: Callable[[Profile], Iterable[Block]]
    #: Whether they are there from the start. Else a sample comes and goes with what it tells, such as an oldest wait.
    from_the_start: bool = True

    def when_found(self) -> Values:
        """The same combinations, each there only while there is something to tell."""
        return self._replace(from_the_start=False)

    def of(self, profile: Profile) -> Iterator[Labels]:
        """Every combination."""
        return chain.from_iterable(starmap(product, self.blocks(profile)))


def each(**words: Words) -> Values:
    """All combinations of these labels: `each(area=AREAS, source=SOURCES)`."""

    def blocks(profile: Profile) -> Iterator[Block]:
        yield tuple(of(profile) if callable(of) else of for of in words.values())

    return Values(tuple(words), blocks)


def some(labels: str, blocks: Callable[[Profile], Iterable[Block]]) -> Values:
    """Labels (names, with blanks between) of which not all combinations are possible."""
    return Values(tuple(labels.split()), blocks)


class Facts(NamedTuple):
    """The facts of one code, and the labels that they have in this order: `(code, day, labels..., amount)`."""

    code: str
    labels: tuple[str, ...]
    #: Labels that the facts do not have, with the one value that they stand for.
    fixed: tuple[tuple[str, str], ...] = ()


def facts(code: str, labels: str = "", **fixed: str) -> Facts:
    """Facts by their code and labels (names, with blanks between)."""
    return Facts(code, tuple(labels.split()), tuple(fixed.items()))


@dataclass(frozen=True, eq=False)
class Metric:
    """One metric family. A counter's name ends in `_total`, a histogram's in its unit."""

    name: str
    kind: Kind
    #: With `program` first, where it is of one.
    labels: tuple[str, ...]
    help: str
    values: Values
    #: The facts that a counter or histogram sums.
    sums: tuple[Facts, ...] = ()
    #: How a gauge, or a counter that is no sum of facts, is read; none: it has nothing but `start`, or is not of a program.
    read: Callable[[Look], Mapping[Labels, float]] | None = None
    #: Kept in microseconds, shown in seconds.
    micros: bool = False
    #: The value of what is there from the start.
    start: int = 0

    @property
    def of_program(self) -> bool:
        """Whether its samples are of one program each."""
        return self.labels[:1] == ("program",)


def corrected_as(metric: Metric, labels: Labels) -> Labels:
    """The label values (see CORRECTED_LABELS) that a corrected fact of a metric has. Source: the contract, section 4."""
    told = dict(zip(metric.values.labels, labels, strict=True))
    own = [told.pop(label, "") for label in CORRECTED_LABELS[1:-1]]
    return (metric.name, *own, "/".join(told.values()))
