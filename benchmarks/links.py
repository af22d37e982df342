"""Link prediction on public graphs with their official splits: ComplEx, its penalty chosen on validation triples.

Filtered ranks of tails and heads among all entities, equal scores at the mean of their places; the test part is
scored once per seed. Width, batch, weight of telling relations and averaging were chosen on validation triples, for
CoDEx-S, for Nations, and for UMLS and Kinships together; the penalty is chosen in every run. "Most frequent" ranks
what a relation leads to most often in training, whoever is asked about. Seeds draw initial vectors and batches. On
CoDEx-S the mean of eight networks is a candidate, too, and that together with mined rules, with weights per relation
(the long run); what is chosen also says of verified triples whether they are true. On UMLS the network and that
together with rules compete, on Nations the network and the mean of four.

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
FOLDERS = {"UMLS": "umls", "Kinships": "kinships", "Nations": "nations", "CoDEx-S": "codex_s"}
PENALTIES = (0.003, 0.01)
SHORT, LONG, SHORT_MINUTES = 0.45, 0.473, 8
ACCURACY = 0.845
MEMBERS, FEW = 8, 4
RULED = ("UMLS", "CoDEx-S")
METRICS = ("mrr", "hits@1", "hits@3", "hits@10")
JUDGED = ("accuracy", "f1", "auroc", "ece")
FREQUENT = "most frequent"
CLASSES = "triple classification"


def main() -> None:
    """Run what is lacking, then judge."""
    parts = Parts("links", __doc__, "graph", list(FOLDERS))
    for name, runs in parts.run(measure).items():
        _table(parts.benchmark, name, runs)
        if name == "CoDEx-S":
            _judge_codex(parts.benchmark, runs)
            continue
        scores = [run["rows"][run["chosen"]]["test"]["mrr"] for run in runs]
        text = f"{name}: mean reciprocal rank on test triples, mean of seeds"
        parts.benchmark.claim(text, float(np.mean(scores)), at_least=TARGETS[name])
    parts.benchmark.finish()


def measure(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """One fit, and what is kept of it."""
    import fusible

    codex = name == "CoDEx-S"
    penalties, members = ((0.01,), MEMBERS) if codex else (PENALTIES, FEW if name == "Nations" else 1)
    folder = data_folder("graphs") / FOLDERS[name]
    options: dict[str, Any] = {"settings": _settings(name, args.quick), "penalties": penalties, "members": members}
    rules = name in RULED and not args.quick  # half a minute to mine and to apply
    result = fusible.fit_links(folder, rules=rules, seed=seed, **options)
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
    found = {"rows": rows, "chosen": result.chosen, "sizes": result.sizes}
    return found | ({"classified": _classified(result.model, folder)} if codex else {})


def _settings(name: str, quick: bool) -> Any:
    from fusible.tasks.knowledge.links.fit import LinkSettings

    if name == "CoDEx-S":
        settings = LinkSettings(width=300, batch=1_000, epochs=18, look=6, patience=2, average=6)
    elif name == "Nations":  # 14 entities: few queries, with many answers each
        settings = LinkSettings(width=500, batch=10, kinds=0.1, epochs=30, look=1, patience=5, average=2)
    else:
        settings = LinkSettings(width=500, batch=200, kinds=0.1, epochs=60, look=2, patience=6)
    return replace(settings, width=16, epochs=2) if quick else settings


def _classified(model: Any, folder: Any) -> dict[str, Any]:
    """Scores of the probabilities of test triples, and of the verified false ones beside them."""
    from fusible.evaluation.links import classified

    true, false = (model.classify(folder / f"{name}.txt")["probability"] for name in ("test", "test_negatives"))
    probability = np.concatenate([true, false])
    scores = classified(np.repeat([1, 0], [len(true), len(false)]), probability)
    return {name: {"score": one.score, "low": one.low, "high": one.high} for name, one in scores.items()}


def _judge_codex(benchmark: Benchmark, runs: list[dict[str, Any]]) -> None:
    """Claims of the short run (one network), of the long one (what validation chose), and of classification."""
    short = [run["rows"]["complex"] for run in runs]
    for seed, run in zip(benchmark.arguments.seeds, runs, strict=True):
        scores = run["classified"]
        shown = {metric: scores[metric]["score"] for metric in JUDGED}
        benchmark.row(graph="CoDEx-S", seed=seed, method=CLASSES, **shown)
    text = "CoDEx-S: mean reciprocal rank on test triples, mean of seeds"
    benchmark.claim(f"{text}, one network", float(np.mean([row["test"]["mrr"] for row in short])), at_least=SHORT)
    minutes = max(row["cpu_seconds"] for row in short) / 60
    benchmark.claim("CoDEx-S: CPU minutes of training one network, most of seeds", minutes, at_most=SHORT_MINUTES)
    chosen = [run["rows"][run["chosen"]] for run in runs]
    benchmark.claim(f"{text}, long run", float(np.mean([row["test"]["mrr"] for row in chosen])), at_least=LONG)
    right = [run["classified"]["accuracy"]["score"] for run in runs]
    text = "CoDEx-S: accuracy of triple classification on verified negatives, mean of seeds"
    benchmark.claim(text, float(np.mean(right)), at_least=ACCURACY)


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
