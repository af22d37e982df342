"""Exact answers of conjunctive queries over known triples: joins in the order of what is rarest, with a bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fusible.errors import TooLargeError

COUNT = " count"
"""Column that no variable can be called so."""
MOST = 2_000_000
"""Bindings that are held at a time, at most."""


@dataclass(frozen=True, slots=True)
class Edge:
    """An atom by places: a relation, and at either end a variable (its name) or an entity (its place)."""

    relation: int
    head: str | int
    tail: str | int
    text: str = ""

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of its variables, each once."""
        return tuple(dict.fromkeys(end for end in (self.head, self.tail) if isinstance(end, str)))


def facts(triples: np.ndarray, edge: Edge) -> pd.DataFrame:
    """Bindings of an atom's variables by known triples (rows, 3), each once."""
    rows = triples[triples[:, 1] == edge.relation][:, [0, 2]]
    for column, end in enumerate((edge.head, edge.tail)):
        if not isinstance(end, str):
            rows = rows[rows[:, column] == end]
    if edge.head == edge.tail and isinstance(edge.head, str):
        rows = rows[rows[:, 0] == rows[:, 1]]
    found = {end: rows[:, column] for column, end in enumerate((edge.head, edge.tail)) if isinstance(end, str)}
    bound = pd.DataFrame(found, index=range(len(rows)))
    return bound.drop_duplicates() if found else bound


def ordered(triples: np.ndarray, edges: Sequence[Edge]) -> list[Edge]:
    """Atoms in the order of joins: the rarest first, then always one that shares a variable, the rarest of them."""
    sizes = {edge: len(facts(triples, edge)) for edge in edges}
    rest, bound, found = list(dict.fromkeys(edges)), set[str](), list[Edge]()
    while rest:
        best = min(rest, key=lambda edge: (bool(bound) and not bound & set(edge.variables), sizes[edge]))
        rest.remove(best)
        bound |= set(best.variables)
        found.append(best)
    return found


def joined(triples: np.ndarray, edges: Sequence[Edge], asked: Sequence[str]) -> pd.DataFrame:
    """A row per answer: places of all variables, of which those that are not asked for are one witness.

    `TooLargeError` where more than `MOST` bindings would have to be held.
    """
    found = pd.DataFrame(index=[0])
    order = ordered(triples, edges)
    for number, edge in enumerate(order):
        found = _join(found, facts(triples, edge), edge)
        later = {name for other in order[number + 1 :] for name in other.variables}
        found = distinct(found, [name for name in found.columns if name in later or name in asked])
    return found


def distinct(found: pd.DataFrame, needed: Sequence[str]) -> pd.DataFrame:
    """The first row for each value of what is still needed."""
    return found.drop_duplicates(list(needed)) if needed else found.head(1)


def _join(held: pd.DataFrame, new: pd.DataFrame, edge: Edge) -> pd.DataFrame:
    shared = [name for name in new.columns if name in held.columns]
    if shared:
        counts = new.groupby(shared).size().rename(COUNT).reset_index()
        size = int(held.merge(counts, on=shared)[COUNT].sum())
    else:
        size = len(held) * len(new)
    if size > MOST:
        raise TooLargeError(
            f"query: more than {MOST:,} bindings at {edge.text}; name an entity there, or leave that part out"
        )
    if shared:
        return held.merge(new, on=shared)
    return held.merge(new, how="cross") if len(new.columns) else held[: len(held) * bool(len(new))]
