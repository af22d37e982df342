"""Missing patterns that change: strategies fitted where one view is missing, asked where another is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusible.errors import ConfigError, SchemaError
from fusible.evaluation.missing import shifted
from fusible.evaluation.robustness import SHIFT, RobustnessResult
from fusible.tasks._ground import Ground, Subject, curves
from fusible.tasks.choose import threshold_of
from fusible.tasks.compare import fit_strategies, prepare
from fusible.tasks.context import Context

LEVELS = (0.0, 1.0)


def pattern_shift(
    data: Any,
    target: str,
    train: Mapping[str, float],
    test: Mapping[str, float],
    *,
    strategies: Sequence[str] | None = None,
    encoders: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    views: Mapping[str, Sequence[str]] | None = None,
    metric: str | None = None,
    baseline: str | None = None,
    seed: int = 0,
    **options: Any,
) -> RobustnessResult:
    """Fit strategies on one pattern of missing views and score them on the same pattern and on another.

    Parameters
    ----------
    data, target, strategies, encoders, columns, views, metric, seed
        As of `fusible.compare`.
    train : mapping
        `{view: rate}`: hidden at random in training and validation rows.
    test : mapping
        `{view: rate}`: hidden at random in test rows instead.
    baseline : str, optional
        The strategy that relative and effective robustness refer to.
    **options
        `device`, `workers`, `cache` and `progress`, as of `fusible.compare`.

    Returns
    -------
    RobustnessResult
        One curve of kind `pattern shift` per strategy: level 0 is test rows with the pattern of training, level 1
        test rows with the other.

    Raises
    ------
    FusibleError
        One line: a view that does not exist, a rate that is no share, and all that `fusible.compare` raises.
    """
    start = time.perf_counter()
    context, used = prepare(data, target, columns, views, metric, seed, **options)
    _check([view.name for view in used], {**train, **test})
    fitting = np.concatenate([context.split.train, context.split.valid])
    clean = context.source
    for view in used:
        clean.data(view)
    context.source = clean.hiding(_masks(context, fitting, train, seed))
    study = fit_strategies(context, used, encoders or {}, strategies)
    names = tuple(view.name for view in used)
    if baseline is not None and baseline not in {f.name for f in study.fitted}:
        raise ConfigError(f"baseline {baseline!r}: expected one of {[f.name for f in study.fitted]}")
    rows = context.split.test
    truth = context.target.original(context.learned[rows])
    scored: dict[str, list[Any]] = {}
    for pattern in (train, test):
        source = context.source.hiding(_masks(context, rows, pattern, seed + 1))
        ground = Ground(source, rows, truth, context.target, context.metric, used, seed)
        for one in [Subject(f.name, f.node, threshold_of(context, f)) for f in study.fitted]:
            scored.setdefault(one.name, []).append(ground.score(one.node.scores(source, rows), one.threshold))
    label = f"{_words(train)} in training, {_words(test)} in test"
    return RobustnessResult(
        context.task,
        context.metric,
        target,
        len(rows),
        names,
        tuple(scored),
        baseline,
        curves=curves(ground, (SHIFT, label, ""), LEVELS, scored, list(scored), baseline),
        seed=seed,
        notes=list(context.notes),
        seconds=time.perf_counter() - start,
    )


def _masks(context: Context, rows: np.ndarray, pattern: Mapping[str, float], seed: int) -> dict[str, np.ndarray]:
    """Masks over the table: each view of a pattern hidden at its rate, in these rows only."""
    total = context.source.dataset.rows
    masks: dict[str, np.ndarray] = {}
    for place, (view, rate) in enumerate(pattern.items()):
        masks |= shifted({view: rows}, total, rate, seed + 1_000 * place)
    return masks


def _check(known: Sequence[str], rates: Mapping[str, float]) -> None:
    for view, rate in rates.items():
        if view not in known:
            raise SchemaError(f"view {view!r}: no such view; expected one of {', '.join(known)}")
        if not 0.0 <= rate <= 1.0:
            raise ConfigError(f"view {view!r}: missing rate: expected a share from 0 to 1, got {rate}")


def _words(pattern: Mapping[str, float]) -> str:
    return " and ".join(f"{view} {rate:.0%}" for view, rate in pattern.items()) or "nothing"
