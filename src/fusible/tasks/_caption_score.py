"""Scores of what was written of validation and test inputs, with what a bootstrap over items needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from fusible.decoders._generate import Generation
from fusible.errors import ConfigError
from fusible.evaluation.captions import CaptionScores, caption_scores
from fusible.evaluation.diversity import Diversity, diversity
from fusible.evaluation.ratio import Ratio, interval
from fusible.evaluation.written import WriterResult
from fusible.tasks._caption_data import Material
from fusible.tasks.source import Source
from fusible.tasks.writer import Written

Writes = Callable[[Source, np.ndarray, Generation], Written]
RESAMPLED = ("cider_d", "rouge_l", "exact", "wer")
"""Metrics that are means or ratios over items, and have intervals."""


def score(
    found: Material,
    name: str,
    kind: str,
    writes: Writes | Sequence[str],
    settings: Generation,
    metric: str,
    seed: int = 0,
) -> WriterResult:
    """Score a writer, or texts that are there already, on the test inputs; a writer on validation inputs too."""
    rows, references = found.rows_of("test"), found.references("test")
    valid, confidence, speed = None, [], 0.0
    if callable(writes):
        valid = _valid(found, writes, settings, metric)
        start = time.perf_counter()
        written = writes(found.source, rows, settings)
        speed = len(rows) / max(time.perf_counter() - start, 1e-9)
        texts, confidence = written.texts, written.confidence.tolist()
    else:
        texts = list(writes)
    scores = caption_scores(texts, references)
    ratios = {one: ratio_of(scores, one) for one in RESAMPLED}
    return WriterResult(
        name,
        kind,
        {one: interval(ratio, seed=seed) for one, ratio in ratios.items()},
        valid,
        {**scores.corpus, **_numbers(diversity(texts, found.pairs("train")[1]))},
        items_per_second=speed,
        ratios=ratios,
        texts=texts,
        confidence=confidence,
    )


def _numbers(found: Diversity) -> dict[str, float]:
    return {name: float(value) for name, value in found.to_json().items() if isinstance(value, int | float)}


def check_metric(metric: str) -> None:
    """Refuse a metric that no writer is scored by."""
    if metric not in RESAMPLED:
        raise ConfigError(f"metric {metric!r}: expected one of {', '.join(RESAMPLED)}")


def ratio_of(scores: CaptionScores, metric: str) -> Ratio:
    """A metric as a ratio of sums over items."""
    if metric == "wer":
        return Ratio(scores.errors.astype(float), scores.words.astype(float))
    return Ratio.mean(scores.items[metric])


def _valid(found: Material, writes: Writes, settings: Generation, metric: str) -> float | None:
    rows = found.rows_of("valid")
    if not len(rows):
        return None
    scores = caption_scores(writes(found.source, rows, settings).texts, found.references("valid"))
    return ratio_of(scores, metric).value
