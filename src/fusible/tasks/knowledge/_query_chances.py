"""Chances of edges that a graph lacks, by a link model or by rules, in the places of that graph's names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fusible.evaluation.links import Known
from fusible.tasks.knowledge.links_model import LinkModel
from fusible.tasks.knowledge.rules import Rules


def mean_answers(triples: np.ndarray, relations: int) -> np.ndarray:
    """How many answers a query of each relation, and of each reciprocal one, has on the average (2 relations,)."""
    heads, kinds, tails = triples.T
    counts = np.bincount(kinds, minlength=relations)
    sides = [
        np.bincount(np.unique(np.stack([kinds, ends], 1), axis=0)[:, 0], minlength=relations) for ends in (heads, tails)
    ]
    return np.asarray(np.concatenate([counts / np.maximum(side, 1) for side in sides]))


class Foreseen:
    """Chances by a link model or rules `by`, asked in the places of other lists of names."""

    def __init__(self, by: LinkModel | Rules, entities: Sequence[str], relations: Sequence[str]) -> None:
        self.by = by
        self.entities = _places(entities, by.entities)
        kinds = _places(relations, by.relations)
        self.kinds = np.concatenate([kinds, np.where(kinds < 0, -1, kinds + len(by.relations))])
        self.known = Known(by.triples, len(by.relations))
        self.usual = mean_answers(by.triples, len(by.relations))

    def __call__(self, queries: np.ndarray) -> np.ndarray:
        """Chances (rows, entities) of queries (rows, 2); zero where a name is unknown to what foresees."""
        found = np.zeros((len(queries), len(self.entities)))
        asked = np.stack([self.entities[queries[:, 0]], self.kinds[queries[:, 1]]], axis=1)
        rows = np.flatnonzero((asked >= 0).all(axis=1))
        there = np.flatnonzero(self.entities >= 0)
        if len(rows):
            found[np.ix_(rows, there)] = self._own(asked[rows])[:, self.entities[there]]
        return found

    def _own(self, asked: np.ndarray) -> np.ndarray:
        """Chances in the places of what foresees.

        A model shares one among all answers of a query. That times the number of answers, those that are known and
        one more, but no fewer than is usual for the relation, is how likely each of them is.
        """
        if isinstance(self.by, Rules):
            return np.asarray(-np.expm1(-self.by.score(asked, "surest")))
        rows, _ = self.known.answers(asked)
        answers = np.maximum(np.bincount(rows, minlength=len(asked)) + 1, self.usual[asked[:, 1]])
        return np.asarray(np.minimum(np.exp(self.by.scores(asked)) * answers[:, None], 1.0))


def _places(names: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """Place of each name among others, -1 where it is not there."""
    there = {name: place for place, name in enumerate(others)}
    return np.array([there.get(name, -1) for name in names], np.int64)
