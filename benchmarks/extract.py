"""Triples out of text on WebNLG's official test part: a trained extractor, and rules, on seen and unseen categories.

Trained on the training texts, everything chosen on the dev texts, test texts scored once per seed. Categories are seen
where training has rows of them. A triple is right where the relation is the same and both names are the same by
`fusible.evaluation.names.same_name` (tolerant: spelling, punctuation, accents, brackets, values of numbers and dates)
or by their characters (exact). Each text of the test part counts by itself; intervals are by bootstrap of texts. Rules
are not trained; their phrases are named by training texts (`_extract_rules`), and they draw nothing.

`--method NAME` runs one only; each (method, seed) is kept as soon as it is done, and a killed run goes on where it was.
Speed is sentences per minute of one core's time, so that what else the machine does counts little.
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
    parts = Parts("extract", __doc__, "method", ["trained", "rules"])
    for name, runs in parts.run(measure).items():
        _table(parts.benchmark, name, runs)
        if name == "trained":
            score = float(np.mean([run["rows"]["seen"]["tolerant"]["f1"]["score"] for run in runs]))
            speed = float(np.mean([run["sentences_per_minute"] for run in runs]))
            said = "WebNLG test, seen categories, alias-tolerant F1 of triples, mean of seeds"
            parts.benchmark.claim(f"{name}: {said}", score, at_least=TARGET)
            parts.benchmark.claim(f"{name}: sentences read per minute of one core", speed, at_least=SPEED)
    parts.benchmark.finish()


def measure(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """What one method finds in the seen and in the unseen categories of the test part."""
    import pandas as pd

    folder = data_folder("webnlg")
    tables = {part: pd.read_json(folder / f"{file}.jsonl.gz", lines=True) for part, file in FILES.items()}
    if args.quick:
        tables = {part: table[:: len(table) // QUICK] for part, table in tables.items()}
    seen = tables["test"]["category"].isin(set(tables["train"]["category"]))
    tables |= {"test": tables["test"][seen], "unseen": tables["test"][~seen]}
    if name == "rules":
        return _rules(tables) if seed == args.seeds[0] else {"rows": {}}
    return _trained(tables, seed, args)


def _trained(tables: dict[str, Any], seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """One fit on training and dev texts, scored on the test texts of seen and of unseen categories."""
    import pandas as pd

    import fusible
    from fusible.evaluation.study import plain
    from fusible.tasks.knowledge.extract.fit import ExtractSettings

    fitted = pd.concat([tables[part].assign(split=part) for part in FILES], ignore_index=True)
    settings = ExtractSettings(**({"epochs": 1} if args.quick else {}))
    result = fusible.fit_extractor(fitted, settings=settings, seed=seed, device=args.device, cache=args.cache)
    print(f"seed {seed}: valid {result.valid['tolerant']['f1'].score:.4f}", file=sys.stderr, flush=True)
    unseen = _scored(result.model, tables["unseen"], seed)
    return {
        "rows": {"valid": plain(result.valid), "seen": plain(result.test), "unseen": unseen["scores"]},
        "calibration": {"seen": result.calibration_error, "unseen": unseen["calibration"]},
        "sentences_per_minute": unseen["sentences_per_minute"],
        **{key: plain(getattr(result, key)) for key in ("threshold", "aligned", "sizes", "settings")},
    }


def _rules(tables: dict[str, Any]) -> dict[str, Any]:
    """Rules over a parse, their phrases named by the first text of each training row."""
    from _extract_rules import Named, labels_of

    from fusible.tasks.knowledge.construct.parse_rules import RuleExtractor
    from fusible.tasks.knowledge.extract._pairs import read_pairs

    rules, train = RuleExtractor(), read_pairs(tables["train"])["train"]
    named = Named(rules, labels_of(rules, [pair.texts[0] for pair in train], [pair.triples for pair in train]))
    found = {part: _scored(named, tables[part], 0) for part in ("test", "unseen")}
    return {
        "rows": {"seen": found["test"]["scores"], "unseen": found["unseen"]["scores"]},
        "calibration": {},
        "sentences_per_minute": found["unseen"]["sentences_per_minute"],
        "phrases": len(named.labels),
    }


def _scored(extractor: Any, table: Any, seed: int) -> dict[str, Any]:
    """Scores, calibration error and speed of an extractor on the texts of a table."""
    from fusible.evaluation.study import plain
    from fusible.tasks.knowledge.extract._pairs import read_pairs
    from fusible.tasks.knowledge.extract._text import sentences
    from fusible.tasks.knowledge.extract.fit import measure as scored

    pairs = read_pairs(table)["train"]
    started = time.process_time()
    scores, error = scored(extractor, pairs, seed=seed)
    seconds = time.process_time() - started
    count = sum(len(sentences(text)) for pair in pairs for text in pair.texts)
    return {"scores": plain(scores), "calibration": error, "sentences_per_minute": 60 * count / seconds}


def _table(benchmark: Benchmark, name: str, runs: list[dict[str, Any]]) -> None:
    for seed, run in zip(benchmark.arguments.seeds, runs, strict=True):
        for part, scores in run["rows"].items():
            for names, score in scores.items():
                benchmark.row(
                    method=name,
                    seed=seed,
                    part=part,
                    names=names,
                    precision=score["precision"]["score"],
                    recall=score["recall"]["score"],
                    f1=score["f1"]["score"],
                    f1_low=score["f1"]["low"],
                    f1_high=score["f1"]["high"],
                    calibration_error=run["calibration"].get(part),
                    aligned=run.get("aligned"),
                    cpu_seconds=run["cpu_seconds"],
                )


if __name__ == "__main__":
    main()
