"""Confidence of triples that rules read: how often each rule is right on WebNLG dev, and whether that holds on test.

WebNLG's sentences were written to say given triples and nothing else. A triple of a rule counts as right where one of
the given triples has both its names, in either order; the wording of relations is not compared. So what a rule reads
besides the given triples counts as wrong, though the sentence may say it: rules of which that is most (`judged` in the
table of counts) were read by a person instead, on sentences of dev drawn at random, and are left out of the claim.

`--write` puts the counts of dev into the package (`rule_counts.tsv`).
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections import defaultdict
from time import process_time
from typing import Any

from _harness import Benchmark, arguments, data_folder

LETTERS = 85
"""Least likeness (rapidfuzz) of two spellings of one name."""
SENTENCES = 400
"""Texts of a quick run."""


def main() -> None:
    """Measure both parts, judge test."""
    write = "--write" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--write"]
    benchmark = Benchmark("rule_confidence", arguments(__doc__))
    folder = data_folder("webnlg")
    from fusible.tasks.knowledge.construct._parse_confidence import JUDGED, write_counts

    for part in ("dev", "test"):
        texts = _texts(folder / f"{part}.jsonl.gz")
        texts = texts[:: max(1, len(texts) // SENTENCES)] if benchmark.arguments.quick else texts
        found, minute = _read([text for text, _ in texts])
        counts, totals = _counted(texts, found)
        if write and part == "dev":
            write_counts(counts)
        for rule in sorted(counts, key=lambda rule: -sum(of for _, of, _ in counts[rule])):
            right, of, sure = (sum(cell[place] for cell in counts[rule]) for place in range(3))
            kind = "judged" if rule in JUDGED else "given triples"
            benchmark.row(part=part, rule=rule, by=kind, triples=of, right=right / of, confidence=sure / of)
        benchmark.row(part=part, rule="all", by="given triples", sentences_per_minute=minute, **totals)
    named = [cell for rule, cells in counts.items() if rule not in JUDGED for cell in cells]
    right, of, sure = (sum(cell[place] for cell in named) for place in range(3))
    benchmark.claim("test: |mean confidence - share right|", abs(sure - right) / of, at_most=0.05)
    away = [abs(sum(cell[2] - cell[0] for cell in cells)) for rule, cells in counts.items() if rule not in JUDGED]
    benchmark.claim("test: the same rule by rule, mean over triples", sum(away) / of, at_most=0.05)
    benchmark.claim("test: sentences per CPU-minute", minute, at_least=1000)
    benchmark.finish()


def _texts(path: Any) -> list[tuple[str, list[list[str]]]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [(text, row["triples"]) for row in rows for text in row["texts"]]


def _read(texts: list[str]) -> tuple[list[list[Any]], float]:
    from fusible.tasks.knowledge.construct.parse_rules import RuleExtractor

    extractor = RuleExtractor()
    extractor.extract(["The parser is loaded."])
    start = process_time()
    found = extractor.found(texts)
    sentences = sum(len(re.findall(r"[.!?](?:\s|$)", text)) or 1 for text in texts)
    return found, 60 * sentences / (process_time() - start)


def _counted(texts: list[tuple[str, list[list[str]]]], found: list[list[Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of each rule by how many ends are names: triples that are right, all, their confidences; and of all together."""
    counts: dict[str, list[list[float]]] = defaultdict(lambda: [[0, 0, 0.0] for _ in range(3)])
    hits = given = 0
    for (_, triples), reads in zip(texts, found, strict=True):
        told = set()
        for read in reads:
            pairs = [i for i, (head, _, tail) in enumerate(triples) if _pair(read.said, head, tail)]
            cell = counts[read.rule][read.own]
            cell[0] += bool(pairs)
            cell[1] += 1
            cell[2] += read.said.confidence
            told.update(pairs)
        hits, given = hits + len(told), given + len(triples)
    right, of = (sum(cell[place] for cells in counts.values() for cell in cells) for place in range(2))
    precision, recall = right / of, hits / given
    f1 = 2 * precision * recall / (precision + recall)
    return dict(counts), {"triples": of, "right": precision, "recall": recall, "f1": f1}


def _pair(said: Any, head: str, tail: str) -> bool:
    return (_same(said.head, head) and _same(said.tail, tail)) or (_same(said.head, tail) and _same(said.tail, head))


def _same(said: str, given: str) -> bool:
    """Whether two names are one: one has all words of the other, or a few wrong letters; numbers must agree."""
    from rapidfuzz import fuzz

    from fusible.tasks.knowledge.construct._alias_names import key_of

    one, other = key_of(said).split(), key_of(re.sub(r"\(.*?\)", "", given).replace("_", " ")).split()
    if not one or not other:
        return False
    numbers = [{word for word in words if word[0].isdigit()} for words in (one, other)]
    if all(numbers):
        return numbers[0] <= numbers[1] or numbers[1] <= numbers[0]
    return set(one) <= set(other) or set(other) <= set(one) or fuzz.ratio(" ".join(one), " ".join(other)) >= LETTERS


if __name__ == "__main__":
    main()
