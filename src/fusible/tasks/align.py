"""Align views of a table without a target: what they share, and how much of it holds on new rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from fusible.alignment._scores import component_correlations
from fusible.data.cache import ArrayCache
from fusible.data.read import read
from fusible.data.split import make_split
from fusible.encoders._base import Encoder
from fusible.errors import DataError, SchemaError
from fusible.evaluation import similarity
from fusible.evaluation.alignment import Alignment, Component
from fusible.evaluation.cost import Stages
from fusible.tasks._blocks import blocks_of, codes_of, one_each, shown_notes
from fusible.tasks.aligned import build_aligner, check_aligner, chosen_by_folds, clock, fit_quietly, room
from fusible.tasks.aligner import TableAligner, project
from fusible.tasks.label_free import chosen_views, fit_encoder, label_free_encoders
from fusible.tasks.results import versions
from fusible.tasks.source import Progress, Source
from fusible.tasks.vectors import pooled
from fusible.types import View

RANKS = (1, 10)
FEWEST = 10
"""Rows with two views present, of training and of test, below which nothing can be said."""


@dataclass(slots=True)
class Rows:
    """Vectors of every view on training and test rows (absent: NaN), and which rows belong to one item or group."""

    train: dict[str, np.ndarray]
    test: dict[str, np.ndarray]
    train_blocks: np.ndarray
    test_blocks: np.ndarray


def align(
    data: Any,
    views: Sequence[str] | None = None,
    method: str | None = None,
    *,
    components: int | None = None,
    columns: Mapping[str, str] | None = None,
    join: Mapping[str, Sequence[str]] | None = None,
    encoders: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    workers: int | None = None,
    cache: str | Path | ArrayCache | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> Alignment:
    """Fit an aligner on training rows and measure on test rows what the views share.

    Parameters
    ----------
    data : path, pandas.DataFrame, pyarrow.Table or Dataset
        The table; see `fusible.read`. No target is needed: take one out with `columns={"price": ":ignore"}`.
    views : sequence of str, optional
        Names of two or more views (default: all).
    method : str, optional
        A registered aligner (default: `cca` for two views, `mcca` for more).
    components : int, optional
        Dimensions of the common space (default: chosen by cross-validation for linear methods, else by a rule).
    columns, join : mapping, optional
        What columns are, and which are joined in one view; see `columns` and `views` of `fusible.read`.
    encoders : mapping, optional
        `{view: encoder}`; only those that need no labels.
    seed, device, workers, cache, progress, command
        As in `fusible.compare`.

    Returns
    -------
    Alignment
        Held-out correlations with intervals and p-values, modality gap, CKA, retrieval; `aligner` embeds new rows.

    Raises
    ------
    FusibleError
        One line: a table, view, encoder, split or setting that cannot be used.
    """
    stages, start = Stages(), time.perf_counter()
    dataset = read(data, columns=columns, views=join)
    if dataset.rows < 2 * FEWEST:
        raise DataError(f"the table has {dataset.rows} rows; expected {2 * FEWEST} at least, to learn and to test on")
    chosen = chosen_views(dataset.views, views)
    method = method or ("cca" if len(chosen) == 2 else "mcca")
    check_aligner(method, len(chosen))
    if unknown := set(encoders or {}) - {view.name for view in chosen}:
        raise SchemaError(
            f"--encoder: view {sorted(unknown)[0]!r} is not aligned; views are {[v.name for v in chosen]}"
        )
    store = cache if isinstance(cache, ArrayCache) else ArrayCache(Path(cache) if cache is not None else None)
    source = Source(dataset, cache=store, workers=workers or 4, device=device, progress=progress)
    with stages("encode"):
        blocks, repeated = blocks_of(source, chosen)
        split = make_split(dataset, seed=seed, groups=blocks if repeated else None)
        learn = np.sort(np.concatenate([split.train, split.valid]))
        found, described = _encode(source, chosen, learn, dict(encoders or {}), seed)
        rows = _rows(source, found, learn, split.test, blocks)
    with stages("fit"):
        aligner, settings, notes = _fit(method, components, rows, seed, device, clock(found))
    with stages("measure"):
        result = _measure(method, aligner, rows, seed)
        result.retrieval = _retrieval(source, chosen, rows, aligner, split.test)
    if repeated:
        notes.append(f"rows of one {repeated} stay together in resamples, in tests and in a drawn split")
    notes += shown_notes(source, chosen, learn, split.test)
    result.views, result.settings, result.notes = described, {**result.settings, **settings}, notes
    result.problems = [*dataset.problems, *source.problems]
    result.seed, result.command, result.versions = seed, command, versions()
    result.seconds = {**stages.seconds, "total": time.perf_counter() - start}
    result.aligner = _table_aligner(method, dataset.columns, chosen, found, aligner, result)
    return result


def _encode(
    source: Source, views: Sequence[View], learn: np.ndarray, given: Mapping[str, str], seed: int
) -> tuple[dict[str, Encoder], list[dict[str, Any]]]:
    found, described = {}, []
    names = label_free_encoders(source, views, learn, given)
    for view in views:
        name, why = names[view.name]
        found[view.name] = encoder = fit_encoder(source, view, name, learn, seed)
        feed = source.feed(view, encoder, encoded=True)
        described.append(
            {
                "name": view.name,
                "modality": str(view.modality),
                "columns": list(view.columns),
                "encoder": name,
                "why": why,
                "width": encoder.output_width,
                "coverage": float(feed.presence.mean()),
            }
        )
    return found, described


def _rows(
    source: Source, encoders: Mapping[str, Encoder], learn: np.ndarray, test: np.ndarray, blocks: np.ndarray
) -> Rows:
    """Vectors of rows in which two views or more are present."""
    views = [source.dataset.views[name] for name in encoders]
    feeds = {v.name: source.feed(v, encoders[v.name], encoded=True) for v in views}
    parts = []
    for name, rows in (("training", learn), ("test", test)):
        kept = rows[source.presence(views, rows).sum(axis=1) >= 2]
        if len(kept) < FEWEST:
            raise DataError(
                f"{name} rows with two of the views {', '.join(map(repr, encoders))}: expected {FEWEST} at least, "
                f"got {len(kept)}; give more rows, or other --views"
            )
        parts.append(kept)
    vectors = [{view: pooled(feed, rows) for view, feed in feeds.items()} for rows in parts]
    return Rows(vectors[0], vectors[1], blocks[parts[0]], blocks[parts[1]])


def _fit(
    method: str, components: int | None, rows: Rows, seed: int, device: str, steps: int
) -> tuple[Any, dict[str, Any], list[str]]:
    """Fit on training rows; ridge and components of linear methods are chosen there, by cross-validation.

    Views of more columns than `MOST_SEARCHED` together, and methods without a search, follow the rule of
    `build_aligner`.
    """
    alone = one_each(rows.train_blocks)
    chooser = chosen_by_folds(method, rows.train, alone, components, seed)
    if chooser is None:
        most = components or room(rows.train, method)
        aligner = build_aligner(method, most, len(rows.train_blocks), seed, device, steps=steps)
        notes = fit_quietly(aligner, rows.train)
        return aligner, {"components": int(aligner.n_components_), **_plain(aligner.get_params(deep=False))}, notes
    aligner = chooser.part(chooser.n_components_, ridge=chooser.ridge_)
    notes = fit_quietly(aligner, rows.train)
    settings = {"components": int(aligner.n_components_), "ridge": chooser.ridge_, "folds": chooser.folds}
    settings["chosen_on"] = f"{len(alone)} training rows, by cross-validation"
    return aligner, settings, notes


def _measure(method: str, aligner: Any, rows: Rows, seed: int) -> Alignment:
    scores = [_project(aligner, view, array) for view, array in rows.test.items()]
    fitted = [_project(aligner, view, array) for view, array in rows.train.items()]
    trained = component_correlations(fitted)
    intervals = similarity.correlation_intervals(scores, rows.test_blocks, seed=seed)
    alone = one_each(rows.test_blocks)
    p_values = similarity.significance([one[alone] for one in scores], seed=seed)
    before = list(rows.test.values())
    sizes = {"train": len(rows.train_blocks), "test": len(rows.test_blocks)}
    return Alignment(
        method=method,
        views=[],
        rows={**sizes, "test_items": len(alone)},
        components=[
            Component(float(t), score, float(p)) for t, score, p in zip(trained, intervals, p_values, strict=True)
        ],
        gap={"before": similarity.modality_gap(before), "after": similarity.modality_gap(scores)},
        cka={"before": similarity.linear_cka(before), "after": similarity.linear_cka(scores)},
    )


def _retrieval(
    source: Source, views: Sequence[View], rows: Rows, aligner: Any, test: np.ndarray
) -> dict[str, dict[str, float]]:
    """Recall of every view by every other, among distinct test items."""
    kept = test[source.presence(views, test).sum(axis=1) >= 2]
    items = {view.name: codes_of(source.data(view).ids)[kept] for view in views}
    scores = {view: _project(aligner, view, array) for view, array in rows.test.items()}
    found = {}
    for one, other in permutations(scores, 2):
        shares = similarity.recalls(scores[one], scores[other], items[one], items[other], RANKS)
        if shares is not None:
            found[f"{one} -> {other}"] = shares
    return found


def _project(aligner: Any, view: str, vectors: np.ndarray) -> np.ndarray:
    return project(aligner.projection(view), vectors).astype(np.float64)


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items() if k != "components"}
    return {k: v for k, v in kept.items() if isinstance(v, str | int | float | bool | list)}


def _table_aligner(
    method: str,
    columns: Mapping[str, Any],
    views: Sequence[View],
    encoders: dict[str, Encoder],
    aligner: Any,
    r: Alignment,
) -> TableAligner:
    used = {name for view in views for name in view.columns}
    info = {
        "components": int(aligner.n_components_),
        "correlations": {"train": [c.train for c in r.components], "test": [c.test.score for c in r.components]},
        "significant": r.significant,
        "seed": r.seed,
        "versions": r.versions,
    }
    kept = tuple(column for column in columns.values() if column.name in used)
    projections = {view.name: aligner.projection(view.name) for view in views}
    return TableAligner(method, kept, tuple(views), encoders, projections, info)
