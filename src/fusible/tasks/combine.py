"""Model-level strategies: a rule fitted on predictions for rows that its members did not see."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from fusible import registry
from fusible.ensembles._base import Rule
from fusible.errors import ConfigError
from fusible.evaluation.calibration import temperature
from fusible.tasks.context import Context, Fitted, empty_scores
from fusible.tasks.nodes import EnsembleNode, encodings, labelled_views, predictions, seeing, sight


def members_of(rule: str, views: list[Fitted], candidates: list[Fitted], strategies: list[Fitted]) -> list[Fitted]:
    """What a rule combines, by its `members`: one per view, every candidate encoder, or all that is fitted."""
    kind = registry.get("ensembles", rule).members
    found = {"views": views, "candidates": candidates, "strategies": strategies}
    if kind not in found:
        raise ConfigError(
            f"rule {rule!r}: members: expected one of {', '.join(found)}, got {kind!r}; set it in its class"
        )
    return found[kind]


def fit_ensemble(
    context: Context, rule: str, members: list[Fitted], *, name: str = "", family: str = "model"
) -> Fitted:
    """Fit a rule on the held-out rows that all members share; its own held-out predictions are cross-fitted there."""
    start = time.perf_counter()
    rows = reduce(np.intersect1d, [member.known for member in members])
    rows = np.intersect1d(rows, np.concatenate([context.split.train, context.split.valid]))
    name = name or f"model:{rule}"
    held_out = empty_scores(context)
    held_out[rows] = context.prior
    part = registry.build("ensembles", rule)
    told = _Told(context, members, part)
    for rest, fold in context.folds(rows):
        node = _fit_rule(context, name, rule, members, rest, told)
        scores = [m.held_out[fold] for m in members]
        held_out[fold] = node.rule.predict(
            predictions(node.members, scores, told.present[fold], node.temperatures, context.task, told.of(fold))
        )
    node = _pruned(_fit_rule(context, name, rule, members, rows, told))
    return Fitted(name, family, node, held_out, time.perf_counter() - start)


class _Told:
    """What a rule is told of the rows of the table beside its members' scores."""

    def __init__(self, context: Context, members: list[Fitted], rule: Rule) -> None:
        everything = np.arange(context.source.dataset.rows)
        nodes = [member.node for member in members]
        for node in nodes:
            node.prepare(context.source)
        self.metric = context.metric
        self.encodings = encodings(nodes, context.source, everything) if rule.sees_encodings else None
        self.present = np.stack([node.presence(context.source, everything) for node in nodes], axis=1)
        self.sight = sight(nodes, context.source, everything)
        for view in labelled_views(nodes) if self.encodings is not None else ():
            # the encoder saw these rows' labels: their encodings tell more than those of new rows will
            self.encodings[view][context.split.train] = np.nan  # type: ignore[index]

    def of(self, rows: np.ndarray) -> Mapping[str, Any]:
        """Some rows' `Predictions.extra`."""
        extra = {**self.sight, "seen": self.sight["seen"][rows], "metric": self.metric}
        if self.encodings is not None:
            extra["encodings"] = {view: values[rows] for view, values in self.encodings.items()}
        return extra


def _fit_rule(
    context: Context, name: str, rule: str, members: list[Fitted], rows: np.ndarray, told: _Told
) -> EnsembleNode:
    part = registry.build("ensembles", rule)
    truth = context.learned[rows]
    temperatures = [
        _temperature(context, member, rows[told.present[rows, k]]) if part.calibrated else 1.0
        for k, member in enumerate(members)
    ]
    nodes = tuple(member.node for member in members)
    scores = [member.held_out[rows] for member in members]
    given = predictions(nodes, scores, told.present[rows], temperatures, context.task, told.of(rows))
    part.fit(given, truth, context.task)
    return EnsembleNode(name, context.task, part.prior_, part, rule, nodes, tuple(temperatures))


def _pruned(node: EnsembleNode) -> EnsembleNode:
    """The node without members that cannot count, provided that its views stay as they are."""
    needed = node.rule.needed()
    if needed is None or needed.all():
        return node
    kept = [place for place, wanted in enumerate(needed) if wanted]
    members = tuple(node.members[place] for place in kept)
    if [view.name for view in seeing(members)[0]] != [view.name for view in seeing(node.members)[0]]:
        return node
    node.rule.keep(needed)
    return replace(node, members=members, temperatures=tuple(node.temperatures[place] for place in kept))


def _temperature(context: Context, member: Fitted, rows: np.ndarray) -> float:
    if not len(rows):
        return 1.0
    return temperature(member.held_out[rows], context.learned[rows], context.task)
