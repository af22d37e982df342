"""Scores of what was written of validation and test inputs, with what a bootstrap over items needs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from fusible.decoders._generate import Generation
from fusible.errors import ConfigError
from fusible.evaluation.captions import CaptionScores, caption_ratio, caption_scores
from fusible.evaluation.diversity import Diversity, diversity
from fusible.evaluation.ratio import Ratio, interval
from fusible.evaluation.written import WriterResult
from fusible.tasks._caption_data import Material
from fusible.tasks.writer import Author

RESAMPLED = ("cider_d", "rouge_l", "exact", "wer")
"""Metrics that are means or ratios over items, and have intervals."""


def score(
    found: Material,
    name: str,
    kind: str,
    given: Author | Sequence[str],
    settings: Generation,
    metric: str,
    seed: int = 0,
) -> WriterResult:
    """Score what an author writes of the test inputs, or texts that are there already; an author's `valid` too.

    An author writes by `settings`, and as long as it wrote when it was trained.
    """
    if not isinstance(given, Author):
        return _scored(found, name, kind, list(given), seed)
    rows, own = found.rows_of("test"), replace(settings, longest=given.longest)
    start = time.perf_counter()
    written = given.write(found.source, rows, own)
    seconds = time.perf_counter() - start
    result = _scored(found, name, kind, written.texts, seed)
    texts = given.write(found.source, found.rows_of("valid"), own).texts
    result.valid = caption_ratio(texts, found.references("valid"), metric).value
    result.parameters, result.fit_seconds = given.parameters(), given.fit_seconds
    result.confidence, result.items_per_second = written.confidence.tolist(), len(rows) / max(seconds, 1e-9)
    return result


def _scored(found: Material, name: str, kind: str, texts: list[str], seed: int) -> WriterResult:
    """All metrics of texts of the test inputs, with intervals."""
    scores = caption_scores(texts, found.references("test"))
    ratios = {one: ratio_of(scores, one) for one in RESAMPLED}
    metrics = {**scores.corpus, **_numbers(diversity(texts, found.pairs("train")[1]))}
    intervals = {one: interval(ratio, seed=seed) for one, ratio in ratios.items()}
    return WriterResult(name, kind, intervals, metrics=metrics, ratios=ratios, texts=texts)


def _numbers(found: Diversity) -> dict[str, float]:
    """Measures by name; `unseen_1` to `unseen_4` are shares of n-grams that no training text has."""
    plain = {name: float(value) for name, value in found.to_json().items() if isinstance(value, int | float)}
    return plain | {f"unseen_{n}": float(share) for n, share in enumerate(found.unseen or (), 1)}


def check_metric(metric: str) -> None:
    """Refuse a metric that no writer is scored by."""
    if metric not in RESAMPLED:
        raise ConfigError(f"metric {metric!r}: expected one of {', '.join(RESAMPLED)}")


def ratio_of(scores: CaptionScores, metric: str) -> Ratio:
    """A metric as a ratio of sums over items."""
    if metric == "wer":
        return Ratio(scores.errors.astype(float), scores.words.astype(float))
    return Ratio.mean(scores.items[metric])
