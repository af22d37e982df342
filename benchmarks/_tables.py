"""What the benchmarks on real tables share: comparing per seed, and the best single view on the test rows."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from _harness import Benchmark, few, study_rows

QUICK = {"text": "text_tfidf", "image": "image_efficientnet", "table": "table_trees"}
"""Encoders of a quick run, by modality."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one comparison per seed found: results, and scores of strategies on the test rows."""

    results: tuple[Any, ...]
    scores: tuple[dict[str, float], ...]

    def score(self, strategy: str) -> float:
        """Mean over seeds of a strategy's score."""
        return fmean(scores[strategy] for scores in self.scores)

    @property
    def gain(self) -> float:
        """Mean over seeds of auto minus the best single view on the test rows, whichever the study itself took."""
        return fmean(scores["auto"] - best_view(scores) for scores in self.scores)

    def metric(self, name: str) -> float:
        """Mean over seeds of another metric of auto."""
        return fmean(result.strategy("auto").metrics[name] for result in self.results)


def best_view(scores: dict[str, float]) -> float:
    """The best score of a single view on the test rows."""
    return max(value for name, value in scores.items() if name.startswith("single:"))


def study(
    benchmark: Benchmark, path: Any, target: str, *, views: Any, columns: Any, metric: str | None = None
) -> Outcome:
    """Compare per seed."""
    import fusible

    args = benchmark.arguments
    data = fusible.read(path, columns=columns, views=views, target=target)
    options = {"columns": columns, "views": views, "metric": metric}
    if args.quick:
        encoders = {name: QUICK[view.modality] for name, view in data.views.items()}
        data = few(data, 16)
        options |= {"strategies": ["model:average"], "encoders": encoders}
    results, scores = [], []
    for seed in args.seeds:
        results.append(fusible.compare(data, target, seed=seed, device=args.device, cache=args.cache, **options))
        scores.append(study_rows(benchmark, results[-1], table=path.stem, target=target, seed=seed))
    return Outcome(tuple(results), tuple(scores))
