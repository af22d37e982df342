"""The demo: easy-VQA, picture and question -> answer, official split; what `fusible demo` reaches, and how fast."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from _harness import Benchmark, arguments, study_rows


def main() -> None:
    """Run the demo per seed (a few rows of the same data in a quick run) and judge its claims."""
    args = arguments(__doc__)
    benchmark = Benchmark("demo", args)
    for seed in args.seeds:
        began = time.perf_counter()
        result = run(args, seed)
        seconds = time.perf_counter() - began
        scores = study_rows(benchmark, result, seed=seed)
        judge(benchmark, seed, scores, seconds)
    benchmark.finish()


def judge(benchmark: Benchmark, seed: int, scores: dict[str, float], seconds: float) -> None:
    """Judge the claims of one seed."""
    fused = max(score for name, score in scores.items() if not name.startswith("single:"))
    distance = abs(scores["single:question"] - 0.67)
    benchmark.claim(f"seed {seed}: accuracy of the best fused strategy", fused, at_least=0.99)
    benchmark.claim(f"seed {seed}: accuracy of auto", scores["auto"], at_least=0.99)
    benchmark.claim(f"seed {seed}: question alone, distance from .67", distance, at_most=0.02)
    benchmark.claim(f"seed {seed}: seconds", seconds, at_most=300)


def run(args: Any, seed: int) -> Any:
    """Run the demo as the command does; in a quick run on six pictures of each part, and fewer strategies."""
    import fusible
    from fusible.tasks.demo import easy_vqa_table

    options = {"seed": seed, "device": args.device, "cache": args.cache}
    if args.quick:
        strategies = ["feature:multiply", "model:average"]
        encoders = {"image": "image_efficientnet", "question": "text_tfidf"}
        table = easy_vqa_table(limit=6)
        return fusible.compare(table, "answer", strategies=strategies, encoders=encoders, **options)
    with tempfile.TemporaryDirectory() as folder:
        return fusible.demo(output=Path(folder) / "demo", **options)


if __name__ == "__main__":
    main()
