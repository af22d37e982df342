"""What text adds to structure in link prediction: descriptions of entities (UMLS), labels of their types (CoDEx-S).

Official splits, filtered ranks among all entities. Of the candidates that read text (views alone, vectors learned one
by one plus views, both networks with a weight per relation) the best on validation triples stands against the same
scorer without text, with the same settings. The gain is that of a test triple's reciprocal rank, its mean over seeds,
with a paired bootstrap of triples.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
from _harness import Benchmark, data_folder
from _link_types import typed
from _parts import Parts
from links_unseen import described

FOLDERS = {"UMLS": "umls", "CoDEx-S": "codex_s"}
STRUCTURE = "complex"
METRIC = "mrr"


def main() -> None:
    """Run what is lacking, then judge."""
    from fusible.evaluation.links import difference

    parts = Parts("links_text", __doc__, "graph", list(FOLDERS))
    for name, runs in parts.run(measure).items():
        _table(parts.benchmark, name, runs)
        gains = np.mean([np.array(run["gains"]) for run in runs], axis=0)
        found = difference(gains, np.zeros_like(gains))
        text = f"{name}: lower end of what text adds to the mean reciprocal rank, mean of seeds"
        parts.benchmark.claim(text, found.low, at_least=1e-9)
    parts.benchmark.finish()


def measure(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """One fit with a table of entities: its rows, and what each test triple gained."""
    import fusible
    from fusible.tasks.knowledge.links.fit import LinkSettings

    folder = data_folder("graphs") / FOLDERS[name]
    if name == "UMLS":
        settings = LinkSettings(width=200, batch=200, kinds=0.1, epochs=40, look=2, patience=6)
    else:
        settings = LinkSettings(width=300, batch=1_000, epochs=18, look=6, patience=2, average=6)
    if args.quick:
        settings = replace(settings, width=8, batch=4_000, epochs=1)
    options: dict[str, Any] = {"settings": settings, "penalties": (0.01,), "cache": args.cache}
    if name == "UMLS":
        table, encoders = described(folder), {"description": "text_tfidf"} if args.quick else None
    else:
        table, encoders = typed(folder), {"types": "text_tfidf"}
    result = fusible.fit_links(folder, entities=table, encoders=encoders, seed=seed, **options)
    told = max((row for row in result.rows if ":" in row.name or "+" in row.name), key=lambda row: row.valid)
    gains = told.values[METRIC] - result.row(STRUCTURE).values[METRIC]
    rows = {
        row.name: {"valid": row.valid, METRIC: row.test[METRIC].score, "cpu_seconds": row.cpu_seconds}
        for row in result.rows
    }
    return {"rows": rows, "told": told.name, "gains": [round(float(gain), 6) for gain in gains]}


def _table(benchmark: Benchmark, name: str, runs: list[dict[str, Any]]) -> None:
    from fusible.evaluation.links import difference

    for seed, run in zip(benchmark.arguments.seeds, runs, strict=True):
        for method, row in run["rows"].items():
            cells: dict[str, Any] = {"mrr": row[METRIC], "valid_mrr": row["valid"], "cpu_seconds": row["cpu_seconds"]}
            if method == run["told"]:
                gains = np.array(run["gains"])
                found = difference(gains, np.zeros_like(gains), seed=seed)
                cells |= {"gain": found.mean, "gain_low": found.low, "gain_high": found.high}
            benchmark.row(graph=name, seed=seed, method=method, **cells)


if __name__ == "__main__":
    main()
