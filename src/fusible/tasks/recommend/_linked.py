"""What a graph says of items: a bag of what each is linked to, by relation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from fusible.data.graph import Graph


@dataclass(frozen=True, slots=True)
class Bag:
    """Sparse `values` (items, terms), rows of length 1 or 0, and the name of each term: what of it, and which."""

    values: csr_matrix
    terms: tuple[tuple[str, str], ...]


def bag_of(cells: list[set[tuple[str, str]]]) -> Bag:
    """Terms (kind, name) of each item, weighed by rarity; each kind counts alike, however many terms it has.

    Terms of one item alone say nothing of likeness and are left out. Kinds that say the same of all items, as a
    relation and its inverse do, count once.
    """
    kept = _distinct(cells)
    count: dict[tuple[str, str], int] = {}
    for terms in cells:
        for term in terms:
            count[term] = count.get(term, 0) + 1
    names = sorted(term for term, times in count.items() if times > 1 and term[0] in kept)
    place = {term: number for number, term in enumerate(names)}
    pairs = [(row, place[term]) for row, terms in enumerate(cells) for term in terms if term in place]
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    rarity = np.array([np.log((1 + len(cells)) / count[term]) for term in names])
    values = coo_matrix((rarity[columns], (rows, columns)), shape=(len(cells), len(names))).tocsr()
    kinds = [term[0] for term in names]
    parts = {kind: np.array([other == kind for other in kinds]) for kind in dict.fromkeys(kinds)}
    for own in parts.values():
        values = values @ _diagonal(~own) + _unit(values @ _diagonal(own))
    return Bag(csr_matrix(_unit(values), dtype=np.float32), tuple(names))


def linked(graph: Graph, entities: Mapping[int, str], items: int) -> Bag:
    """The bag of what items are linked to; `entities` {item: name in the graph}.

    Relations that lead to the item have their names in front of a `<`.
    """
    item_of: dict[int, list[int]] = {}
    place = {name: number for number, name in enumerate(graph.entities)}
    for item, entity in entities.items():
        if entity in place:
            item_of.setdefault(place[entity], []).append(item)
    cells: list[set[tuple[str, str]]] = [set() for _ in range(items)]
    for head, kind, tail in graph.triples.tolist():
        for item in item_of.get(head, ()):
            cells[item].add((graph.relations[kind], graph.entities[tail]))
        for item in item_of.get(tail, ()):
            cells[item].add((f"{graph.relations[kind]} <", graph.entities[head]))
    return bag_of(cells)


def _distinct(cells: list[set[tuple[str, str]]]) -> set[str]:
    """Kinds of terms without those that say of all items what another one says."""
    said: dict[str, set[tuple[int, str]]] = {}
    for row, terms in enumerate(cells):
        for kind, name in terms:
            said.setdefault(kind, set()).add((row, name))
    first: dict[frozenset[tuple[int, str]], str] = {}
    for kind in sorted(said, key=lambda kind: (kind.endswith("<"), kind)):
        first.setdefault(frozenset(said[kind]), kind)
    return set(first.values())


def _diagonal(kept: np.ndarray) -> csr_matrix:
    from scipy.sparse import diags

    return csr_matrix(diags(kept.astype(np.float64)))


def _unit(values: csr_matrix) -> csr_matrix:
    """Rows of length 1; rows of zeros stay so."""
    from scipy.sparse import diags

    length = np.sqrt(np.asarray(values.multiply(values).sum(axis=1)).ravel())
    return csr_matrix(diags(1.0 / np.where(length > 0, length, 1.0)) @ values)
