"""Link prediction on public graphs with their official splits: ComplEx, its penalty chosen on validation triples.

Filtered ranks of tails and heads among all entities, equal scores at the mean of their places; the test part is scored
once per seed. Width, batch and weight of telling relations are the same for all graphs of a kind and were chosen on
validation triples of seed 0; the penalty is chosen in every run. "Most frequent" ranks what a relation leads to most
often in training, whoever is asked about. Seeds draw initial vectors and batches.

`--graph NAME` runs some only; each (graph, seed) is kept as soon as it is done, and a killed run goes on where it was.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
from _harness import Benchmark, data_folder
from _parts import Parts

TARGETS = {"UMLS": 0.955, "Kinships": 0.865, "Nations": 0.82}
FOLDERS = {"UMLS": "umls", "Kinships": "kinships", "Nations": "nations"}
PENALTIES = (0.003, 0.01)
METRICS = ("mrr", "hits@1", "hits@3", "hits@10")
FREQUENT = "most frequent"


def main() -> None:
    """Run what is lacking, then judge."""
    parts = Parts("links", __doc__, "graph", list(FOLDERS))
    for name, runs in parts.run(measure).items():
        _table(parts.benchmark, name, runs)
        scores = [run["rows"][run["chosen"]]["test"]["mrr"] for run in runs]
        text = f"{name}: mean reciprocal rank on test triples, mean of seeds"
        parts.benchmark.claim(text, float(np.mean(scores)), at_least=TARGETS[name])
    parts.benchmark.finish()


def measure(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """One fit, and what is kept of it."""
    import fusible
    from fusible.tasks.knowledge.links import LinkSettings

    settings = LinkSettings(
        width=500, batch=100 if name == "Nations" else 200, kinds=0.1, epochs=60, look=2, patience=6
    )
    if args.quick:
        settings = replace(settings, width=16, epochs=2)
    folder = data_folder("graphs") / FOLDERS[name]
    result = fusible.fit_links(folder, settings=settings, penalties=PENALTIES, seed=seed)
    rows = {
        row.name: {
            "valid": row.valid,
            "test": {metric: row.test[metric].score for metric in METRICS},
            "low": row.test["mrr"].low,
            "high": row.test["mrr"].high,
            "penalty": row.settings.get("penalty"),
            "parameters": row.parameters,
            "cpu_seconds": row.cpu_seconds,
        }
        for row in result.rows
    }
    return {"rows": rows, "chosen": result.chosen, "sizes": result.sizes}


def _table(benchmark: Benchmark, name: str, runs: list[dict[str, Any]]) -> None:
    for seed, run in zip(benchmark.arguments.seeds, runs, strict=True):
        for method, row in run["rows"].items():
            if method == FREQUENT and seed != benchmark.arguments.seeds[0]:
                continue  # it draws nothing
            shown = {metric.replace("@", "_"): row["test"][metric] for metric in METRICS}
            benchmark.row(
                graph=name,
                seed=seed,
                method=method,
                **shown,
                mrr_low=row["low"],
                mrr_high=row["high"],
                valid_mrr=row["valid"],
                penalty=row["penalty"],
                parameters=row["parameters"],
                cpu_seconds=row["cpu_seconds"],
            )


if __name__ == "__main__":
    main()
