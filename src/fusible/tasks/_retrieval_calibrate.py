"""Fitting a retriever's calibration on validation rows, which took no part in training."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
from scipy.optimize import minimize

from fusible.index.items import FUSED
from fusible.tasks._retrieval_calibration import FLATTEST, MOST_PAIRS, PRIOR, TAIL, Calibration, Curve
from fusible.tasks._retrieval_head import fused
from fusible.tasks._retrieval_pairs import Rows

FEWEST = 10
"""Pairs that belong together below which a curve is borrowed."""
MOST_ROWS = 1_000
RIDGE = 1e-3
"""Of the slope: pairs that are told apart without an error have no other bound."""


def calibrate(rows: Rows, vectors: Mapping[str, np.ndarray], seed: int = 0) -> Calibration:
    """A curve for every pair of views, `fused` among them, from vectors {view: (rows, width)} of validation rows.

    Pairs that belong together are items that share a row or a block (captions of one picture), with a target those of
    one class; never an item and itself, nor a vector of several views and an item inside it. Strangers share neither.
    The prior is `PRIOR`, with a target the rate at which classes meet by chance.

    Where validation rows hold no such pairs (a picture that is asked for pictures, no two of which belong together),
    strangers alone are known: then a similarity means what one equally rare among strangers means from the same asked
    view to others, so that no modality crowds out another in a mixed list.
    """
    every = {**vectors, FUSED: fused(list(vectors.values()))}
    width = next(iter(vectors.values())).shape[1]
    prior = PRIOR
    if rows.classes is not None:
        known = rows.classes[rows.classes >= 0]
        prior = float(np.clip(np.sum((np.bincount(known) / max(1, len(known))) ** 2), PRIOR, 0.9))
    curves: dict[tuple[str, str], Curve] = {}
    for asked, found in product(every, every):
        curve = _curve(rows, every, asked, found, prior, np.random.default_rng(seed))
        if curve is not None:
            curves[asked, found] = curve
    return Calibration(_borrowed(curves), prior, width)


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
    median, tail = np.quantile(strange, [0.5, TAIL])
    curve = Curve(float(median), float(max(tail, median + 1e-4)), 0.0, 0.0)
    matched = _some(similarity[match], rng)
    if len(matched) < FEWEST:
        return curve
    slope, offset = _fit(curve.units(matched), curve.units(strange), prior)
    return Curve(curve.median, curve.tail, slope, offset, len(matched))


def _places(rows: Rows, vectors: Mapping[str, np.ndarray], name: str, rng: np.random.Generator) -> np.ndarray:
    """Rows whose vectors take part: one for each item of a view, all for `fused`; some of many."""
    places = np.arange(len(rows.blocks)) if name == FUSED else rows.items(name)
    if name == FUSED and rows.classes is not None:
        places = places[rows.classes >= 0]
    places = places[np.isfinite(vectors[name][places]).all(axis=1)]
    return np.sort(rng.choice(places, MOST_ROWS, replace=False)) if len(places) > MOST_ROWS else places


def _relations(rows: Rows, one: np.ndarray, other: np.ndarray, asked: str, found: str) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs belong together, and which are strangers: bool (asked, found) each."""
    block = rows.blocks[one][:, None] == rows.blocks[other][None, :]
    views = list(rows.ids)
    inside = [set(views if name == FUSED else [name]) for name in (asked, found)]
    same = np.zeros(block.shape, bool)
    for view in inside[0] & inside[1]:
        ids = rows.ids[view]
        same |= (ids[one][:, None] == ids[other][None, :]) & (ids[one] >= 0)[:, None]
    if rows.classes is not None:
        alike = rows.classes[one][:, None] == rows.classes[other][None, :]
        return alike & ~same, ~alike
    together = block | _shared(rows, one, other, asked, found)
    return together & ~same, ~together & ~same


def _shared(rows: Rows, one: np.ndarray, other: np.ndarray, asked: str, found: str) -> np.ndarray:
    """Whether two items of different views share any row, though the rows that stand for them differ in block."""
    shared = np.zeros((len(one), len(other)), bool)
    if FUSED in (asked, found) or asked == found:
        return shared
    a, f = rows.ids[asked], rows.ids[found]
    both = (a >= 0) & (f >= 0) & np.isin(a, a[one]) & np.isin(f, f[other])
    place = {int(item): i for i, item in enumerate(a[one])}, {int(item): i for i, item in enumerate(f[other])}
    for x, y in zip(a[both].tolist(), f[both].tolist(), strict=True):
        shared[place[0][x], place[1][y]] = True
    return shared


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
    bounds = [(FLATTEST, None), (None, None)]
    found = minimize(loss, np.array([1.0, rest]), jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), float(found.x[1])


def _borrowed(curves: dict[tuple[str, str], Curve]) -> dict[tuple[str, str], Curve]:
    """Curves of strangers alone take the mean slope and offset of fitted ones of the same asked view, else of all."""
    fitted = {pair: curve for pair, curve in curves.items() if curve.matches}
    found = {}
    for (asked, name), curve in curves.items():
        if curve.matches or not fitted:
            if curve.matches:
                found[asked, name] = curve
            continue
        near = [c for (a, _), c in fitted.items() if a == asked] or list(fitted.values())
        slope, offset = (float(np.mean([getattr(c, part) for c in near])) for part in ("slope", "offset"))
        found[asked, name] = Curve(curve.median, curve.tail, slope, offset)
    return found
