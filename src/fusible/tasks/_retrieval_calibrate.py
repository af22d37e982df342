"""Fitting a retriever's calibration on validation rows: nothing was fitted on them, but the method was chosen there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import minimize

from fusible.index.items import FUSED
from fusible.tasks import _retrieval_calibration as base
from fusible.tasks._retrieval_calibration import MOST_PAIRS, PRIOR, Calibration, Curve
from fusible.tasks._retrieval_head import fused
from fusible.tasks._retrieval_pairs import Rows, shared_class, shared_row

FEWEST = 10
"""Pairs that belong together below which a curve is borrowed."""
MOST_ROWS = 1_000
FARTHEST = 3.0
"""Most that first hits may add to log-odds, or take."""
LEARNED = ("slope", "offset", "each", "first")
"""What a curve borrows where strangers alone are known."""
RIDGE = 1e-3
"""Of the slope: pairs that are told apart without an error have no other bound."""


def calibrate(rows: Rows, vectors: Mapping[str, np.ndarray], seed: int = 0) -> Calibration:
    """A curve for every pair of views, `fused` among them, from vectors {view: (rows, width)} of validation rows.

    Pairs that belong together are items that share a row, or whose rows share an item (captions of one picture), with a
    target those of one class; never an item and itself, nor a vector of several views and an item inside it. Strangers
    share nothing, nor are their rows of one block. The prior is `PRIOR`, with a target the rate at which classes meet
    by chance. Without a target each curve also learns what its chances are in a collection: how many rows belong to one
    that asks, and how much more often the first of a list is right than its similarity alone says.

    Where validation rows hold no such pairs (a picture that is asked for pictures, no two of which belong together),
    strangers alone are known: then a similarity means what one equally rare among strangers means from the same asked
    view to others, so that no modality crowds out another in a mixed list.
    """
    every = {**vectors, FUSED: fused(list(vectors.values()))}
    width = next(iter(vectors.values())).shape[1]
    prior = PRIOR
    if rows.classes is not None:
        known = rows.classes[rows.classes >= 0]
        prior = float(np.clip(np.sum((np.bincount(known) / max(1, len(known))) ** 2), PRIOR, base.HIGHEST))
    curves: dict[tuple[str, str], Curve] = {}
    for asked, found in product(every, every):
        curve = _curve(rows, every, asked, found, prior, np.random.default_rng(seed))
        if curve is not None:
            curves[asked, found] = curve
    return Calibration(_borrowed(curves), prior, width)


def notes_of(calibration: Calibration) -> list[str]:
    """A note where validation rows were too few for any curve."""
    few = f"validation rows hold fewer than {FEWEST} pairs that belong together, or of strangers, in every direction"
    return [] if calibration.curves else [f"{few}: chances follow a rule and are not calibrated; give more rows"]


def _curve(
    rows: Rows, vectors: Mapping[str, np.ndarray], asked: str, found: str, prior: float, rng: np.random.Generator
) -> Curve | None:
    """Fit one pair; with slope 0 where strangers alone are known, None where nothing is."""
    one, other = (_places(rows, vectors, name, rng) for name in (asked, found))
    if not len(one) or not len(other):
        return None
    similarity = vectors[asked][one].astype(np.float64) @ vectors[found][other].T.astype(np.float64)
    match, stranger = _relations(rows, one, other, asked, found)
    strange = _some(similarity[stranger], rng)
    if len(strange) < FEWEST:
        return None
    median, tail = np.quantile(strange, [0.5, base.TAIL])
    curve = Curve(float(median), float(max(tail, median + 1e-4)), 0.0, 0.0)
    matched = _some(similarity[match], rng)
    if len(matched) < FEWEST:
        return curve
    slope, offset = _fit(curve.units(matched), curve.units(strange), prior)
    fitted = Curve(curve.median, curve.tail, slope, offset, len(matched))
    if rows.classes is not None:
        return fitted
    stands = np.ones(len(rows.blocks)) if found == FUSED else _rows_of(rows.ids[found])
    share = stands[other if found == FUSED else rows.ids[found][other]]
    return _placed(fitted, similarity, match, match | stranger, share / share.sum(), int(stands.sum()), prior)


def _placed(
    curve: Curve,
    similarity: np.ndarray,
    match: np.ndarray,
    known: np.ndarray,
    share: np.ndarray,
    rows: int,
    prior: float,
) -> Curve:
    """The curve with what it is in a collection; `share` (found,) of the `rows` each found item stands in.

    Where every first hit is right, half a query counts as wrong: it will not be so for ever.
    """
    placed = replace(curve, each=float((match @ share).mean()) * rows)
    asks = known.any(axis=1)
    near = np.where(known, similarity, -np.inf)[asks]
    right = match[asks][np.arange(len(near)), near.argmax(axis=1)]
    return replace(
        placed, first=_lift(placed.among(rows, prior), near.max(axis=1), (right.sum() + 0.5) / (len(right) + 1))
    )


def _lift(curve: Curve, best: np.ndarray, right: float) -> float:
    """What makes the mean chance of first hits, of similarities `best` (queries,), the share of them that is right."""
    steps = np.linspace(-FARTHEST, FARTHEST, 241)
    means = [replace(curve, offset=curve.offset + step).chance(best).mean() for step in steps]
    return float(steps[np.abs(np.array(means) - right).argmin()])


def _rows_of(ids: np.ndarray) -> np.ndarray:
    """In how many rows each item stands."""
    return np.bincount(ids[ids >= 0]).astype(np.float64)


def _places(rows: Rows, vectors: Mapping[str, np.ndarray], name: str, rng: np.random.Generator) -> np.ndarray:
    """Rows whose vectors take part: one for each item of a view, all for `fused`; some of many."""
    places = np.arange(len(rows.blocks)) if name == FUSED else rows.items(name)
    if name == FUSED and rows.classes is not None:
        places = places[rows.classes >= 0]
    places = places[np.isfinite(vectors[name][places]).all(axis=1)]
    return np.sort(rng.choice(places, MOST_ROWS, replace=False)) if len(places) > MOST_ROWS else places


def _relations(rows: Rows, one: np.ndarray, other: np.ndarray, asked: str, found: str) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs belong together, and which are strangers: bool (asked, found) each."""
    inside = [set(rows.ids if name == FUSED else [name]) for name in (asked, found)]
    equal = {
        view: (ids[one][:, None] == ids[other][None, :]) & (ids[one] >= 0)[:, None] for view, ids in rows.ids.items()
    }
    none = np.zeros((len(one), len(other)), bool)
    same = np.logical_or.reduce([none, *(equal[view] for view in inside[0] & inside[1])])
    if rows.classes is not None:
        alike = shared_class(rows, asked, found, one, other)
        return alike & ~same, ~alike
    row = none if FUSED in (asked, found) else shared_row(rows, asked, found, one, other)
    together = np.logical_or.reduce([row, *equal.values()])
    block = rows.blocks[one][:, None] == rows.blocks[other][None, :]
    return together & ~same, ~together & ~same & ~block


def _some(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return values if len(values) <= MOST_PAIRS else rng.choice(values, MOST_PAIRS, replace=False)


def _fit(matched: np.ndarray, strange: np.ndarray, prior: float) -> tuple[float, float]:
    """Slope and offset of the logistic curve of greatest likelihood, matches weighing `prior` in all."""
    values = np.concatenate([matched, strange])
    truth = np.concatenate([np.ones(len(matched)), np.zeros(len(strange))])
    weight = np.where(truth > 0, prior / len(matched), (1 - prior) / len(strange))

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        logit = x[0] * values + x[1]
        chance = 1 / (1 + np.exp(-np.clip(logit, -700, 700)))
        slack = weight * (chance - truth)
        total = float((weight * (np.logaddexp(0, logit) - truth * logit)).sum()) + prior * RIDGE * float(x[0] ** 2) / 2
        return total / prior, np.array([slack @ values + prior * RIDGE * x[0], slack.sum()]) / prior

    rest = float(np.log(prior / (1 - prior)))
    bounds = [(base.FLATTEST, None), (None, None)]
    found = minimize(loss, np.array([1.0, rest]), jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), float(found.x[1])


def _borrowed(curves: dict[tuple[str, str], Curve]) -> dict[tuple[str, str], Curve]:
    """Curves of strangers alone take the mean of what fitted ones of the same asked view learned, else of all."""
    fitted = {pair: curve for pair, curve in curves.items() if curve.matches}
    found = {}
    for (asked, name), curve in curves.items():
        if curve.matches or not fitted:
            if curve.matches:
                found[asked, name] = curve
            continue
        near = [c for (a, _), c in fitted.items() if a == asked] or list(fitted.values())
        learned: dict[str, Any] = {part: float(np.mean([getattr(c, part) for c in near])) for part in LEARNED}
        found[asked, name] = replace(curve, **learned)
    return found
