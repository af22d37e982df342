"""Every strategy on seven real tables: which way of fusing helps where, and auto against the best single view.

Each (data set, seed) is a run of its own, written beside the result as soon as it is done: a killed run goes on where
it was. `--dataset NAME` runs some only, and keeps what the result file says of the others. Intervals are 95 % over test
rows, of scores averaged over seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from _fusion_data import DATASETS, Data
from _harness import ROOT, Benchmark, arguments, write

RESAMPLES = 2_000
TOLERANCE = {"r2": 0.01}
"""How far auto may be below the best single view, by metric; 0.005 for the rest."""
STRATEGIES = ("end_to_end:multimodal_transformer", "end_to_end:multimodal_graph")
"""Run beside the default strategies."""


def main() -> None:
    """Run what is lacking, then judge every data set that is complete."""
    names, rest = _names()
    sys.argv = [sys.argv[0], *rest]
    benchmark = Benchmark("fusion_table", arguments(__doc__))
    args = benchmark.arguments
    if args.seeds == [0] and not args.quick:
        args.seeds = [0, 1, 2]
    place = (args.json or ROOT / "benchmarks" / "results" / "fusion_table.json").with_suffix(".parts")
    benchmark.take("dataset", names)
    for name in names:
        runs = [_run(benchmark, DATASETS[name], seed, place / f"{name}-{seed}.json") for seed in args.seeds]
        _judge(benchmark, DATASETS[name], runs)
    benchmark.finish()


def _names() -> tuple[list[str], list[str]]:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--dataset", nargs="+", choices=list(DATASETS), default=list(DATASETS))
    found, rest = parser.parse_known_args()
    return found.dataset, rest


def _run(benchmark: Benchmark, data: Data, seed: int, part: Path) -> dict[str, Any]:
    """One study, or its result where it is already there."""
    if part.is_file() and not benchmark.arguments.quick:
        found: dict[str, Any] = json.loads(part.read_text())
        return found
    import fusible

    args = benchmark.arguments
    table, options = data.load(seed, args.quick)
    start = time.perf_counter()
    options = {"strategies": ["default", *STRATEGIES, *data.further]} | options
    result = fusible.compare(
        table, data.target, seed=seed, device=args.device, cache=args.cache, metric=data.metric, **options
    )
    run = _plain(result, time.perf_counter() - start)
    if not args.quick:
        write(part, run)
    return run


def _plain(result: Any, seconds: float) -> dict[str, Any]:
    """What is kept of a study: scores, and each row's share in the metric, so that seeds can be averaged."""
    return {
        "seconds": round(seconds, 1),
        "metric": result.metric,
        "auto": result.auto,
        "best_single": result.best_single,
        "truth": np.asarray(result.truth, float).round(6).tolist(),
        "strategies": {
            row.name: {"family": row.family, "score": row.test.score, "fit_seconds": row.fit_seconds}
            for row in result.strategies
        },
        "decisions": {name: _decided(result, name) for name in result.predictions},
    }


def _decided(result: Any, name: str) -> list[float]:
    from fusible.evaluation.metrics import decide

    threshold = result.strategy(name).threshold
    return np.asarray(decide(result.task, result.predictions[name], threshold), float).round(6).tolist()


def _judge(benchmark: Benchmark, data: Data, runs: list[dict[str, Any]]) -> None:
    """Scores averaged over seeds with intervals; auto against the best single view on test rows."""
    metric = runs[0]["metric"]
    common = [name for name in runs[0]["decisions"] if all(name in run["decisions"] for run in runs)]
    drawn = {name: np.mean([_scores(run, name) for run in runs], axis=0) for name in common}
    drawn["auto"] = np.mean([_scores(run, run["auto"]) for run in runs], axis=0)
    for name, scores in drawn.items():
        low, high = np.percentile(scores[1:], (2.5, 97.5))
        seconds = np.mean([run["strategies"].get(name, {}).get("fit_seconds", 0.0) for run in runs])
        benchmark.row(
            dataset=data.name, strategy=name, metric=metric, score=float(scores[0]), low=float(low), high=float(high),
            fit_seconds=round(float(seconds), 1), seeds=len(runs),
        )  # fmt: skip
    single = max((name for name in common if name.startswith("single:")), key=lambda name: drawn[name][0])
    gain = drawn["auto"] - drawn[single]
    low = float(np.percentile(gain[1:], 2.5))
    tolerance = TOLERANCE.get(metric, 0.005)
    benchmark.claim(f"{data.name}: auto minus best single view ({single})", float(gain[0]), at_least=-tolerance)
    if data.gains:
        benchmark.claim(f"{data.name}: lower end of that difference's 95 % interval", low, at_least=1e-9)
    if data.at_least is not None:
        benchmark.claim(f"{data.name}: auto, mean over seeds", float(drawn["auto"][0]), at_least=data.at_least)
    minutes = sum(run["seconds"] for run in runs) / 60
    benchmark.claim(f"{data.name}: minutes for all seeds", minutes, at_most=25.0)


def _scores(run: dict[str, Any], name: str) -> np.ndarray:
    """The score on the rows themselves, then on resamples, the same ones for all strategies and seeds."""
    truth, said = np.array(run["truth"]), np.array(run["decisions"][name])
    rng = np.random.default_rng(0)
    weights = np.stack([np.ones(len(truth)), *(_weights(rng, len(truth)) for _ in range(RESAMPLES))])
    if run["metric"] == "accuracy":
        return np.asarray(weights @ (truth == said) / weights.sum(axis=1))
    if run["metric"] == "r2":
        mean = weights @ truth / weights.sum(axis=1)
        spread = weights @ truth**2 - weights.sum(axis=1) * mean**2
        return np.asarray(1 - weights @ (truth - said) ** 2 / spread)
    hit, claimed, true = (weights @ part for part in (truth * said, said, truth))
    return np.asarray(2 * hit / np.maximum(claimed + true, 1e-9))


def _weights(rng: np.random.Generator, rows: int) -> np.ndarray:
    return np.bincount(rng.integers(0, rows, rows), minlength=rows).astype(float)


if __name__ == "__main__":
    main()
