"""Attribution: which views, pairs of views and table columns a fitted strategy rests on.

A coalition of views is valued by hiding all other views, exactly as if they were absent in the table: what is explained
is the model as it is used, not a copy of it retrained on fewer views.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fusible.evaluation import bootstrap, metrics
from fusible.evaluation.explanation import ColumnEffect, Explanation, Interaction, Share
from fusible.evaluation.shapley import MOST_PLAYERS, coalitions, interactions, shapley_values
from fusible.tasks._ground import Memory
from fusible.tasks.choose import threshold_of
from fusible.tasks.context import Context, Fitted
from fusible.tasks.nodes import EnsembleNode, NetworkNode, Node
from fusible.tasks.source import Source
from fusible.tasks.target import Target
from fusible.types import Modality, View, ViewData

MOST_ROWS = 2_000
"""Of more rows, so many are drawn: Shapley values need a prediction per coalition of views."""
REPEATS = 5
"""How often a column is permuted."""
LEVELS = (2.5, 97.5)


def still(node: Node) -> Node:
    """The same node, whose networks take every view encoded: items are encoded once for all coalitions."""
    if isinstance(node, NetworkNode) and node.live:
        return replace(node, live=())
    if isinstance(node, EnsembleNode):
        return replace(node, members=tuple(map(still, node.members)))
    return node


def seen_views(node: Node) -> list[View]:
    """Views that a node sees, each once."""
    return list({view.name: view for view, _ in node.inputs()}.values())


def attribute(
    node: Node,
    target: Target,
    metric: str,
    source: Source,
    truth: np.ndarray,
    *,
    threshold: float | None = None,
    seed: int = 0,
) -> Explanation:
    """Attribute a score to views, their pairs, and columns of tables.

    `source` holds the rows, `truth` their target in original units. Values are improvements of the metric: positive is
    better, whatever the metric. Raises `ConfigError` beyond ten views.
    """
    memory = Memory()
    node = memory.shared(node)
    views, rows = seen_views(node), np.arange(len(truth))
    members = coalitions(len(views))
    node.prepare(source)
    sign = metrics.METRICS[metric].sign

    def score(predicted: np.ndarray) -> float:
        return sign * metrics.score(metric, target.task, truth, target.backward(predicted), threshold)

    tables = [node.scores(hidden(source, views, inside), rows) for inside in members]
    values = np.array([score(table) for table in tables])
    intervals = _intervals(metric, target, truth, tables, threshold, seed)
    return Explanation(
        strategy=node.name,
        target=target.column,
        task=target.task.kind,
        unit=metric,
        base=sign * float(values[0]),
        value=sign * float(values[-1]),
        views=shares(views, values, source.presence(views, rows).mean(axis=0), sign, intervals),
        interactions=pairs(views, values),
        columns=column_importance(node, memory, views, source, rows, score, seed),
        rows=len(rows),
        notes=one_view(views),
        seed=seed,
    )


def study_attribution(context: Context, fitted: Fitted) -> Explanation | None:
    """Attribute a strategy's score on the test rows; nothing for one view, and with a note for too many."""
    views = seen_views(fitted.node)
    if not 2 <= len(views) <= MOST_PLAYERS:
        if len(views) > MOST_PLAYERS:
            context.notes.append(f"attribution was skipped: {len(views)} views, expected at most {MOST_PLAYERS}")
        return None
    whole = context.source
    test = context.split.test[sample(len(context.split.test), MOST_ROWS, context.seed)]
    source = Source(
        replace(whole.dataset, problems=[]), cache=whole.cache, workers=whole.workers, device=whole.device, rows=test
    )
    truth = context.target.original(context.learned[test])
    found = attribute(
        fitted.node, context.target, context.metric, source, truth,
        threshold=threshold_of(context, fitted), seed=context.seed,
    )  # fmt: skip
    found.notes += drawn(len(test), len(context.split.test))
    return found


def one_view(views: Sequence[View]) -> list[str]:
    """Say that there is nothing to share out, where there is one view."""
    if len(views) > 1:
        return []
    return [f"the model sees one view, {views[0].name!r}: its Shapley value is the whole difference"]


def drawn(kept: int, rows: int) -> list[str]:
    """Say that not all rows were taken, where it is so."""
    return [] if kept == rows else [f"{kept:,} of {rows:,} rows were drawn by seed"]


def sample(count: int, most: int, seed: int) -> np.ndarray:
    """Positions of at most `most` of `count` rows, drawn by seed, in their order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def hidden(source: Source, views: Sequence[View], inside: np.ndarray) -> Source:
    """The source with views hidden: `inside` (views,) for all rows, or (rows of the source, views)."""
    rows = [len(source.data(view).ids) for view in views]
    gone = np.broadcast_to(~inside, (rows[0], len(views)))
    return source.hiding({view.name: gone[:, i] for i, view in enumerate(views)})


def shares(
    views: Sequence[View],
    values: np.ndarray,
    present: np.ndarray,
    sign: int = 1,
    intervals: np.ndarray | None = None,
) -> list[Share]:
    """Shapley values of views, with the value of each alone and of all without it.

    `values` (2^views,) of coalitions, times `sign` where less would be better.
    """
    found = shapley_values(values)
    every = len(values) - 1
    return [
        Share(
            view.name,
            str(view.modality),
            float(found[i]),
            float(present[i]),
            sign * float(values[1 << i]),
            sign * float(values[every - (1 << i)]),
            *(() if intervals is None else map(float, intervals[:, i])),
        )
        for i, view in enumerate(views)
    ]


def pairs(views: Sequence[View], values: np.ndarray) -> list[Interaction]:
    """Interactions of all pairs of views, the strongest first."""
    found = interactions(values)
    every = [
        Interaction((a.name, b.name), float(found[i, j]))
        for i, a in enumerate(views)
        for j, b in enumerate(views)
        if i < j
    ]
    return sorted(every, key=lambda pair: -abs(pair.value))


def column_importance(
    node: Node,
    memory: Memory,
    views: Sequence[View],
    source: Source,
    rows: np.ndarray,
    score: Callable[[np.ndarray], float],
    seed: int,
) -> list[ColumnEffect]:
    """Permutation importance of table columns (Breiman, 2001): the drop of the score, the mean of `REPEATS` drops.

    Cells are permuted among those rows that have the view, so that presence stays as it is. The greatest drop first.
    `memory` is that of the node: members that do not see the table are scored once.
    """
    whole = score(node.scores(source, rows))
    found = []
    for view in views:
        if view.modality is not Modality.TABLE:
            continue
        small = _rows_only(source, view, rows)
        held = small.values
        for place, column in enumerate(view.columns):
            rng = np.random.default_rng([seed, place])
            drops = []
            for _ in range(REPEATS):
                cells = held.copy()
                cells[column] = held[column].to_numpy()[rng.permutation(len(held))]
                changed = source.replacing({view.name: replace(small, values=cells)})
                memory.clear(view.name)
                drops.append(whole - score(node.scores(changed, rows)))
            memory.clear(view.name)
            found.append(ColumnEffect(view.name, column, float(np.mean(drops)), float(np.std(drops, ddof=1))))
    return sorted(found, key=lambda effect: -effect.value)


def _rows_only(source: Source, view: View, rows: np.ndarray) -> ViewData:
    """The view with the items of those rows only that have it."""
    data = source.data(view)
    there = rows[data.ids[rows, 0] >= 0]
    ids = np.full_like(data.ids, -1)
    ids[there, 0] = np.arange(len(there))
    return ViewData(view, ids, data.values.iloc[data.ids[there, 0]].reset_index(drop=True))


def _intervals(
    metric: str,
    target: Target,
    truth: np.ndarray,
    tables: Sequence[np.ndarray],
    threshold: float | None,
    seed: int,
) -> np.ndarray:
    """95 % percentile intervals (2, views) of Shapley values: the same resamples of rows for all coalitions."""
    prepared = [metrics.scorer(metric, target.task, truth, target.backward(table), threshold) for table in tables]
    resamples = bootstrap.affordable(metric, target.task, len(truth) * len(tables), 1000)
    drawn = [
        shapley_values(np.stack([score(weights) for score in prepared]))
        for weights in bootstrap.draws(len(truth), resamples, seed)
    ]
    joined = metrics.METRICS[metric].sign * np.concatenate(drawn, axis=1)
    return np.asarray(np.percentile(joined, LEVELS, axis=1))
