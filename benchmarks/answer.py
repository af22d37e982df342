"""Visual question answering on easy-VQA, official split: accuracy, CPU time, and how few pictures suffice.

The learning curve is that of the first seed.
"""

from __future__ import annotations

import time
from typing import Any

from _harness import Benchmark, arguments

SHARES = (0.1, 0.25, 0.5)
TRAINING = 4_000
"""Pictures of the official training part; every tenth of them, with its questions, is for validation."""
PUBLISHED = {
    "easy-VQA's small model, all pictures": 0.938,
    "its large model, twice the pictures": 0.995,
    "its question-only figure": 0.670,
}
"""Accuracies that the set's author gives (Zhou, "Easy Visual Question Answering", 2019)."""
BLIND = ("single:question", "single:image", "most frequent answer per question type", "most frequent answer")


def main() -> None:
    """Fit on all pictures and on shares of them, per seed, and judge the claims (six pictures in a quick run)."""
    import numpy as np

    args = arguments(__doc__, seeds=(0, 1, 2))
    benchmark = Benchmark("answer", args)
    scores, minutes = [], []
    for seed in args.seeds:
        result, cpu = fit(args, seed, 1.0)
        rows(benchmark, result, cpu, seed)
        scores.append(result.accuracy)
        minutes.append(cpu / 60)
        for share in SHARES if seed == args.seeds[0] and not args.quick else ():
            part, cpu = fit(args, seed, share)
            line(benchmark, part, part.strategy, seed, share, cpu)
            line(benchmark, part, "single:question", seed, share, None)
    for name, value in PUBLISHED.items():
        benchmark.row(answers_by=name, kind="published", accuracy=value)
    benchmark.claim("accuracy on the official test part, mean of seeds", float(np.mean(scores)), at_least=0.999)
    benchmark.claim("CPU minutes of a whole fit, most of all seeds", max(minutes), at_most=6.0)
    benchmark.finish()


def fit(args: Any, seed: int, share: float) -> tuple[Any, float]:
    """Fit on a share of the training pictures, drawn by seed; the result and its CPU seconds, reading included.

    Nothing of an earlier run is in the feature cache.
    """
    import tempfile

    import numpy as np

    from fusible.tasks.answering import fit_answers
    from fusible.tasks.demo import easy_vqa_table

    table = easy_vqa_table(limit=6 if args.quick else None)
    drawn = np.random.default_rng(seed).permutation(TRAINING)[: round(share * TRAINING)]
    kept = {f"train-{i}" for i in drawn}
    if share < 1.0:
        table = table[(table["split"] == "test") | table["group"].isin(kept)].reset_index(drop=True)
    quick: dict[str, Any] = {}
    if args.quick:
        quick = {
            "strategies": ["feature:multiply"],
            "encoders": {"image": "image_efficientnet", "question": "text_tfidf"},
        }
    with tempfile.TemporaryDirectory() as cache:
        start = time.process_time()
        result = fit_answers(
            table, "image", "question", "answer", seed=seed, device=args.device, cache=cache, accuracy=0.99, **quick
        )
        return result, time.process_time() - start


def rows(benchmark: Benchmark, result: Any, cpu: float, seed: int) -> None:
    """Add the rows of a fit on all pictures: every way of answering, and the chosen one by question type."""
    for row in result.rows:
        line(benchmark, result, row.name, seed, 1.0, cpu if row.name == result.strategy else None)
    for group in result.question_types:
        score = group.test
        benchmark.row(
            seed=seed, pictures=1.0, answers_by=f"{result.strategy}: {group.name!r}", kind="question type",
            accuracy=score.score, low=score.low, high=score.high, baseline=group.baseline, rows=group.rows,
        )  # fmt: skip


def line(benchmark: Benchmark, result: Any, name: str, seed: int, share: float, cpu: float | None) -> None:
    """Add one way of answering; the chosen one with its calibration, and its coverage at .99 on validation rows."""
    row = result.row(name)
    cells: dict[str, Any] = {}
    if cpu is not None:
        held = result.abstain
        cells = {"cpu_seconds": cpu, "ece": result.ece, "coverage": held.coverage, "accuracy_of_given": held.accuracy}
    benchmark.row(
        seed=seed, pictures=share, answers_by=name, kind=row.kind,
        accuracy=row.test.score, low=row.test.low, high=row.test.high, **cells,
    )  # fmt: skip


if __name__ == "__main__":
    main()
