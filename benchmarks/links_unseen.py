"""Entities that training never sees, answered from their descriptions alone: a tenth of those of UMLS is held out.

All triples that touch a held-out entity are test triples, asked for both ways with filtered ranks among all entities;
official training and validation triples that touch none are trained on and chosen by. Chance is the share of Hits@10
that a random order would have, of the same queries with the same filter; "structure" is the scorer without
descriptions. Seeds draw who is held out, initial vectors and batches.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
from _harness import Benchmark, data_folder
from _parts import Parts

SHARE = 0.1
TIMES = 5
METRICS = ("mrr", "hits@1", "hits@3", "hits@10")


def main() -> None:
    """Run what is lacking, then judge."""
    parts = Parts("links_unseen", __doc__, "graph", ["UMLS"])
    for name, runs in parts.run(measure).items():
        _table(parts.benchmark, name, runs)
        ratio = float(np.mean([run["rows"]["descriptions"]["hits@10"]["score"] / run["chance"] for run in runs]))
        text = f"{name}: Hits@10 of held-out entities by their descriptions over chance, mean of seeds"
        parts.benchmark.claim(text, ratio, at_least=TIMES)
    parts.benchmark.finish()


def measure(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """One fit without the held-out entities, and what is found of their links."""
    import fusible
    from fusible.evaluation.links import both_ways
    from fusible.tasks.knowledge.links.fit import LinkSettings

    folder = data_folder("graphs") / "umls"
    graph, strangers = held_out(fusible.read_graph(folder), seed)
    settings = LinkSettings(width=16, epochs=2) if args.quick else LinkSettings(width=200, batch=500, epochs=40)
    options: dict[str, Any] = {"settings": settings, "penalties": (0.01,), "cache": args.cache}
    result = fusible.fit_links(graph, entities=described(folder), seed=seed, **options)
    queries, answers = both_ways(graph.part("test"), len(graph.relations))
    rows = {"descriptions": _scores(graph, queries, answers, result.model.scores(queries), seed)}
    if result.chosen == "complex":  # its row is what the whole model says, which answers for strangers by descriptions
        rows["structure"] = _scores(graph, queries, answers, result.model.networks[0].scores(queries), seed)
    else:
        rows["structure"] = {
            metric: {"score": one.score, "low": one.low, "high": one.high}
            for metric, one in result.row("complex").test.items()
            if metric in METRICS
        }
    seconds = sum(row.cpu_seconds for row in result.rows)
    sizes = {"strangers": len(strangers), "test": len(graph.part("test")), "train": len(graph.part("train"))}
    return {"rows": rows, "chance": chance(graph, queries, answers), "sizes": sizes, "cpu_seconds_of_fit": seconds}


def held_out(graph: Any, seed: int) -> tuple[Any, np.ndarray]:
    """The graph with all triples of a tenth of its entities as test triples, and these entities."""
    from dataclasses import replace

    random = np.random.default_rng(seed)
    strangers = np.sort(random.permutation(len(graph.entities))[: round(SHARE * len(graph.entities))])
    touched = np.isin(graph.triples[:, [0, 2]], strangers).any(axis=1)
    parts = {part: rows[~touched[rows]] for part, rows in graph.parts.items() if part != "test"}
    return replace(graph, parts={**parts, "test": np.flatnonzero(touched)}), strangers


def described(folder: Path) -> Any:
    """What is said of entities: a row each."""
    import pandas as pd

    with (folder / "entity_descriptions.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return pd.DataFrame(rows, columns=["entity", "description"]).drop_duplicates("entity")


def _scores(graph: Any, queries: np.ndarray, answers: np.ndarray, scores: np.ndarray, seed: int) -> dict[str, Any]:
    from fusible.evaluation.links import Known, per_triple, ranks, summary

    known = Known(graph.triples, len(graph.relations))
    found = summary(per_triple(ranks(scores, queries, answers, known)), seed=seed)
    return {name: {"score": found[name].score, "low": found[name].low, "high": found[name].high} for name in METRICS}


def chance(graph: Any, queries: np.ndarray, answers: np.ndarray, k: int = 10) -> float:
    """Hits@k of a random order: k of the entities that are no other true answer of the query, mean over queries."""
    from fusible.evaluation.links import Known

    rows, true = Known(graph.triples, len(graph.relations)).answers(queries)
    others = np.bincount(rows[true != answers[rows]], minlength=len(queries))
    return float(np.minimum(1.0, k / (len(graph.entities) - others)).mean())


def _table(benchmark: Benchmark, name: str, runs: list[dict[str, Any]]) -> None:
    for seed, run in zip(benchmark.arguments.seeds, runs, strict=True):
        for method, row in run["rows"].items():
            shown = {metric.replace("@", "_"): row[metric]["score"] for metric in METRICS}
            low, high = row["hits@10"]["low"], row["hits@10"]["high"]
            sizes = {key: run["sizes"][key] for key in ("strangers", "test")}
            benchmark.row(graph=name, seed=seed, method=method, **shown, hits_10_low=low, hits_10_high=high, **sizes)
        benchmark.row(graph=name, seed=seed, method="chance", hits_10=run["chance"])


if __name__ == "__main__":
    main()
