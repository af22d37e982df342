"""What the benchmarks on real tables share: comparing per seed, and the best single view on the test rows."""

from __future__ import annotations

from typing import Any

from _harness import Benchmark, few, study_rows

QUICK = {"text": "text_tfidf", "image": "image_efficientnet", "table": "table_trees"}
"""Encoders of a quick run, by modality."""


def best_view(scores: dict[str, float]) -> float:
    """The best score of a single view on the test rows, whichever view the study itself took for the best."""
    return max(value for name, value in scores.items() if name.startswith("single:"))


def study(
    benchmark: Benchmark, path: Any, target: str, *, views: Any, columns: Any, metric: str | None = None
) -> tuple[Any, dict[str, float]]:
    """Compare per seed; the result and the scores of the first seed."""
    import fusible

    args = benchmark.arguments
    data = fusible.read(path, columns=columns, views=views, target=target)
    options = {"columns": columns, "views": views, "metric": metric}
    if args.quick:
        encoders = {name: QUICK[view.modality] for name, view in data.views.items()}
        data = few(data, 16)
        options |= {"strategies": ["model:average"], "encoders": encoders}
    found = []
    for seed in args.seeds:
        result = fusible.compare(data, target, seed=seed, device=args.device, cache=args.cache, **options)
        found.append((result, study_rows(benchmark, result, table=path.stem, target=target, seed=seed)))
    return found[0]
