"""Events in films: the words of a talker, heard, seen on his lips, and both; clean, and with noise at -5 dB.

GRID's clips of one talker, 600, 100 and 100 kept apart, one after the other in random order in films of 60 seconds,
written as mp4 and read as any film is; 51 words, 25 of them single letters, are found by `fusible.fit_events`. All
choices are made on validation films. mAP@.5 by ActivityNet's protocol, the mean over words; intervals by 1,000 paired
resamples of test clips: each film is cut where its clips meet, and a span is of the clip in which its middle lies.

Parts are (condition, seed): `--condition NAME` runs some only, and a killed run goes on where it was.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _event_data import CONDITIONS, SECONDS, write_films
from _harness import Benchmark
from _parts import Parts

RESAMPLES = 1_000
COPIES = {"clean": 1, "noisy": 2}
"""Orders of training clips: a second one has noise of its own."""
FUSED = ("fused", "model")


def main() -> None:
    """Run what is lacking, then judge."""
    parts = Parts("events", __doc__, "condition", CONDITIONS)
    for condition, runs in parts.run(measure).items():
        _table(parts.benchmark, condition, runs)
        _judge(parts.benchmark, condition, runs)
    parts.benchmark.finish()


def measure(condition: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """One fit; of each candidate its scores, and the mAP@.5 of test clips drawn anew."""
    from fusible.tasks.video.events import Design, fit_events

    design = Design(width=16, updates=4, batch=2, looks=1) if args.quick else Design()
    with tempfile.TemporaryDirectory() as folder:
        copies = 1 if args.quick else COPIES[condition]
        films = write_films(Path(folder), condition, seed, copies=copies, quick=args.quick)
        spans = films.drop(columns="clip")
        result = fit_events(spans, picture="motion", design=design, piece=SECONDS, seed=seed, device=args.device)
    drawn = _drawn(films, 20 if args.quick else RESAMPLES)
    return {
        "chosen": result.chosen,
        "best_single": result.best_single,
        "best_fused": result.best_fused,
        "events": result.events,
        "units": result.units,
        "finders": {row.name: _kept(row, result, drawn) for row in result.rows},
    }


def _drawn(films: pd.DataFrame, resamples: int) -> np.ndarray:
    """How often each piece of a test film counts in each resample (resamples, pieces), in the order of their names.

    Clips are drawn, the same in every run, wherever in films they stand.
    """
    test = films[films["split"] == "test"].drop_duplicates(["file", "clip"])
    place = test.groupby("file", sort=False).cumcount().astype(str)
    film = pd.factorize(test["file"])[0].astype(str)
    clip = dict(zip(np.char.add(np.char.add(film, "/"), place.to_numpy(str)).tolist(), test["clip"], strict=True))
    names = sorted(clip.values())
    rng = np.random.default_rng(0)
    counts = [np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names)) for _ in range(resamples)]
    return np.stack(counts)[:, [names.index(clip[piece]) for piece in sorted(clip)]].astype(float)


def _kept(row: Any, result: Any, drawn: np.ndarray) -> dict[str, Any]:
    matches = result.matches[row.name]
    return {
        "kind": row.kind,
        "valid": row.valid,
        "test": row.test.score,
        "mean": row.mean.score,
        "classes": row.classes,
        "weights": row.weights,
        "drawn": np.nan_to_num(matches.drawn(drawn)[:, 0]).round(6).tolist(),
        "parameters": row.parameters,
        "seconds": row.fit_seconds,
    }


def _table(benchmark: Benchmark, condition: str, runs: list[dict[str, Any]]) -> None:
    for name, first in runs[0]["finders"].items():
        own = [run["finders"][name] for run in runs]
        low, high = np.percentile(np.mean([one["drawn"] for one in own], axis=0), (2.5, 97.5))
        letters = [score for one in own for word, score in one["classes"].items() if len(word) == 1]
        benchmark.row(
            condition=condition,
            finder=name,
            map_50=_mean(own, "test"),
            low=float(low),
            high=float(high),
            map=_mean(own, "mean"),
            valid=_mean(own, "valid"),
            letters=float(np.mean(letters)) if letters else None,
            chosen=sum(run["chosen"] == name for run in runs),
            parameters=first["parameters"],
            fit_seconds=_mean(own, "seconds"),
            seeds=len(runs),
        )
    minutes = float(np.mean([run["cpu_seconds"] for run in runs])) / 60
    benchmark.row(
        condition=condition, finder="CPU minutes a seed, films and all candidates", map_50=minutes, seeds=len(runs)
    )


def _judge(benchmark: Benchmark, condition: str, runs: list[dict[str, Any]]) -> None:
    """Each run's best fused candidate against its best view alone, both chosen on its validation films."""
    fused, single = ([run["finders"][run[key]] for run in runs] for key in ("best_fused", "best_single"))
    if condition == "clean":
        benchmark.claim(
            "clean: mAP@.5 of the fused candidate that validation films choose", _mean(fused, "test"), at_least=0.80
        )
        return
    gain = np.mean([one["drawn"] for one in fused], axis=0) - np.mean([one["drawn"] for one in single], axis=0)
    name = f"{condition}: mAP@.5, fused better than the best view alone by"
    benchmark.claim(name, _mean(fused, "test") - _mean(single, "test"), at_least=1e-9)
    low = float(np.percentile(gain, 2.5))
    benchmark.claim(f"{condition}: lower end of that gain's 95 % interval, test clips drawn anew", low, at_least=1e-9)


def _mean(runs: list[dict[str, Any]], key: str) -> float:
    return float(np.mean([run[key] for run in runs]))


if __name__ == "__main__":
    main()
