"""Corruption curves: items of sampled rows corrupted and encoded again, once for all strategies."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from fusible.data.content import content_key, text_key
from fusible.errors import DataError
from fusible.evaluation.corruption import CORRUPTIONS, SEVERITIES, corrupt, corrupt_table
from fusible.evaluation.robustness import CORRUPTION, Curve
from fusible.evaluation.study import Score
from fusible.tasks._ground import Ground, Memory, Subject, curves
from fusible.tasks.source import Progress, Source, stage
from fusible.types import Modality, View, ViewData

LEVELS = (0.0, *map(float, SEVERITIES))


def corruption_curves(
    ground: Ground,
    subjects: Sequence[Subject],
    memory: Memory,
    baseline: str | None = None,
    progress: Progress | None = None,
) -> tuple[list[Curve], list[str]]:
    """Score against severity, for every corruption of every view, of the strategies that see it; notes of the rest."""
    memory.clear()
    clean = {subject.name: _score(ground, subject, ground.source) for subject in subjects}
    memory.clear()
    found: list[Curve] = []
    notes = [
        f"view {view.name!r}: there is no corruption of {view.modality}"
        for view in ground.views
        if view.modality not in CORRUPTIONS
    ]
    plan = [(view, name) for view in ground.views for name in CORRUPTIONS.get(view.modality, ())]
    with stage(progress, "corruptions", len(plan) * len(SEVERITIES)) as bar:
        for view, name in plan:
            seeing = [subject for subject in subjects if view.name in subject.views]
            lines = {subject.name: [clean[subject.name]] for subject in seeing}
            for severity in SEVERITIES:
                source = corrupted(ground.source, view, ground.rows, name, severity, ground.seed)
                for subject in seeing:
                    lines[subject.name].append(_score(ground, subject, source))
                memory.clear()
                bar.advance()
            if baseline is not None and baseline not in lines:
                lines[baseline] = [clean[baseline]] * len(LEVELS)
            shown = [subject.name for subject in seeing]
            found += curves(ground, (CORRUPTION, view.name, name), LEVELS, lines, shown, baseline)
    return found, notes


def corrupted(source: Source, view: View, rows: np.ndarray, name: str, severity: int, seed: int = 0) -> Source:
    """The same source with the items of a view corrupted in `rows`; the view is absent in all others.

    Items that cannot be read stay as they are. What was encoded of other views is kept.
    """
    data = source.data(view)
    ids = np.full_like(data.ids, -1)
    distinct, place = np.unique(data.ids[rows], return_inverse=True)
    place = place.reshape(data.ids[rows].shape)
    if len(distinct) and distinct[0] < 0:
        distinct, place = distinct[1:], place - 1
    ids[rows] = place
    if view.modality == Modality.TABLE:
        frame = corrupt_table(data.values.iloc[distinct], severity, seed)
        ids[ids >= 0] = np.where(frame.notna().any(axis=1).to_numpy(), np.arange(len(frame)), -1)[ids[ids >= 0]]
        changed = ViewData(view, ids, frame)
    else:
        changed = ViewData(view, ids, *_items(source, view, [data.values[i] for i in distinct], name, severity, seed))
    other = source.replacing({view.name: changed})
    other.problems, other.counts, other.progress = [], dict(source.counts), None
    return other


def _items(
    source: Source, view: View, items: Sequence[Any], name: str, severity: int, seed: int
) -> tuple[list[Any], list[str]]:
    """Corrupted items and their keys."""

    def one(item: Any) -> Any:
        try:
            return corrupt(item, view.modality, name, severity, seed)
        except DataError:
            return item  # it is absent to every encoder, and was reported when it was first decoded

    with ThreadPoolExecutor(max(1, source.workers)) as pool:
        changed = list(pool.map(one, items))
    return changed, [text_key(item) if isinstance(item, str) else content_key(item) for item in changed]


def _score(ground: Ground, subject: Subject, source: Source) -> Score:
    return ground.score(subject.node.scores(source, ground.rows), subject.threshold)
