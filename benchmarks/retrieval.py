"""Retrieval across modalities: captions and photos, spoken and written digits, a talker's sound and silent video.

Every choice (aligner, ridge, components, weights, what is put side by side) is made on validation rows; the test part
is scored once. The mean recall is that of recall_any at 1, 5 and 10. Plain CCA is fitted on the same features of the
same training rows, ridge and components chosen by cross-validation as `fusible align` does (which learns on validation
rows, too), ranked by cosine. `gain` is the metric less plain CCA's in that direction, with its paired 95 % interval.

Seeds draw folds of plain CCA, initial weights and batches of contrastive heads, resamples of intervals, and the noisy
digits themselves (pairs and noise). Splits of Flickr8k-1k and GRID are the data's own. Where the chosen method is made
of closed forms alone, as for GRID, every seed gives the same scores and only ends of intervals differ. Rows that say
`as seed 0` are such: that these seeds agree proves nothing. `--data NAME` runs some only, and keeps what the result
file says of the others.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
from _harness import Benchmark, arguments, data_folder, few, write

SCORES = ("recall_any@1", "recall_any@10", "mean_recall", "recall_share@10", "median_rank", "map", "ndcg")
FLICKR = {"caption": "text_minilm", "image": "image_efficientnet"}
GRID = {"video": "video_sequence", "video_sound": "audio_sequence"}
SPOKEN = {"video": "video_sequence", "transcript": "text_tfidf"}

Found = dict[str, list[float]]


def rows(benchmark: Benchmark, result: Any, data: str, seed: int, label: str = "") -> None:
    """Add a row per direction and method; the chosen one's with what it gains on plain CCA."""
    for row in result.rows:
        scores = {name: row.scores[name].score for name in SCORES}
        chosen = row.kind == "chosen"
        gain = result.differences.get(row.direction) if chosen else None
        benchmark.row(
            data=data,
            seed=seed,
            direction=row.direction,
            method=f"{label}{row.method}" if chosen else row.method,
            queries=row.queries,
            items=row.items,
            **scores,
            low=row.scores[result.metric].low if chosen else None,
            high=row.scores[result.metric].high if chosen else None,
            gain=gain.mean if gain else None,
            gain_low=gain.low if gain else None,
            gain_high=gain.high if gain else None,
        )


def fit(benchmark: Benchmark, data: Any, views: tuple[str, ...], seed: int, **options: Any) -> Any:
    """Train retrieval as the benchmark was asked to."""
    import fusible

    args = benchmark.arguments
    return fusible.fit_retrieval(data, views, seed=seed, device=args.device, cache=args.cache, **options)


def flickr(benchmark: Benchmark) -> None:
    """Flickr8k-1k: 650 training photos with five captions each, 100 test photos; frozen packaged encoders."""
    import fusible

    args = benchmark.arguments
    data: Any = fusible.read(data_folder("flickr8k_1k") / "captions.csv")
    if args.quick:
        data = few(data, 20)
    results = []
    for seed in args.seeds:
        methods = ("contrastive",) if args.quick else None
        results.append(fit(benchmark, data, tuple(FLICKR), seed, encoders=FLICKR, methods=methods))
        rows(benchmark, results[-1], "Flickr8k-1k", seed)
    if not args.quick:
        tuned = fit(benchmark, data, tuple(FLICKR), args.seeds[0], encoders=FLICKR, methods=("cca",))
        rows(benchmark, tuned, "Flickr8k-1k", args.seeds[0], "only ")
    for direction in results[0].differences:
        name = f"Flickr8k-1k: {direction}"
        one = averaged([result.queries[direction] for result in results])
        benchmark.claim(f"{name}: mean recall less plain CCA's, mean over seeds", one.mean, at_least=0.001)
        text = f"{name}: low end of its paired 95 % interval, recalls averaged over seeds"
        benchmark.claim(text, one.low, at_least=0.0)
        low = min(result.differences[direction].low for result in results)
        benchmark.claim(f"{name}: low end of its paired 95 % interval, least over seeds", low, at_least=0.0)
    one = averaged(*([result.queries[direction] for result in results] for direction in results[0].queries))
    benchmark.claim("Flickr8k-1k: mean recall less plain CCA's, mean over seeds", one.mean, at_least=0.001)
    text = "Flickr8k-1k: low end of its paired 95 % interval, recalls averaged over seeds"
    benchmark.claim(text, one.low, at_least=0.0)
    least = min(result.difference.low for result in results)
    benchmark.claim("Flickr8k-1k: low end of its paired 95 % interval, least over seeds", least, at_least=0.0)


def averaged(*directions: list[Any]) -> Any:
    """The difference of the metric averaged over seeds, whose queries are the same, and over directions."""
    from fusible.evaluation.retrieval import difference

    ours, theirs = (
        [np.mean([getattr(run, side) for run in runs], axis=0) for runs in directions] for side in ("ours", "theirs")
    )
    return difference(ours, theirs, [runs[0].groups for runs in directions])


def mark_equal(benchmark: Benchmark) -> None:
    """Note rows of a later seed whose method and scores are those of the first one: the seed changed nothing."""
    first: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in benchmark.rows:
        here = first.setdefault((row["data"], row["direction"], row["method"]), row)
        if here["seed"] != row["seed"] and all(here[name] == row[name] for name in SCORES):
            row["note"] = f"as seed {here['seed']}"


def digits(benchmark: Benchmark) -> None:
    """Noisy digits: 9,000 training pairs of a handwritten and a spoken digit, 2,000 test pairs; labels in training."""
    from noisy_digits import build

    args = benchmark.arguments
    data_folder("mnist")
    data_folder("fsdd")
    sizes = {"train": 150, "test": 40} if args.quick else {}
    encoders = {"image": "image_cnn", "audio": "audio_stats"} if args.quick else None
    scores: Found = defaultdict(list)
    for seed in args.seeds:
        methods = ("semantic",) if args.quick else None
        result = fit(
            benchmark,
            build(seed, **sizes),
            ("image", "audio"),
            seed,
            target="digit",
            encoders=encoders,
            methods=methods,
        )
        rows(benchmark, result, "noisy digits", seed)
        for way in result.chosen:
            scores[way.direction].append(way.scores["map"].score)
    for direction, values in scores.items():
        benchmark.claim(f"noisy digits: {direction}: class mAP, mean over seeds", float(np.mean(values)), at_least=0.70)


def grid(benchmark: Benchmark) -> None:
    """GRID: 600 training clips of one talker, 100 test clips; sound and silent video, transcript and silent video."""
    import fusible

    args = benchmark.arguments
    data: Any = fusible.read(data_folder("grid_s1") / "clips.csv")
    if args.quick:
        data = few(data, 12)
    ranks: Found = defaultdict(list)
    for encoders in (GRID, SPOKEN):
        for seed in args.seeds:
            methods = ("contrastive",) if args.quick else None
            result = fit(benchmark, data, tuple(encoders), seed, encoders=encoders, methods=methods)
            rows(benchmark, result, "GRID", seed)
            for way in result.chosen:
                ranks[way.direction].append(way.scores["median_rank"].score)
    for direction, values in ranks.items():
        if "transcript" not in direction:
            benchmark.claim(
                f"GRID: {direction}: median rank among 100 clips, worst of seeds", max(values), at_most=10.0
            )


PARTS: dict[str, Callable[[Benchmark], None]] = {"Flickr8k-1k": flickr, "GRID": grid, "noisy digits": digits}


def main() -> None:
    """Run the parts and judge their claims; what is done is written as it comes, as the whole takes long."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--data", nargs="+", choices=list(PARTS), default=list(PARTS))
    own, rest = parser.parse_known_args()
    sys.argv = [sys.argv[0], *rest]
    benchmark = Benchmark("retrieval", arguments(__doc__, seeds=(0, 1, 2)))
    benchmark.take("data", own.data)
    for name in own.data:
        PARTS[name](benchmark)
        mark_equal(benchmark)
        if benchmark.arguments.json is not None:
            write(benchmark.arguments.json, benchmark.result())
    benchmark.finish()


if __name__ == "__main__":
    main()
