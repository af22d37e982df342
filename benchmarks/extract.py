"""Triples out of text on WebNLG's official test part: a trained extractor, measured on seen and unseen categories.

Trained on the training texts, everything chosen on the dev texts, test texts scored once per seed. Categories are seen
where training has rows of them. A triple is right where the relation is the same and both names are the same by
`fusible.evaluation.names.same_name` (tolerant: spelling, punctuation, accents, brackets, values of numbers and dates)
or by their characters (exact). Each text of the test part counts by itself; intervals are by bootstrap of texts.

Each (part, seed) is kept as soon as it is done, and a killed run goes on where it was. Speed is sentences per minute of
one core's time, reading and telling included, so that what else the machine does counts little.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np
from _harness import Benchmark, data_folder
from _parts import Parts

FILES = {"train": "train", "valid": "dev", "test": "test"}
TARGET, SPEED = 0.60, 1_000
QUICK = 40


def main() -> None:
    """Run what is lacking, then judge."""
    parts = Parts("extract", __doc__, "data", ["WebNLG"])
    for name, runs in parts.run(measure).items():
        _table(parts.benchmark, name, runs)
        score = float(np.mean([run["rows"]["seen"]["tolerant"]["f1"]["score"] for run in runs]))
        speed = float(np.mean([run["sentences_per_minute"] for run in runs]))
        parts.benchmark.claim(f"{name}: alias-tolerant F1 of triples, seen categories", score, at_least=TARGET)
        parts.benchmark.claim(f"{name}: sentences read per minute of one core", speed, at_least=SPEED)
    parts.benchmark.finish()


def measure(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """One fit on training and dev texts, scored on the seen and on the unseen categories of the test part."""
    import pandas as pd

    import fusible
    from fusible.evaluation.study import plain
    from fusible.tasks.knowledge import extracting
    from fusible.tasks.knowledge._extract_pairs import read_pairs
    from fusible.tasks.knowledge._extract_text import sentences

    folder = data_folder(name.lower())
    tables = {part: pd.read_json(folder / f"{file}.jsonl.gz", lines=True) for part, file in FILES.items()}
    if args.quick:
        tables = {part: table[:: len(table) // QUICK] for part, table in tables.items()}
    seen = tables["test"]["category"].isin(set(tables["train"]["category"]))
    held = {**tables, "test": tables["test"][seen]}
    fitted = pd.concat([table.assign(split=part) for part, table in held.items()], ignore_index=True)
    settings = extracting.ExtractSettings(**({"epochs": 1} if args.quick else {}))
    result = fusible.fit_extractor(fitted, settings=settings, seed=seed, device=args.device, cache=args.cache)
    print(f"seed {seed}: valid {result.valid['tolerant']['f1'].score:.4f}", file=sys.stderr, flush=True)
    strange = read_pairs(tables["test"][~seen])["train"]
    started = time.process_time()
    unseen, error = extracting.measure(result.model, strange, seed=seed)
    seconds = time.process_time() - started
    count = sum(len(sentences(text)) for pair in strange for text in pair.texts)
    if not args.quick and args.json is not None:
        result.model.save(args.json.with_suffix(".models") / f"{name}-{seed}")
    rows = {"valid": plain(result.valid), "seen": plain(result.test), "unseen": plain(unseen)}
    return {
        "rows": rows,
        "calibration": {"seen": result.calibration_error, "unseen": error},
        "sentences_per_minute": 60 * count / seconds,
        **{key: plain(getattr(result, key)) for key in ("threshold", "aligned", "sizes", "settings")},
    }


def _table(benchmark: Benchmark, name: str, runs: list[dict[str, Any]]) -> None:
    for seed, run in zip(benchmark.arguments.seeds, runs, strict=True):
        for part, scores in run["rows"].items():
            for names, score in scores.items():
                benchmark.row(
                    data=name,
                    seed=seed,
                    method="trained",
                    part=part,
                    names=names,
                    precision=score["precision"]["score"],
                    recall=score["recall"]["score"],
                    f1=score["f1"]["score"],
                    f1_low=score["f1"]["low"],
                    f1_high=score["f1"]["high"],
                    calibration_error=run["calibration"].get(part),
                    aligned=run["aligned"],
                    cpu_seconds=run["cpu_seconds"],
                )


if __name__ == "__main__":
    main()
