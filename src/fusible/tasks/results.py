"""From a fitted study to its result: the test part is scored here, once."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from fusible.encoders._base import Encoder
from fusible.evaluation import bootstrap, metrics
from fusible.evaluation.study import Difference, StrategyResult, StudyResult
from fusible.evaluation.verdict import NO_EVIDENCE, statement, verdict
from fusible.tasks.attribution import study_attribution
from fusible.tasks.balance import balance
from fusible.tasks.choose import choose, kept, threshold_of
from fusible.tasks.context import Context, Fitted
from fusible.tasks.examples import contrasts, examples
from fusible.tasks.model import Model
from fusible.tasks.nodes import NetworkNode
from fusible.tasks.robustness import study_robustness
from fusible.tasks.settings import describe
from fusible.tasks.source import Source
from fusible.types import Role, View

if TYPE_CHECKING:
    from fusible.tasks.compare import Study

SAMPLE = 64
"""Test rows on which prediction is timed, decoding and encoding included, nothing cached."""
Seen = tuple[str, int, bool, bool]
PACKAGES = ("fusible", "torch", "numpy", "scikit-learn", "lightgbm", "transformers", "pyarrow", "pandas")


def study_result(study: Study, *, command: str, keep: str | None = None, robust: bool = False) -> StudyResult:
    """Choose, score the test rows, compare with the best single view, and gather what the report needs."""
    context = study.context
    with study.stages("choose"):
        auto, single, why = choose(context, study.fitted) if keep is None else kept(context, study.fitted, keep)
    with study.stages("test"):
        scores = {f.name: f.node.scores(context.source, context.split.test) for f in study.fitted}
    with study.stages("time"):
        speeds = _speeds(context, study.fitted)
    with study.stages("score"):
        rows = [_row(context, f, scores[f.name], speeds[f.name]) for f in study.fitted]
        difference = _difference(context, auto, single, scores)
    chosen = next(row for row in rows if row.name == auto.name)
    rows.append(_as_auto(chosen, why))
    backward, original = context.target.backward, context.target.original
    settled = NO_EVIDENCE if auto is single else verdict(difference)
    result = StudyResult(
        task=context.task,
        metric=context.metric,
        target=context.target.column,
        rows=context.split.sizes,
        strategies=rows,
        best_single=single.name,
        auto=auto.name,
        verdict=settled,
        difference=difference,
        statement=statement(difference, metric=context.metric, auto=auto.name, best_single=single.name),
        columns=_columns(context),
        views=_views(study),
        problems=_problems(context),
        settings=_settings(study),
        seed=context.seed,
        command=command,
        versions=versions(),
        seconds=dict(study.stages.seconds),
        truth=original(context.learned[context.split.test]),
        predictions={name: backward(s) for name, s in scores.items()},
        examples=examples(context, scores[auto.name], threshold_of(context, auto)),
        contrasts=_contrasts(study, scores),
    )
    result.best = _model(study, auto, result)
    with study.stages("explain"):
        result.attribution = study_attribution(context, auto)
        result.balance = balance(study)
    if robust:
        with study.stages("robust"):
            result.robustness = study_robustness(context, study.fitted, result.best_single)
    result.seconds = dict(study.stages.seconds)
    return result


def _row(context: Context, fitted: Fitted, scores: np.ndarray, speed: float) -> StrategyResult:
    backward, original, threshold = context.target.backward, context.target.original, threshold_of(context, fitted)
    truth, predicted = original(context.learned[context.split.test]), backward(scores)
    valid = context.split.valid
    held = (original(context.learned[valid]), backward(fitted.held_out[valid]))
    interval = partial(bootstrap.interval, context.metric, context.task, threshold=threshold, seed=context.seed)
    return StrategyResult(
        name=fitted.name,
        family=fitted.family,
        test=interval(truth, predicted),
        valid=interval(*held),
        metrics=metrics.all_scores(context.task, truth, predicted, threshold),
        parameters=fitted.node.parameters(),
        fit_seconds=round(fitted.seconds, 3),
        rows_per_second=round(speed, 1),
        note=fitted.note,
        threshold=threshold,
    )


def _contrasts(study: Study, scores: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    singles = [f for f in study.fitted if f.family == "single"]
    thresholds = {f.name: threshold_of(study.context, f) for f in singles}
    return contrasts(study.context, {f.name: scores[f.name] for f in singles}, thresholds)


def _as_auto(chosen: StrategyResult, why: str) -> StrategyResult:
    return replace(chosen, name="auto", family="auto", note=f"{chosen.name}: {why}")


def _difference(context: Context, a: Fitted, b: Fitted, scores: dict[str, np.ndarray]) -> Difference:
    if a is b:
        return Difference(0.0, 0.0, 0.0, 0.5)
    backward = context.target.backward
    return bootstrap.paired(
        context.metric,
        context.task,
        context.target.original(context.learned[context.split.test]),
        backward(scores[a.name]),
        backward(scores[b.name]),
        threshold=threshold_of(context, a),
        threshold_b=threshold_of(context, b),
        seed=context.seed,
    )


def _speeds(context: Context, fitted: Sequence[Fitted]) -> dict[str, float]:
    """Rows per second at prediction: the strategy's encoders on a sample, each timed once, and its own part."""
    rows = context.split.test[:SAMPLE]
    part = Source(context.source.dataset.take(rows), workers=context.source.workers, device=context.device)
    encoding = _encoding_seconds(part, fitted)
    speeds = {}
    for item in fitted:
        seconds = sum(encoding[key] for key in _seen(item))
        start = time.perf_counter()
        item.node.scores(part, np.arange(len(rows)))
        speeds[item.name] = len(rows) / max(1e-9, seconds + time.perf_counter() - start)
    return speeds


def _encoding_seconds(part: Source, fitted: Sequence[Fitted]) -> dict[Seen, float]:
    """Seconds that each encoder takes; vectors before sequences, from which they would be had for nothing."""
    every = {key: pair for item in fitted for key, pair in _seen(item).items()}
    found = {}
    for key in sorted(every, key=lambda key: key[3]):
        view, encoder = every[key]
        start = time.perf_counter()
        part.feed(view, encoder, encoded=not key[2], tokens=key[3])
        found[key] = time.perf_counter() - start
    return found


def _seen(item: Fitted) -> dict[Seen, tuple[View, Encoder]]:
    """What the strategy's networks see, each once, by view, encoder, whether it is live, whether as sequences."""
    found = {}
    for leaf in item.node.leaves():
        if isinstance(leaf, NetworkNode):
            for view, encoder in leaf.inputs():
                key = (view.name, id(encoder), view.name in leaf.live, leaf.network.reads_tokens)
                found[key] = (view, encoder)
    return found


def _model(study: Study, auto: Fitted, result: StudyResult) -> Model:
    context = study.context
    info = {
        "fusible": _version("fusible"),
        "strategy": auto.name,
        "seed": context.seed,
        "data_fingerprint": context.source.dataset.fingerprint,
        "rows": context.split.sizes,
        "versions": result.versions,
        "test": {row.name: row.test.score for row in result.strategies},
        "verdict": result.verdict,
    }
    views = tuple({view.name: view for view, _ in auto.node.inputs()}.values())
    seen = {name for view in views for name in view.columns}
    columns = tuple(
        replace(c, role=Role.IGNORE, reason="not used by the model")
        if c.role is Role.INPUT and c.name not in seen
        else c
        for c in context.source.dataset.columns.values()
    )
    return Model(auto.node, context.target, columns, views, context.metric, threshold_of(context, auto), info)


def _columns(context: Context) -> list[dict[str, Any]]:
    table = context.source.dataset.table
    return [
        {
            "name": c.name,
            "modality": str(c.modality),
            "role": str(c.role),
            "reason": c.reason,
            "coverage": 1.0 - table.column(c.name).null_count / max(1, table.num_rows),
        }
        for c in context.source.dataset.columns.values()
    ]


def _views(study: Study) -> list[dict[str, Any]]:
    used = {c.view.name: c.encoder_name for c in study.chosen}
    return [
        {
            "name": view.name,
            "modality": str(view.modality),
            "columns": list(view.columns),
            "encoders": [c.encoder_name for c in study.candidates[view.name]],
            "fused_through": used[view.name],
            "reason": study.reasons[view.name],
            "coverage": float(study.context.source.data(view).presence.mean()),
        }
        for view in study.views
    ]


def _problems(context: Context) -> list[Any]:
    return [*context.source.dataset.problems, *context.source.problems]


def _settings(study: Study) -> dict[str, Any]:
    context = study.context
    return {
        **describe(context, list(study.views)),
        "target": {k: v for k, v in context.target.to_config().items() if k not in {"classes"}},
        "encoder_settings": {c.encoder_name: dict(c.encoder.settings) for cs in study.candidates.values() for c in cs},
        "items": dict(context.source.counts),
        "workers": context.source.workers,
        "device": context.device,
        "notes": list(context.notes),
        **({"tried": list(context.tried)} if context.tried else {}),
    }


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on, and of Python."""
    return {**{p: _version(p) for p in PACKAGES}, "python": platform.python_version()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
