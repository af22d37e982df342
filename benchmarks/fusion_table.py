"""Every strategy on seven real tables: which way of fusing helps where, and auto against the best single view.

Each (data set, seed) is a run of its own, `--jobs` of them side by side, written beside the result as soon as it is
done: a killed run goes on where it was. `--dataset NAME` runs some only, and keeps what the result file says of the
others. Intervals are 95 % over test rows, of scores averaged over seeds. Minutes are CPU time over two cores, so that
what else the machine does while it runs does not count.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from _fusion_data import DATASETS, Data
from _harness import Benchmark
from _parts import Parts

RESAMPLES = 2_000
TOLERANCE = {"r2": 0.01}
"""How far auto may be below the best single view, by metric; 0.005 for the rest."""
CORES = 2
"""Cores of the machine that the limit of minutes is for."""


def main() -> None:
    """Run what is lacking, then judge every data set."""
    parts = Parts("fusion_table", __doc__, "dataset", list(DATASETS))
    for name, runs in parts.run(measure).items():
        _judge(parts.benchmark, DATASETS[name], runs)
    parts.benchmark.finish()


def measure(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """One study, and what is kept of it."""
    import fusible

    data = DATASETS[name]
    table, given = data.load(seed, args.quick)
    options: dict[str, Any] = {"strategies": ["default", *data.networks]} | given
    result = fusible.compare(
        table, data.target, seed=seed, device=args.device, cache=args.cache, metric=data.metric, **options
    )
    return _plain(result)


def _plain(result: Any) -> dict[str, Any]:
    """What is kept of a study: scores, and each row's share in the metric, so that seeds can be averaged."""
    return {
        "metric": result.metric,
        "auto": result.auto,
        "reason": result.strategy("auto").note,
        "best_single": result.best_single,
        "truth": np.asarray(result.truth, float).round(6).tolist(),
        "strategies": {
            row.name: {
                "family": row.family,
                "score": row.test.score,
                "valid": row.valid.score,
                "fit_seconds": row.fit_seconds,
            }
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
    minutes = sum(run["cpu_seconds"] for run in runs) / CORES / 60
    benchmark.claim(f"{data.name}: minutes of {CORES} cores for all seeds", minutes, at_most=25.0)


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
