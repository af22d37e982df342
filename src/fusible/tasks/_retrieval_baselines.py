"""What a retriever is compared with: chance, plain linear alignment, words, and each view's own space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fusible.errors import FusibleError
from fusible.evaluation.retrieval import bm25
from fusible.tasks._blocks import one_each
from fusible.tasks._retrieval_head import Head, Part, units
from fusible.tasks._retrieval_pairs import Direction, Rows
from fusible.tasks.aligned import build_aligner, chosen_by_folds, fit_quietly, room

FEW = 100
MOST_NEIGHBOURS = 20_000
"""Training rows, at most, among which a nearest one is looked for."""


def plain_heads(train: Rows, seed: int) -> tuple[str, dict[str, Head]]:
    """Plain linear alignment, chosen as `fusible align` does: CCA for two views, else MCCA; ranked by cosine.

    Ridge and components are those that correlate folds of the training rows most; for fewer rows than `FEW`, or for
    very wide views, they follow the rule that serves fusion. Like every candidate it is fitted on training rows alone,
    where `fusible align` learns on validation rows, too.
    """
    method = "cca" if len(train.vectors) == 2 else "mcca"
    many = len(train.blocks) >= FEW
    chooser = chosen_by_folds(method, train.vectors, one_each(train.blocks), None, seed) if many else None
    if chooser is None:
        aligner = build_aligner(method, room(train.vectors), len(train.blocks), seed)
    else:
        aligner = chooser.part(chooser.n_components_, ridge=chooser.ridge_)
    fit_quietly(aligner, train.vectors)
    size = int(aligner.n_components_)
    return method, {view: Head([Part(aligner.projection(view), size)]).eval() for view in train.vectors}


def plain_vectors(train: Rows, test: Rows, seed: int) -> tuple[str, dict[str, np.ndarray]] | None:
    """Vectors of test rows by plain alignment; None where it cannot be fitted."""
    try:
        method, heads = plain_heads(train, seed)
    except FusibleError:
        return None
    return f"plain {method}", {view: units(head, test.vectors[view]) for view, head in heads.items()}


def by_neighbour(way: Direction, train: Rows, test: Rows, seed: int) -> np.ndarray | None:
    """Similarity in single views: the training row nearest to the query, then what is like its item of the other view.

    None where no training row has both views.
    """
    one, other = train.vectors[way.asked], train.vectors[way.found]
    both = np.flatnonzero(np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1))
    if not len(both):
        return None
    if len(both) > MOST_NEIGHBOURS:
        both = np.sort(np.random.default_rng(seed).choice(both, MOST_NEIGHBOURS, replace=False))
    ask, hold = one[both].mean(axis=0), other[both].mean(axis=0)
    near = _unit(test.vectors[way.asked][way.queries] - ask) @ _unit(one[both] - ask).T
    target = _unit(other[both] - hold)[near.argmax(axis=1)]
    return np.asarray(target @ _unit(test.vectors[way.found][way.items] - hold).T)


def by_words(way: Direction, test: Rows, texts: Mapping[str, Sequence[str]]) -> np.ndarray | None:
    """Similarity of an asked text with each found item: the best BM25 of a text beside it that is not the asked one.

    `texts` {view: (rows,)} are those of test rows. It reads words of what is found, where all others look at its
    content. None unless every found item has two texts or more.
    """
    if way.asked not in texts:
        return None
    ids, held = test.ids[way.asked], test.ids[way.found]
    rows = np.flatnonzero((ids >= 0) & np.isin(held, held[way.items]))
    pairs = np.unique(np.stack([np.searchsorted(held[way.items], held[rows]), ids[rows]]), axis=1)
    if len(np.unique(pairs[0])) < len(way.items) or np.bincount(pairs[0]).min() < 2:
        return None
    words, place = texts[way.asked], {int(item): row for row, item in zip(rows[::-1], ids[rows][::-1], strict=True)}
    scores = bm25([words[row] for row in way.queries], [words[place[int(item)]] for item in pairs[1]])
    scores[ids[way.queries][:, None] == pairs[1][None, :]] = -1.0
    return np.maximum.reduceat(scores, np.flatnonzero(np.diff(pairs[0], prepend=-1)), axis=1)


def _unit(rows: np.ndarray) -> np.ndarray:
    clean = np.nan_to_num(rows, nan=0.0)
    length = np.linalg.norm(clean, axis=1, keepdims=True)
    return np.asarray(clean / np.where(length > 0, length, 1.0))
