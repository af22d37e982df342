"""Horn rules of a graph: mined with their support and confidence, scored, and shown as reasons.

"AMIE: Association Rule Mining under Incomplete Evidence in Ontological Knowledge Bases" (Galárraga et al., WWW 2013)
has the measures; rules are aggregated as AnyBURL does (Meilicke et al., IJCAI 2019), by the surest or by noisy-or.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from fusible.data.graph import Graph, read_graph
from fusible.errors import ConfigError, DataError
from fusible.tasks.knowledge._names import place, said
from fusible.tasks.knowledge.rules._constants import linked
from fusible.tasks.knowledge.rules._mine import DOUBT, Bounds, chains, recounted
from fusible.tasks.knowledge.rules._paths import LONGEST, Body, Paths
from fusible.tasks.knowledge.rules._score import HOW, Scoring

LETTERS = "xyzw"
FLOOR = 1e-3
"""Chance of an entity that no rule foretells, beside those that rules do."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A chain of steps from x that foretells the step `head` to its end; steps count relations, then their inverses.

    With `names` (entity of the body, entity of the head) it is one step to the first that foretells one to the second.
    `support` counts pairs that both have, `pairs` those that the body has: `confidence` is their quotient. `pca`
    divides by those pairs alone of whose functional side the graph tells the relation at all (partial completeness).
    `coverage` is the share of the relation's facts that are foretold. `sampled` says that all was estimated.
    """

    body: Body
    head: int
    support: int
    pairs: int
    confidence: float
    pca: float
    coverage: float
    names: tuple[int, int] | None = None
    sampled: bool = False

    @property
    def chance(self) -> float:
        """The confidence, with pairs added that lack the head, so that few lucky ones do not make it sure."""
        return self.support / (self.pairs + DOUBT)


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that fires, and the known triples (head, relation, tail) that make it fire."""

    rule: str
    confidence: float
    triples: tuple[tuple[str, str, str], ...]

    def __str__(self) -> str:
        facts = " ∧ ".join(said(relation, head, tail) for head, relation, tail in self.triples)
        return f"{facts}, by {self.rule} ({self.confidence:.2f})"


@dataclass
class Rules:
    """Rules of a graph, the surest first; they fire on `triples` int64 (rows, 3), those that they were mined from."""

    rules: list[Rule]
    entities: tuple[str, ...]
    relations: tuple[str, ...]
    triples: np.ndarray
    seed: int = field(default=0)

    def __len__(self) -> int:
        return len(self.rules)

    @cached_property
    def paths(self) -> Paths:
        """Known edges as matrices."""
        return Paths(self.triples, len(self.entities), len(self.relations))

    @cached_property
    def _scoring(self) -> Scoring:
        return Scoring(self.paths, self.rules)

    def text(self, rule: Rule) -> str:
        """A rule as it is read: `born_in(x, y) ∧ city_of(y, z) → country(x, z)`."""
        if rule.names is not None:
            first, then = (self.entities[entity] for entity in rule.names)
            return f"{self._said(rule.body[0], 'x', first)} → {self._said(rule.head, 'x', then)}"
        steps = [self._said(step, LETTERS[i], LETTERS[i + 1]) for i, step in enumerate(rule.body)]
        return f"{' ∧ '.join(steps)} → {self._said(rule.head, 'x', LETTERS[len(rule.body)])}"

    def to_frame(self) -> pd.DataFrame:
        """A row per rule: `rule`, `head` (the relation), `length`, and its figures."""
        names = ("support", "pairs", "confidence", "pca", "coverage", "sampled")
        rows = [
            {
                "rule": self.text(rule),
                "head": self.relations[rule.head % len(self.relations)],
                "length": len(rule.body),
                **{name: getattr(rule, name) for name in names},
            }
            for rule in self.rules
        ]
        return pd.DataFrame(rows, columns=["rule", "head", "length", *names])

    def score(self, queries: np.ndarray, how: str = HOW[0]) -> np.ndarray:
        """Evidence (rows, entities) for answers of queries (rows, 2): entity, and relation, or relation + relations.

        Of the chance p of an answer it is -log(1 - p), zero where no rule fires: by `surest` p is the
        surest rule's, the others break ties; by `noisy_or` it is one less the product of all firing rules' failures.
        """
        if how not in HOW:
            raise ConfigError(f"rules: aggregation {how!r}, expected one of {', '.join(HOW)}")
        return self._scoring.evidence(np.asarray(queries, np.int64), how)

    def log_chances(self, queries: np.ndarray) -> np.ndarray:
        """Log-probabilities (rows, entities) that share one among all entities by the surest rules' chances."""
        chances = -np.expm1(-self.score(queries).astype(np.float64)) + FLOOR
        return np.asarray(np.log(chances / chances.sum(axis=1, keepdims=True)), np.float32)

    def explain(self, head: str, relation: str, tail: str, *, most: int = 10, paths: int = 1) -> list[Reason]:
        """The surest `most` rules that foretell a triple, each with the known triples of up to `paths` of its paths.

        Raises `ConfigError` for names that the graph lacks, with near ones.
        """
        start, end = (place("entity", self.entities, name) for name in (head, tail))
        kind = place("relation", self.relations, relation)
        return self.reasons(start, kind, end, most=most, paths=paths)

    def reasons(self, start: int, kind: int, end: int, *, most: int = 10, paths: int = 1) -> list[Reason]:
        """`explain`, by places."""
        found: list[Reason] = []
        for rule, grounds in self._scoring.fired(start, kind, end, paths):
            for ground in grounds:
                triples = tuple((self.entities[a], self.relations[r], self.entities[b]) for a, r, b in ground)
                found.append(Reason(self.text(rule), rule.confidence, triples))
            if len(found) >= most:
                break
        return found[:most]

    def _said(self, step: int, start: str, end: str) -> str:
        if step >= len(self.relations):
            step, start, end = step - len(self.relations), end, start
        return said(self.relations[step], start, end)


def mine_rules(
    graph: Any,
    *,
    length: int = LONGEST,
    min_support: int = 3,
    min_confidence: float = 0.1,
    most: int = 100,
    constants: bool = True,
    seed: int = 0,
) -> Rules:
    """Mine what relations follow from others, on training triples alone.

    Rules are chains of up to `length` steps, forth or back, between the ends of the relation that they foretell; with
    `constants` also single links that foretell another one. No path passes an entity twice, and loops count for
    nothing. Per relation and kind (each length, and those with names) the surest `most` are kept. Chains of three steps
    are guessed from a sample of entities where there are too many to count; figures of those kept are counted on the
    whole graph, or, where that is too much by itself, estimated (`sampled`).

    Parameters
    ----------
    graph : path, table or Graph
        As `fusible.read_graph` reads it; rules are mined from its part `train`.
    min_support : int
        Pairs that both body and head have, at least.
    min_confidence : float
        Share of a body's pairs that have the head, at least.

    Raises
    ------
    FusibleError
        One line: a graph without training triples, a setting out of its range.

    >>> import pandas as pd
    >>> rows = [(f"child {n}", "born in", f"town {n % 3}") for n in range(9)]
    >>> rows += [(f"town {n}", "city of", "land") for n in range(3)]
    >>> rows += [(f"child {n}", "citizen of", "land") for n in range(8)]
    >>> rules = mine_rules(pd.DataFrame(rows, columns=["head", "relation", "tail"]), constants=False)
    >>> print(rules.text(rules.rules[0]), rules.rules[0].confidence)
    born in(x, y) ∧ city of(y, z) → citizen of(x, z) 0.8888888888888888
    >>> print(*rules.explain("child 8", "citizen of", "land", most=1))
    born in(child 8, town 2) ∧ city of(town 2, land), by born in(x, y) ∧ city of(y, z) → citizen of(x, z) (0.89)
    """
    _check(length, min_support, min_confidence, most)
    held = graph if isinstance(graph, Graph) else read_graph(graph)
    triples = held.part("train")
    if not len(triples):
        raise DataError("graph: no train triples; rules are mined from these")
    paths = Paths(triples, len(held.entities), len(held.relations))
    bounds, rng = Bounds(length, min_support, min_confidence, most), np.random.default_rng(seed)
    guessed = chains(paths, bounds, rng)
    figures, sampled = recounted(paths, guessed, rng)
    facts = [edge.nnz for edge in paths.edges]
    found = [
        _rule(body, head, numbers, facts[head], sampled=bool(part))
        for (body, head), numbers, part in zip(guessed, figures, sampled, strict=True)
    ]
    if constants:
        named, counts = linked(paths, bounds)
        found += [
            _rule((one,), then, numbers, facts[then], names=(first, second))
            for (one, first, then, second), numbers in zip(named.tolist(), counts, strict=True)
        ]
    good = [rule for rule in found if rule.support >= min_support and rule.confidence >= min_confidence]
    return Rules(_kept(good, len(held.relations), most), held.entities, held.relations, triples, seed)


def _rule(body: Body, head: int, figures: Sequence[float], facts: int, **given: Any) -> Rule:
    support, pairs, told = (float(number) for number in figures)
    confidence, pca = support / max(pairs, 1), support / max(told, 1)
    return Rule(body, head, round(support), round(pairs), confidence, pca, support / max(facts, 1), **given)


def _kept(rules: list[Rule], relations: int, most: int) -> list[Rule]:
    """The surest of each relation, lengths and named links apart, surest first; shorter ones among equals."""
    kept, counts = [], np.zeros((LONGEST + 1, relations), np.int64)
    for rule in sorted(rules, key=lambda one: (-one.chance, len(one.body), one.body, one.head, one.names or ())):
        count = counts[0 if rule.names else len(rule.body)]
        if count[rule.head % relations] < most:
            count[rule.head % relations] += 1
            kept.append(rule)
    return kept


def _check(length: int, support: int, confidence: float, most: int) -> None:
    for name, value, good, expected in (
        ("length", length, 1 <= length <= LONGEST, f"1 to {LONGEST} steps"),
        ("min_support", support, support >= 1, "a whole number of at least 1"),
        ("min_confidence", confidence, 0 <= confidence <= 1, "a number of 0 to 1"),
        ("most", most, most >= 1, "a whole number of at least 1"),
    ):
        if not good:
            raise ConfigError(f"rules: {name} = {value}, expected {expected}")
