"""Train retrieval: which way of bringing views together finds most, chosen on validation rows, scored on test rows."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from fusible.data.cache import ArrayCache
from fusible.data.dataset import Dataset
from fusible.data.read import read
from fusible.data.split import Split, make_split
from fusible.errors import ConfigError, DataError, FusibleError, TargetError
from fusible.evaluation.cost import Stages
from fusible.evaluation.retrieved import Retrieval
from fusible.tasks._blocks import blocks_of, codes_of, shown_notes
from fusible.tasks._retrieval_calibrate import calibrate, notes_of
from fusible.tasks._retrieval_candidates import Candidate, Trial, default_methods, of_method, together
from fusible.tasks._retrieval_encoders import Chosen, with_classes, with_pairs
from fusible.tasks._retrieval_measure import measure
from fusible.tasks._retrieval_pairs import Rows, directions
from fusible.tasks._retrieval_semantic import semantic, semantic_on
from fusible.tasks.align import FEWEST
from fusible.tasks.aligned import clock
from fusible.tasks.context import Context
from fusible.tasks.folder import replace
from fusible.tasks.label_free import chosen_views
from fusible.tasks.results import versions
from fusible.tasks.retriever import Retriever
from fusible.tasks.source import Progress, Source, stage
from fusible.tasks.target import Target, read_target
from fusible.tasks.vectors import pooled
from fusible.types import Column, Modality, View

HELD = frozenset({"retrieval.json", "retriever", "report.html"})
"""All that the folder of a result holds."""
SEMANTIC = "semantic"
"""Name among `methods` of semantic matching, which needs a target of classes."""


@dataclass(slots=True)
class _Table:
    """What was read: views, split, blocks of rows that belong together, and the target if there is one."""

    source: Source
    views: tuple[View, ...]
    split: Split
    blocks: np.ndarray
    repeated: str
    target: Target | None
    classes: np.ndarray | None


def fit_retrieval(
    data: Any,
    views: Sequence[str] | None = None,
    *,
    target: str | None = None,
    methods: str | Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    join: Mapping[str, Sequence[str]] | None = None,
    encoders: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    workers: int | None = None,
    cache: str | Path | ArrayCache | None = None,
    progress: Progress | None = None,
    output: str | Path | None = None,
    command: str = "",
) -> Retrieval:
    """Fit what brings views together so that each finds the others: candidates on training rows, chosen on validation.

    Items of a row belong together; with a `target` of classes, items of one class do. Candidates are aligners (linear
    ones with their ridge, components and weights by correlation), semantic matching where there are classes, and the
    best of these side by side. Rows that share an item, such as five captions of one picture, stay in one part of a
    drawn split, as far as that leaves parts to draw; `notes` count items of test rows that training rows show.

    Parameters
    ----------
    data : path, pandas.DataFrame, pyarrow.Table or Dataset
        The table; see `fusible.read`.
    views : sequence of str, optional
        Names of two or more views (default: all).
    target : str, optional
        A column of classes. Encoders that can be trained are trained with it.
    methods : str or sequence of str, optional
        Registered aligners, and `semantic` (default: a few by the number of views and rows).
    columns, join : mapping, optional
        What columns are, and which are joined in one view; see `columns` and `views` of `fusible.read`.
    encoders : mapping, optional
        `{view: encoder}`; one that has to be trained is trained along, with the classes or with the pairs.
    seed, device, workers, cache, progress, command
        As in `fusible.compare`.
    output : path, optional
        Folder to write: `retrieval.json` and `retriever/`, which `fusible.load_retriever` reads.

    Returns
    -------
    Retrieval
        Recalls, ranks, mAP and nDCG per direction with intervals, beside chance and baselines; `retriever`.

    Raises
    ------
    FusibleError
        One line: a table, view, target, encoder, method, split or setting that cannot be used.
    """
    stages, start = Stages(), time.perf_counter()
    place = None if output is None else check_retrieval(Path(output))
    dataset = read(data, columns=columns, views=join, target=target)
    with stages("encode"):
        table = _table(dataset, views, target, seed, device, workers, cache, progress)
        chosen = _encoders(table, dict(encoders or {}), seed, device)
        train, valid, test = (_rows(table, chosen, name) for name in ("train", "valid", "test"))
    trial = Trial(train, valid, directions(valid, seed), clock(chosen.encoders), seed, device)
    if not trial.ways or not (asked := directions(test, seed)):
        raise DataError("validation and test rows: expected rows with two of the views in both; give more rows")
    with stages("fit"):
        best, tried = _choose(trial, methods, progress)
        calibration = calibrate(valid, best.vectors, seed)
    with stages("measure"):
        result = measure(best, train, test, asked, _texts(table, test), seed)
    result.candidates, result.views, result.settings = tried, chosen.described, best.settings
    result.notes = [*_notes(best, table), *notes_of(calibration)]
    result.parts = {"train": len(train.table), "valid": len(valid.table), "test": len(test.table)}
    result.problems = [*dataset.problems, *table.source.problems]
    result.target, result.seed, result.command, result.versions = target, seed, command, versions()
    info = {"metric": result.metric, "score": result.score, "valid": best.valid, "seed": seed, "target": target}
    info |= {"prior": calibration.prior, "versions": result.versions, "data": dataset.fingerprint}
    heads: dict[str, nn.Module] = dict(best.heads)
    result.retriever = Retriever(best.name, _columns(table), table.views, chosen.encoders, heads, calibration, info)
    result.seconds = {**stages.seconds, "total": time.perf_counter() - start}
    if place is not None:
        _write(result, place)
    return result


def _table(
    dataset: Dataset,
    views: Sequence[str] | None,
    target: str | None,
    seed: int,
    device: str,
    workers: int | None,
    cache: str | Path | ArrayCache | None,
    progress: Progress | None,
) -> _Table:
    if dataset.rows < 3 * FEWEST:
        raise DataError(f"the table has {dataset.rows} rows; expected {3 * FEWEST} at least, to learn, choose and test")
    chosen = chosen_views(dataset.views, views)
    goal, classes = None, None
    if target is not None:
        goal, classes = read_target(dataset.columns[target], dataset.to_pandas([target])[target])
        if not goal.task.is_classification:
            raise TargetError(f"target {target!r} is {goal.task.kind}: expected classes, so that items of one belong")
    store = cache if isinstance(cache, ArrayCache) else ArrayCache(Path(cache) if cache is not None else None)
    source = Source(dataset, cache=store, workers=workers or 4, device=device, progress=progress)
    blocks, repeated = blocks_of(source, chosen)
    known = None if classes is None else np.array([None if c < 0 else str(c) for c in classes], dtype=object)
    split = make_split(dataset, known, seed=seed, groups=blocks if repeated else None)
    return _Table(source, chosen, split, blocks, repeated, goal, classes)


def _encoders(table: _Table, given: dict[str, str], seed: int, device: str) -> Chosen:
    source, split = table.source, table.split
    if table.target is None or table.classes is None:
        chosen = with_pairs(source, table.views, given, (split.train, split.valid), seed, device)
    else:
        context = Context(source, split, table.target, table.classes, "accuracy", seed, device, source.progress)
        chosen = with_classes(context, table.views, given)
    for view, plain in zip(table.views, chosen.described, strict=True):
        feed = source.feed(view, chosen.encoders[view.name], encoded=True)
        plain["coverage"] = float(feed.presence.mean())
    return chosen


def _rows(table: _Table, chosen: Chosen, part: str) -> Rows:
    """Rows of a part in which a view is present; training rows need two."""
    source, rows = table.source, table.split.parts[part]
    kept = rows[source.presence(table.views, rows).sum(axis=1) >= (2 if part == "train" else 1)]
    if len(kept) < FEWEST:
        names = ", ".join(repr(view.name) for view in table.views)
        raise DataError(f"{part} rows with the views {names}: expected {FEWEST} at least, got {len(kept)}")
    ids, vectors = {}, {}
    for view in table.views:
        vectors[view.name] = pooled(source.feed(view, chosen.encoders[view.name], encoded=True), kept)
        codes = codes_of(source.data(view).ids)[kept]
        ids[view.name] = np.where(np.isfinite(vectors[view.name]).all(axis=1), codes, -1)
    classes = None if table.classes is None else table.classes[kept]
    return Rows(kept, ids, vectors, table.blocks[kept], classes)


def _choose(
    trial: Trial, methods: str | Sequence[str] | None, progress: Progress | None
) -> tuple[Candidate, list[dict[str, Any]]]:
    """The best candidate on validation rows, and all that were compared there."""
    classes = trial.train.classes is not None
    methods = [methods] if isinstance(methods, str) else methods
    names = list(methods or default_methods(len(trial.views), len(trial.train.table), trial.steps))
    if methods is None and classes:
        names.append(SEMANTIC)
    if not names or (SEMANTIC in names and not classes):
        raise ConfigError("methods: 'semantic' needs a target of classes; give target=, or name aligners")
    found: list[Candidate] = []
    tried: list[dict[str, Any]] = []
    with stage(progress, "fit", len(names) + 1) as bar:
        for name in [*(n for n in names if n != SEMANTIC), *(n for n in names if n == SEMANTIC)]:
            start = time.perf_counter()
            try:
                new = _semantic(trial, found) if name == SEMANTIC else [of_method(trial, name)]
            except FusibleError as error:
                if methods is not None:
                    raise
                new = []
                tried.append({"name": name, "valid": None, "settings": {}, "seconds": 0.0, "notes": [str(error)]})
            found += new
            tried += [_tried(one, (time.perf_counter() - start) / len(new)) for one in new]
            bar.advance()
        if not found:
            raise DataError(f"nothing could be fitted: {tried[0]['name']}: {tried[0]['notes'][0]}")
        start = time.perf_counter()
        best = together(trial, found)
        if all(best is not one for one in found):
            tried.append(_tried(best, time.perf_counter() - start))
        bar.advance()
    return best, tried


def _semantic(trial: Trial, found: Sequence[Candidate]) -> list[Candidate]:
    """Semantic matching on the views' own vectors, and on the best outputs of an aligner."""
    plain = semantic(trial)
    return [plain, semantic_on(trial, max(found, key=lambda one: one.valid))] if found else [plain]


def _tried(candidate: Candidate, seconds: float) -> dict[str, Any]:
    return {
        "name": candidate.name,
        "valid": candidate.valid,
        "settings": candidate.settings,
        "seconds": round(seconds, 3),
        "notes": candidate.notes,
    }


def _notes(best: Candidate, table: _Table) -> list[str]:
    """What fitting warned of, what is kept together, and what the split cuts."""
    kept = [f"rows of one {table.repeated} stay together in parts and in resamples"] if table.repeated else []
    return [*best.notes, *kept, *shown_notes(table.source, table.views, table.split.train, table.split.test)]


def _columns(table: _Table) -> tuple[Column, ...]:
    """Columns that the views read."""
    used = {name for view in table.views for name in view.columns}
    return tuple(column for column in table.source.dataset.columns.values() if column.name in used)


def _texts(table: _Table, rows: Rows) -> dict[str, list[str]]:
    """Texts of text views over some rows; empty where absent."""
    found = {}
    for view in table.views:
        if view.modality is Modality.TEXT:
            data = table.source.data(view)
            found[view.name] = [data.values[i] if i >= 0 else "" for i in data.ids[rows.table, 0].tolist()]
    return found


def check_retrieval(place: Path) -> Path:
    """Refuse, before any work, a place that holds something else than an earlier result."""
    if place.exists() and not place.is_dir():
        raise DataError(f"{place}: expected a folder to write the retriever to, got a file; choose another output")
    if place.is_dir():
        found = {path.name for path in place.iterdir()}
        if found and ("retrieval.json" not in found or found - HELD):
            said = "expected a new path, an empty folder or an earlier result; choose another output"
            raise DataError(f"{place}: {said}")
    return place


def _write(result: Retrieval, place: Path) -> None:
    """Write JSON and retriever beside their place, then rename."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        beside.chmod(0o755)
        result.retriever.save(beside / "retriever")
        (beside / "retrieval.json").write_text(json.dumps(result.to_json(), ensure_ascii=False, indent=1), "utf-8")
        replace(beside, place)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
