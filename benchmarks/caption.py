"""Captions beside what writes without looking: lip reading, photos, and rendered scenes with an exact text.

GRID: a silent video of a talker, and his sound under noise, to the sentence said. Flickr8k: 650 photos with five texts
each. Scenes: easy-VQA's pictures, described from their questions and answers. All choices are made on validation rows.
Each (table, seed) is written beside the result, `--jobs` of them run side by side: a killed run goes on where it was.
`--table NAME` runs some only, and keeps what the result file says of the others.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from _caption_data import photos, scenes, talker
from _harness import Benchmark
from _parts import Parts

RESAMPLES = 2_000


def main() -> None:
    """Run what is lacking, then judge every table."""
    judges = {"grid": _grid, "flickr8k": _flickr, "scenes": _scenes}
    parts = Parts("caption", __doc__, "table", list(judges))
    for name, runs in parts.run(measure).items():
        _table(parts.benchmark, name, runs)
        judges[name](parts.benchmark, runs)
    parts.benchmark.finish()


def measure(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """One fit, and what is kept of it."""
    import fusible

    options: dict[str, Any] = {"seed": seed, "device": args.device, "cache": args.cache}
    if args.quick:
        options["epochs"] = 1
    if name == "grid":
        table = talker(seed, args.quick)
        result = fusible.fit_captions(table, "transcript", video="video", audio="sound", metric="wer", **options)
    elif name == "flickr8k":
        result = fusible.fit_captions(photos(args.quick), "caption", image="image", **options)
    else:
        result = fusible.fit_captions(scenes(args.quick), "caption", image="image", metric="exact", **options)
    return _plain(result)


def _plain(result: Any) -> dict[str, Any]:
    """What is kept of a fit: per writer, the sums over items that its metric is made of."""
    metric = result.metric
    return {
        "metric": metric,
        "chosen": result.chosen,
        **({"fused": result.fusion["best_fused"]} if result.fusion else {}),
        "writers": {
            row.name: {
                "kind": row.kind,
                "metrics": row.metrics,
                "top": np.asarray(row.ratios[metric].top, float).round(6).tolist(),
                "bottom": np.asarray(row.ratios[metric].bottom, float).round(6).tolist(),
                "seconds": row.fit_seconds,
            }
            for row in result.rows
        },
    }


def _scores(runs: list[dict[str, Any]], name: str) -> np.ndarray:
    """A writer's score on the items themselves, then on resamples of items; means over seeds, alike for all writers.

    `chosen` is the one that each run's validation inputs chose, `fused` that among those of several views.
    """
    found = []
    for run in runs:
        one = run["writers"][run.get(name, name)]
        top, bottom = np.array(one["top"]), np.array(one["bottom"])
        rng = np.random.default_rng(0)
        drawn = [np.bincount(rng.integers(0, len(top), len(top)), minlength=len(top)) for _ in range(RESAMPLES)]
        weights = np.stack([np.ones(len(top)), *drawn])
        found.append((weights @ top) / (weights @ bottom))
    return np.asarray(np.mean(found, axis=0))


def _table(benchmark: Benchmark, name: str, runs: list[dict[str, Any]]) -> None:
    metric = runs[0]["metric"]
    for writer, first in runs[0]["writers"].items():
        scores = _scores(runs, writer)
        low, high = np.percentile(scores[1:], (2.5, 97.5))
        others = ("cider_d", "bleu_4", "rouge_l", "wer", "exact", "copied")
        means = {key: float(np.mean([run["writers"][writer]["metrics"][key] for run in runs])) for key in others}
        benchmark.row(
            table=name, writer=writer, kind=first["kind"], metric=metric, score=float(scores[0]), low=float(low),
            high=float(high), **{key: value for key, value in means.items() if key != metric}, seeds=len(runs),
        )  # fmt: skip
    minutes = float(np.mean([run["cpu_seconds"] for run in runs])) / 60
    benchmark.row(table=name, writer="CPU minutes a seed, all writers", score=minutes, seeds=len(runs))


def _gain(runs: list[dict[str, Any]], one: str, other: str, sign: int) -> tuple[float, float]:
    """By how much one writer is better than another, and the lower end of the paired 95 % interval."""
    gain = sign * (_scores(runs, one) - _scores(runs, other))
    return float(gain[0]), float(np.percentile(gain[1:], 2.5))


def _grid(benchmark: Benchmark, runs: list[dict[str, Any]]) -> None:
    """Lip reading against the blind decoder, and fused against each view alone."""
    mean, low = _gain(runs, "single:video", "blind decoder", -1)
    benchmark.claim("grid: word error rate, silent video less blind decoder's, gain", mean, at_least=1e-9)
    benchmark.claim("grid: lower end of that gain's 95 % interval", low, at_least=1e-9)
    for view in ("video", "sound"):
        mean, low = _gain(runs, "fused", f"single:{view}", -1)
        benchmark.claim(f"grid: word error rate, fused better than {view} alone by", mean, at_least=1e-9)
        benchmark.claim(f"grid: lower end of the 95 % interval against {view}", low, at_least=1e-9)


def _flickr(benchmark: Benchmark, runs: list[dict[str, Any]]) -> None:
    mean, low = _gain(runs, "chosen", "blind decoder", 1)
    benchmark.claim("flickr8k: CIDEr-D above the blind decoder by", mean, at_least=1e-9)
    benchmark.claim("flickr8k: lower end of that difference's 95 % interval", low, at_least=1e-9)
    mean, _ = _gain(runs, "chosen", "nearest neighbour", 1)
    benchmark.claim("flickr8k: CIDEr-D above the nearest neighbour by", mean, at_least=1e-9)


def _scenes(benchmark: Benchmark, runs: list[dict[str, Any]]) -> None:
    benchmark.claim("scenes: share of exact texts", float(_scores(runs, "chosen")[0]), at_least=0.98)


if __name__ == "__main__":
    main()
