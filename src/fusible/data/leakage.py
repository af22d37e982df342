"""Columns that alone predict the target almost perfectly: perhaps they were made from it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fusible.data.cells import as_names, as_numbers
from fusible.data.dataset import Dataset
from fusible.types import Modality, Problem, Role

SUSPECT = 0.98
"""Reported from this cross-validated score on: the share of the majority guess's errors avoided, or R² of the
target's ranks."""
ROWS = 20_000
"""Rows looked at, drawn with seed 0."""
FOLDS = 3
CLASSES = 20
_LEAVES = 256


def leaks(dataset: Dataset, target: str) -> Iterator[Problem]:
    """Find suspects among the inputs.

    Categories and numbers: a decision tree on the column alone, cross-validated, scores `SUSPECT` or more. Text: the
    name of the row's own class stands in it as a word in that share of rows, and names of other rows' classes do not.
    """
    rows = _sample(dataset, target)
    if len(rows) < 4 * FOLDS:
        return
    column = dataset.table.column(target).take(rows)
    regression = is_regression(dataset, target)
    truth = _ranks(as_numbers(column)) if regression else as_names(column)
    for name in dataset.names(Role.INPUT):
        modality = dataset.columns[name].modality
        cells = dataset.table.column(name).take(rows)
        if modality is Modality.NUMBER:
            yield from _suspect(name, target, _tree_score(as_numbers(cells), truth, regression))
        elif modality is Modality.CATEGORY:
            yield from _suspect(name, target, _tree_score(_codes(as_names(cells)), truth, regression))
        elif modality in {Modality.TEXT, Modality.ENTITY} and not regression:
            yield from _spelled(name, target, as_names(cells), truth)


def _sample(dataset: Dataset, target: str) -> np.ndarray:
    """Rows with a target, at most `ROWS`."""
    there = np.array([name is not None for name in as_names(dataset.table.column(target))], dtype=bool)
    rows = np.flatnonzero(there)
    if len(rows) > ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, ROWS, replace=False))
    return rows


def is_regression(dataset: Dataset, target: str) -> bool:
    """Whether the target is to be taken as a quantity here: numbers, more than `CLASSES` different ones."""
    if dataset.columns[target].modality is not Modality.NUMBER:
        return False
    return len(np.unique(as_numbers(dataset.table.column(target)))) > CLASSES


def _ranks(values: np.ndarray) -> np.ndarray:
    """Give ranks, equal ones where values are equal: a few large values must not decide."""
    return np.searchsorted(np.sort(values), values).astype(np.float64)


def _codes(names: np.ndarray) -> np.ndarray:
    """Give a number to each level; NaN where absent."""
    there = np.array([name is not None for name in names], dtype=bool)
    codes = np.full(len(names), np.nan)
    codes[there] = np.unique(names[there].astype(str), return_inverse=True)[1]
    return codes


def _suspect(name: str, target: str, score: float) -> Iterator[Problem]:
    if score >= SUSPECT:
        message = f"alone predicts {target!r} almost perfectly (cross-validated {score:.3f}); was it made from it?"
        yield Problem("leakage suspect", name, message)


def _tree_score(values: np.ndarray, truth: np.ndarray, regression: bool) -> float:
    """Cross-validate a decision tree on one column: 0 is the constant guess, 1 is perfect."""
    from sklearn.model_selection import KFold
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    make = DecisionTreeRegressor if regression else DecisionTreeClassifier
    codes = truth if regression else np.unique(truth.astype(str), return_inverse=True)[1]
    features = np.column_stack([np.nan_to_num(values, nan=0.0), np.isnan(values)])
    guess = np.empty(len(codes), dtype=codes.dtype)
    for train, test in KFold(FOLDS, shuffle=True, random_state=0).split(features):
        tree = make(max_leaf_nodes=_LEAVES, min_samples_leaf=2, random_state=0).fit(features[train], codes[train])
        guess[test] = tree.predict(features[test])
    if regression:
        spread = float(((codes - codes.mean()) ** 2).sum())
        return 1.0 - float(((codes - guess) ** 2).sum()) / spread if spread > 0 else 0.0
    base = np.bincount(codes).max() / len(codes)
    return float(((guess == codes).mean() - base) / (1.0 - base)) if base < 1.0 else 0.0


def _spelled(name: str, target: str, texts: np.ndarray, truth: np.ndarray) -> Iterator[Problem]:
    """Report a text in which the class of the row stands, and other classes hardly ever."""
    words = [set() if text is None else _words(text) for text in texts]
    classes = {label: _words(label) for label in set(truth.tolist())}
    own = np.mean([bool(classes[label]) and classes[label] <= word for label, word in zip(truth, words, strict=True)])
    if own < SUSPECT or len(classes) < 2:
        return
    others = np.random.default_rng(0).permutation(truth)
    pairs = [(label, word) for label, true, word in zip(others, truth, words, strict=True) if label != true]
    other = np.mean([classes[label] <= word for label, word in pairs]) if pairs else 1.0
    if other <= 0.5:
        message = f"names the row's own {target!r} in {own:.1%} of rows (another class in {other:.1%})"
        yield Problem("leakage suspect", name, message)


def _words(text: str) -> set[str]:
    """Words of a text in lower case, without punctuation at their ends."""
    return {word.strip(".,;:!?\"'()[]") for word in text.lower().split()} - {""}
