"""What a PromQL expression would give, read from its syntax: which labels the result has, and what it asks for wrongly.

Made for every expression that is shipped: signals, rules, panels. It knows the metrics that the collector exports and
their labels; a name that it does not know, or a label that cannot be there, is a problem.
"""

from __future__ import annotations

import re
from typing import Any

import promql_parser as ast

from dashboards.catalogue.pipeline import ALERTS, UP
from dashboards.catalogue.recorded import RECORDED
from streams.metrics import PIPELINE_METRICS, PROGRAM_METRICS, Metric

#: Labels that a scrape adds to each series.
TARGET = {"job", "instance"}
#: Grafana's variables, as it fills them in: a range of 7 days looked at in steps of 10 minutes.
GRAFANA = {
    "$__range": "7d",
    "$__range_s": "604800",
    "$__interval": "10m",
    "$__rate_interval": "10m",
}


def known() -> dict[str, set[str]]:
    """The labels of every series name that can be asked for."""
    names: dict[str, set[str]] = {}
    for metric in (*PROGRAM_METRICS, *PIPELINE_METRICS):
        names |= _series(metric)
    return names | {metric.name: set(metric.labels) for metric in (*RECORDED, UP, ALERTS)}


def _series(metric: Metric) -> dict[str, set[str]]:
    labels = {*metric.labels, *TARGET}
    if metric.kind != "histogram":
        return {metric.name: labels}
    return {
        f"{metric.name}_bucket": labels | {"le"},
        f"{metric.name}_count": labels,
        f"{metric.name}_sum": labels,
    }


def filled(expr: str) -> str:
    """The expression with Grafana's own variables filled in; the dashboard's stay, in strings they do no harm."""
    for variable in sorted(GRAFANA, key=len, reverse=True):
        expr = expr.replace(variable, GRAFANA[variable]).replace(f"${{{variable[1:]}}}", GRAFANA[variable])
    return expr


class Query:
    """A parsed expression: its labels, the series it asks for and its problems."""

    def __init__(self, expr: str) -> None:
        """Parse it. Raises ValueError if it is no PromQL."""
        self.problems: list[str] = []
        self.names: set[str] = set()
        self._known = known()
        self.labels = self._of(ast.parse(filled(expr)))

    def _of(self, node: Any) -> set[str]:  # the parser's classes have no common base with attributes
        match node:
            case ast.VectorSelector():
                return self._selector(node)
            case ast.MatrixSelector():
                return self._of(node.vector_selector)
            case ast.AggregateExpr():
                return self._aggregate(node)
            case ast.BinaryExpr():
                return self._binary(node)
            case ast.Call():
                return self._call(node)
            case ast.ParenExpr() | ast.UnaryExpr() | ast.SubqueryExpr():
                return self._of(node.expr)
            case ast.NumberLiteral() | ast.StringLiteral():
                return set()
        raise AssertionError(f"{type(node).__name__} is not read here yet")

    def _selector(self, node: ast.VectorSelector) -> set[str]:
        self.names.add(node.name or "")
        labels = self._known.get(node.name or "")
        if labels is None:
            self.problems.append(f"{node.name} is exported by nobody")
            return set()
        self._need({matcher.name for matcher in node.matchers.matchers}, labels, f"a matcher of {node.name}")
        return labels

    def _aggregate(self, node: ast.AggregateExpr) -> set[str]:
        inside = self._of(node.expr)
        named = set(node.modifier.labels) if node.modifier else set()
        self._need(named, inside, str(node.op))
        if str(node.op) in ("topk", "bottomk"):
            return inside
        kept = inside - named if node.modifier and node.modifier.type == ast.AggModifierType.Without else named
        return kept | {node.param.val} if isinstance(node.param, ast.StringLiteral) else kept

    def _binary(self, node: ast.BinaryExpr) -> set[str]:
        left, right = self._of(node.lhs), self._of(node.rhs)
        matching = node.modifier.matching if node.modifier else None
        scalar = not left or not right
        if matching is None:
            if not scalar and left != right and str(node.op) != "or":
                self.problems.append(
                    f"{node.op} of series with labels {sorted(left)} and {sorted(right)}, without on ()"
                )
            return left or right
        assert matching.type == ast.LabelModifierType.Include, "write on (), not ignoring ()"
        self._need(set(matching.labels), left & right, f"on () of {node.op}")
        if str(node.op) in ("and", "or", "unless"):
            return left
        match node.modifier.card if node.modifier else None:
            case ast.VectorMatchCardinality.ManyToOne:
                return left | self._taken(node, right)
            case ast.VectorMatchCardinality.OneToMany:
                return right | self._taken(node, left)
        return set(matching.labels)

    def _taken(self, node: ast.BinaryExpr, one: set[str]) -> set[str]:
        """The labels that a group_left or group_right takes from the one side."""
        taken = set(node.modifier.group_labels or ()) if node.modifier else set[str]()
        self._need(taken, one, f"group of {node.op}")
        return taken

    def _call(self, node: ast.Call) -> set[str]:
        labels = set[str]().union(*(self._of(argument) for argument in node.args))
        match node.func.name:
            case "histogram_quantile":
                self._need({"le"}, labels, "histogram_quantile")
                return labels - {"le"}
            case "label_replace":
                texts = [argument.val for argument in node.args if isinstance(argument, ast.StringLiteral)]
                self._need({texts[2]} - {""}, labels, "label_replace")
                return labels | {texts[0]}
            case "label_join":
                texts = [argument.val for argument in node.args if isinstance(argument, ast.StringLiteral)]
                self._need(set(texts[2:]), labels, "label_join")
                return labels | {texts[0]}
            case "absent":
                return set(re.findall(r'(\w+)="', node.args[0].prettify()))
        return labels

    def _need(self, wanted: set[str], there: set[str], where: str) -> None:
        if missing := wanted - there:
            self.problems.append(f"{where} names {', '.join(sorted(missing))}, which is not among {sorted(there)}")
