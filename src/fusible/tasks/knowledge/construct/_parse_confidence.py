"""How often a rule is right: counted on sentences whose triples are known (`benchmarks/rule_confidence.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

COUNTS = "rule_counts.tsv"
"""A line for each rule on WebNLG dev: right and all of its triples with no, one and two names of their own."""
JUDGED = {
    "copula": (28, 40),
    "apposition": (9, 13),
    "adjective": (22, 23),
    "possessive": (18, 25),
    "place": (43, 45),
}
"""Rules of whose triples WebNLG gives few ("Ann is a chemist"): right and all of a sample of dev read by a person."""
WEIGHT = 10
"""Triples that a rule as a whole counts for beside those with as many names of their own."""


@cache
def _counts() -> dict[str, tuple[tuple[int, int], ...]]:
    text = files(__package__).joinpath(COUNTS).read_text("utf-8")
    found = {}
    for line in text.splitlines():
        rule, *numbers = line.split("\t")
        cells = [int(number) for number in numbers]
        found[rule] = tuple(zip(cells[::2], cells[1::2], strict=True))
    return found


@cache
def confidence(rule: str, own: int) -> float:
    """Probability that a triple of a rule is right, of whose ends `own` are names of their own (0 to 2).

    A rule with few triples is drawn to what all rules together have, one with few such names to what it has itself.
    """
    if rule in JUDGED:
        right, of = JUDGED[rule]
        return (right + 1) / (of + 2)
    counts = _counts()
    all_right, all_of = _sum([cell for cells in counts.values() for cell in cells])
    cells = counts.get(rule, ((0, 0),) * 3)
    right, of = _sum(cells)
    share = (right + WEIGHT * all_right / all_of) / (of + WEIGHT)
    return (cells[own][0] + WEIGHT * share) / (cells[own][1] + WEIGHT)


def _sum(cells: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return sum(right for right, _ in cells), sum(of for _, of in cells)


def write_counts(counts: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Put counts in place of those of the package: of each rule by names (right, all, …); judged ones are left out."""
    from pathlib import Path

    lines = []
    for rule in sorted(counts):
        numbers = [str(int(number)) for cell in counts[rule] for number in cell[:2]]
        if rule not in JUDGED:
            lines.append("\t".join([rule, *numbers]) + "\n")
    Path(str(files(__package__).joinpath(COUNTS))).write_text("".join(lines), "utf-8")
    _counts.cache_clear()
    confidence.cache_clear()
