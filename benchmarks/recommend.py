"""Recommendation on MovieLens-100k: a fused scorer against EASE and others, and items that nobody had.

Full ranking over all films that a user has not had; all 100,000 ratings count as had. Of each user's a tenth each is
held out for validation and test, drawn by the seed; everything is chosen on validation ones, fitted on training ones
alone, and measured on test ones once. `ratings alone` is the fused scorer that is told nothing of films or users.
`EASE 400` has the penalty that is best for EASE on test interactions of these splits, which no fair choice would know.

`--part "new films"`: 15 % of the films are taken out of training altogether and ranked among themselves by what is
known of them. Most popular cannot tell them apart: its figure is that of a random order. `popular by content` ranks
them by how popular their content would have them be, for all users alike.

The links of films to entities that come with the data (RecBole's) name films by the ids of a later MovieLens: Star Wars
is film 50 here, its entity stands at 260. By them the graph says nothing true of most films, and by the graph alone new
films are ranked no better than at random: what "text and graph" find, they find by text.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from _harness import Benchmark, data_folder
from _parts import Parts

METRICS = ("ndcg@10", "recall@10", "mrr@10", "hit@10")
KNOWN, COLD = "known films", "new films"
ALONE, FIXED = "fused, ratings alone", "EASE 400"
SETS = (["text"], ["graph"], ["tags"], ["text", "graph"], ["graph", "table", "tags", "text"])
SHARE = 0.15


def main() -> None:
    """Run what is lacking, then judge."""
    parts = Parts("recommend", __doc__, "part", [KNOWN, COLD])
    for name, runs in parts.run(measure).items():
        _table(parts.benchmark, name, runs)
        (_judge_known if name == KNOWN else _judge_cold)(parts.benchmark, runs)
    parts.benchmark.finish()


def measure(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """One split, and what is kept of it: means and intervals, and each user's NDCG."""
    folder = data_folder("movielens")
    return _known(folder, seed, args) if name == KNOWN else _cold(folder, seed, args)


def _known(folder: Path, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    import fusible

    ratings, films = _tables(folder, args.quick)
    alone = fusible.fit_recommender(ratings, seed=seed)
    told = fusible.fit_recommender(
        ratings,
        items=films,
        graph=folder / "triples.tsv",
        links=folder / "movie_entities.tsv",
        users=folder / "users.tsv",
        cache=args.cache,
        seed=seed,
    )
    rows = {row.name: _kept(row) for row in told.rows} | {ALONE: _kept(alone.row("fused"))}
    return {"rows": rows | {FIXED: _fixed(ratings, seed)}, "chosen": told.chosen, "sizes": told.sizes}


def _fixed(ratings: Any, seed: int) -> dict[str, Any]:
    """EASE with a penalty of 400, on the same split."""
    from fusible.evaluation.links import summary
    from fusible.evaluation.recommendation import TEST, TRAIN, VALID, per_user, split_by_user
    from fusible.tasks.recommend._scorers import EaseSettings, ease
    from fusible.tasks.recommend.ratings import read_ratings
    from fusible.tasks.recommend.results import RecommendRow

    held = read_ratings(ratings)
    part = split_by_user(held.user, seed)
    train, valid, test = (held.matrix(np.flatnonzero(part == place)) for place in (TRAIN, VALID, TEST))
    judged = np.flatnonzero(test.getnnz(axis=1))
    scores = (train @ ease(train, EaseSettings(400.0)).items)[judged]
    values = per_user(scores, (train + valid)[judged].toarray() > 0, test[judged].toarray() > 0)
    return _kept(RecommendRow(FIXED, "reference", float("nan"), summary(values, seed=seed), values=values))


def _cold(folder: Path, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    from fusible.tasks.recommend._cold import measure_cold
    from fusible.tasks.recommend.items import items_of, read_items
    from fusible.tasks.recommend.ratings import read_ratings

    ratings, films = _tables(folder, args.quick)
    table = read_items(films)
    held = read_ratings(ratings).with_items(table.ids)
    graph, links = folder / "triples.tsv", folder / "movie_entities.tsv"
    known = items_of(held.items, table, graph=graph, links=links, seed=seed, cache=args.cache)
    sets = SETS[-2:] if args.quick else SETS
    rows = measure_cold(held, known.kernels(), SHARE, seed, sets)
    return {"rows": {row.name: _kept(row) for row in rows}}


def _tables(folder: Path, quick: bool) -> tuple[Any, Any]:
    """Ratings and films; in a quick run of the first 200 films by every fourth user."""
    import pandas as pd

    ratings, films = (pd.read_csv(folder / f"{name}.tsv", sep="\t") for name in ("ratings", "movies"))
    if quick:
        ratings = ratings[(ratings.user_id % 4 == 0) & (ratings.item_id <= 200)]
        films = films[films.item_id <= 200]
    return ratings, films


def _kept(row: Any) -> dict[str, Any]:
    scores = {name: row.test[name].score for name in METRICS}
    interval = {"low": row.test["ndcg@10"].low, "high": row.test["ndcg@10"].high}
    values = [None if np.isnan(one) else round(float(one), 6) for one in row.values["ndcg@10"]]
    valid = None if np.isnan(row.valid) else row.valid
    return {"valid": valid, "test": scores, **interval, "settings": row.settings, "values": values}


def _table(benchmark: Benchmark, name: str, runs: list[dict[str, Any]]) -> None:
    for seed, run in zip(benchmark.arguments.seeds, runs, strict=True):
        for method, row in run["rows"].items():
            scores = {metric.replace("@", "_"): row["test"][metric] for metric in METRICS}
            cells = {"ndcg_low": row["low"], "ndcg_high": row["high"], "valid_ndcg": row["valid"]}
            benchmark.row(part=name, seed=seed, method=method, **scores, **cells, cpu_seconds=run["cpu_seconds"])


def _judge_known(benchmark: Benchmark, runs: list[dict[str, Any]]) -> None:
    scores = [run["rows"]["fused"]["test"]["ndcg@10"] for run in runs]
    benchmark.claim(f"{KNOWN}: NDCG@10 of the fused scorer, mean of seeds", float(np.mean(scores)), at_least=0.333)
    for other in ("ease", FIXED, ALONE):
        mean, low = _above(runs, other)
        text = f"{KNOWN}: fused above {other} by {mean:.4f} NDCG@10 per user, mean of seeds; low end of 95 %"
        benchmark.claim(text, low, at_least=0.0)


def _above(runs: list[dict[str, Any]], other: str) -> tuple[float, float]:
    """Mean over users of each one's mean difference over seeds, and the low end of its interval by users."""
    from fusible.evaluation.links import difference

    tables = [np.array([run["rows"][name]["values"] for run in runs], float) for name in ("fused", other)]
    ours, theirs = (np.nanmean(table, axis=0) for table in tables)
    found = difference(ours, theirs)
    return found.mean, found.low


def _judge_cold(benchmark: Benchmark, runs: list[dict[str, Any]]) -> None:
    def mean(name: str) -> float:
        return float(np.mean([run["rows"][name]["test"]["ndcg@10"] for run in runs]))

    told, every = mean("text+graph"), mean("+".join(SETS[-1]))
    text = f"{COLD}: NDCG@10 by text and graph over that of most popular (a random order), mean of seeds"
    benchmark.claim(text, told / mean("most popular"), at_least=2.0)
    text = f"{COLD}: NDCG@10 by all views over that of popular by content, mean of seeds"
    benchmark.claim(text, every / mean("popular by content"), at_least=1.0)


if __name__ == "__main__":
    main()
