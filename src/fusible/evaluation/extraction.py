"""Extraction of triples: precision, recall and F1 against the triples that a text says, micro over texts.

Exact: names are the same characters once the notation of triples is undone (`names.written`). Alias-tolerant: names are
the same by `names.same_name`. The relation must be the same in both, and no triple answers for two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fusible.evaluation.bootstrap import LEVELS, draws
from fusible.evaluation.names import normalised, same_name, written
from fusible.evaluation.study import Score

Triple = tuple[str, str, str]
Same = Callable[[str, str], bool]
METRICS = ("precision", "recall", "f1")


def exactly(a: str, b: str) -> bool:
    """Whether two names are the same characters, but for the notation of triples.

    >>> exactly("Aarhus_Airport", "Aarhus Airport"), exactly("aarhus airport", "Aarhus Airport")
    (True, False)
    """
    return written(a) == written(b)


def matched(said: Sequence[Triple], wanted: Sequence[Triple], same: Same = same_name) -> np.ndarray:
    """Which of the triples that were found (said,) answer one that is wanted: each one for one, the first ones first.

    Exact names take what is theirs before tolerant ones do, so that the order of triples changes little.

    >>> matched([("Aarhus airport", "city", "Aarhus"), ("Aarhus", "city", "Aarhus airport")],
    ...         [("Aarhus_Airport", "city", "Aarhus")]).tolist()
    [True, False]
    """
    right, free = np.zeros(len(said), bool), list(range(len(wanted)))
    for rule in (exactly, same):
        for row, (head, relation, tail) in enumerate(said):
            if right[row]:
                continue
            for place in free:
                other = wanted[place]
                if relation == other[1] and rule(head, other[0]) and rule(tail, other[2]):
                    right[row] = True
                    free.remove(place)
                    break
    return right


def distinct(triples: Sequence[Triple]) -> list[int]:
    """Places of triples that differ in more than the spelling of names: the first of each."""
    found: dict[Triple, int] = {}
    for place, (head, relation, tail) in enumerate(triples):
        found.setdefault((normalised(head), relation, normalised(tail)), place)
    return list(found.values())


def counts(said: Sequence[Sequence[Triple]], wanted: Sequence[Sequence[Triple]], same: Same = same_name) -> np.ndarray:
    """Of each text (texts, 3) how many triples were found, wanted, and right; what is said twice counts once."""
    rows = []
    for sides in zip(said, wanted, strict=True):
        found, gold = ([triples[place] for place in distinct(triples)] for triples in sides)
        rows.append((len(found), len(gold), int(matched(found, gold, same).sum())))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def summary(table: np.ndarray, *, resamples: int = 1000, seed: int = 0) -> dict[str, Score]:
    """Micro precision, recall and F1 of `counts` (texts, 3), with 95 % intervals by bootstrap of texts.

    >>> {name: round(score.score, 3) for name, score in summary(np.array([[2, 4, 1], [1, 1, 1]])).items()}
    {'precision': 0.667, 'recall': 0.4, 'f1': 0.5}
    """
    if not len(table):
        return {name: Score(float("nan"), float("nan"), float("nan")) for name in METRICS}
    point = _rates(table.sum(axis=0)[None].astype(float))[0]
    drawn = np.concatenate([_rates(weights @ table) for weights in draws(len(table), resamples, seed)])
    low, high = np.percentile(drawn, LEVELS, axis=0)
    return {name: Score(float(point[i]), float(low[i]), float(high[i])) for i, name in enumerate(METRICS)}


def _rates(sums: np.ndarray) -> np.ndarray:
    """Precision, recall and F1 (rows, 3) of sums of found, wanted and right (rows, 3); 0 of nothing."""
    found, wanted, right = sums.T
    parts = [(right, found), (right, wanted), (2 * right, found + wanted)]
    return np.stack([np.divide(a, b, out=np.zeros_like(a), where=b > 0) for a, b in parts], axis=1)
