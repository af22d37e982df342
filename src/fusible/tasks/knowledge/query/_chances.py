"""Chances of edges that a graph lacks, by a link model or by rules, in the places of that graph's names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from fusible.evaluation.links import Known, both_ways
from fusible.tasks.knowledge.links.model import LinkModel
from fusible.tasks.knowledge.rules.mined import Rules

QUERIES = 400
"""Queries that chances are calibrated on, at most."""
FAINT = 1e-3
"""Rough chance below which an edge is none."""


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
        self.weights = None if isinstance(by, Rules) else calibrated(by)

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
        """Chances in the places of what foresees."""
        if isinstance(self.by, Rules):
            return np.asarray(-np.expm1(-self.by.score(asked, "surest")))
        signs = _signs(self.by.scores(asked), asked, self.known, self.usual)
        rough = np.exp(signs[..., 0] + signs[..., 1])
        if self.weights is None:
            return np.asarray(np.minimum(rough, 1.0))
        return np.where(rough >= FAINT, expit(signs @ self.weights[:-1] + self.weights[-1]), 0.0)


def calibrated(model: LinkModel, seed: int = 0) -> np.ndarray | None:
    """Weights of signs, and a constant, that make chances of what a model says; None where nothing was held out.

    By logistic regression (Platt 1999) on queries drawn from the graph, and on all entities that training does not say:
    those are right that the graph says of them by triples that were held out of training.
    """
    from sklearn.linear_model import LogisticRegression

    if model.trained is None or model.trained.all():
        return None
    size = len(model.relations)
    train, every = Known(model.triples[model.trained], size), Known(model.triples, size)
    queries = np.unique(both_ways(model.triples, size)[0], axis=0)
    drawn = np.random.default_rng(seed).permutation(len(queries))[:QUERIES]
    queries = queries[np.sort(drawn)]
    signs = _signs(model.scores(queries), queries, train, mean_answers(model.triples[model.trained], size))
    asked, right = (np.zeros(signs.shape[:2], bool) for _ in range(2))
    right[every.answers(queries)] = True
    asked |= np.exp(signs[..., 0] + signs[..., 1]) >= FAINT
    asked[train.answers(queries)] = False
    if len(np.unique(right[asked])) < 2:
        return None
    found = LogisticRegression(C=10.0).fit(signs[asked], right[asked])
    return np.append(found.coef_[0], found.intercept_[0])


def _signs(scores: np.ndarray, queries: np.ndarray, known: Known, usual: np.ndarray) -> np.ndarray:
    """What speaks for edges (rows, entities, 3): log-probabilities `scores`, and the query's number of answers.

    A model shares one among all answers: that times their number is, roughly, the chance of each. The number is that of
    known answers and one more, or what is usual for the relation if that is more; then the known ones alone.
    """
    rows, _ = known.answers(queries)
    there = np.bincount(rows, minlength=len(queries))
    found = np.stack([np.maximum(there + 1, usual[queries[:, 1]]), there + 1], axis=1)
    counts = np.broadcast_to(np.log(found)[:, None], (*scores.shape, 2))
    return np.concatenate([scores[..., None].astype(np.float64), counts], axis=2)


def _places(names: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """Place of each name among others, -1 where it is not there."""
    there = {name: place for place, name in enumerate(others)}
    return np.array([there.get(name, -1) for name in names], np.int64)
