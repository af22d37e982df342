"""Model-level strategies: a rule fitted on predictions for rows that its members did not see."""

from __future__ import annotations

import time
from functools import reduce

import numpy as np

from fusible import registry
from fusible.evaluation.calibration import temperature
from fusible.tasks.context import Context, Fitted, empty_scores
from fusible.tasks.nodes import EnsembleNode, predictions


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
    present = np.stack([m.node.presence(context.source, np.arange(len(held_out))) for m in members], axis=1)
    for rest, fold in context.folds(rows):
        node = _fit_rule(context, name, rule, members, rest, present)
        scores = [m.held_out[fold] for m in members]
        held_out[fold] = node.rule.predict(
            predictions(node.members, scores, present[fold], node.temperatures, context.task)
        )
    node = _fit_rule(context, name, rule, members, rows, present)
    return Fitted(name, family, node, held_out, time.perf_counter() - start)


def _fit_rule(
    context: Context, name: str, rule: str, members: list[Fitted], rows: np.ndarray, present: np.ndarray
) -> EnsembleNode:
    part = registry.build("ensembles", rule)
    truth = context.learned[rows]
    temperatures = [
        _temperature(context, member, rows[present[rows, k]]) if part.calibrated else 1.0
        for k, member in enumerate(members)
    ]
    nodes = tuple(member.node for member in members)
    scores = [member.held_out[rows] for member in members]
    part.fit(predictions(nodes, scores, present[rows], temperatures, context.task), truth, context.task)
    return EnsembleNode(name, context.task, part.prior_, part, rule, nodes, tuple(temperatures))


def _temperature(context: Context, member: Fitted, rows: np.ndarray) -> float:
    if not len(rows):
        return 1.0
    return temperature(member.held_out[rows], context.learned[rows], context.task)
