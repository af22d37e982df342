"""Gradient-boosted trees by LightGBM (Ke et al. 2017): size and number chosen by validation, seeds averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SMALL = 5000
"""Under this many rows, five-fold cross-validation on training rows chooses, for one small validation part is noise."""
LEAVES = (4, 7, 15, 31)
"""Sizes of trees that are tried."""
ROUNDS = 2000
PATIENCE = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """What boosting is to fit: rows, target, the classes of the target (0 for values), and which columns are codes."""

    rows: np.ndarray
    target: np.ndarray
    classes: int
    categories: tuple[int, ...]

    @property
    def objective(self) -> dict[str, Any]:
        """LightGBM's objective for the target."""
        if self.classes == 0:
            return {"objective": "regression", "metric": "l2"}
        if self.classes == 2:
            return {"objective": "binary", "metric": "binary_logloss"}
        return {"objective": "multiclass", "metric": "multi_logloss", "num_class": self.classes}


def boost(
    problem: Problem, valid: tuple[np.ndarray, np.ndarray], bags: int, rate: float, threads: int, seed: int
) -> list[str]:
    """Fit and give `bags` models as LightGBM text, alike but for their seeds."""
    small = len(problem.rows) < SMALL or not len(valid[1])
    best: tuple[float, dict[str, Any], int] | None = None
    for leaves in LEAVES:
        params = _params(problem, leaves, rate, threads, seed)
        loss, rounds = _cross_validated(problem, params) if small else _validated(problem, valid, params)
        if best is None or loss < best[0]:
            best = (loss, params, rounds)
    assert best is not None
    _, params, rounds = best
    return [_train(problem, {**params, "seed": seed + bag}, rounds) for bag in range(bags)]


def mean_prediction(models: Sequence[Any], rows: np.ndarray, threads: int) -> np.ndarray:
    """Mean of models' predictions: (rows,) values or probabilities of the second class, or (rows, classes)."""
    total: np.ndarray = np.mean([np.asarray(model.predict(rows, num_threads=threads)) for model in models], axis=0)
    return total


def _params(problem: Problem, leaves: int, rate: float, threads: int, seed: int) -> dict[str, Any]:
    return {
        **problem.objective,
        "learning_rate": rate,
        "num_leaves": leaves,
        "min_data_in_leaf": 5 if len(problem.rows) < 1000 else 20,
        "bagging_fraction": 0.7 if len(problem.rows) >= 10 else 1.0,
        "bagging_freq": 1,
        "feature_fraction": 0.75,
        "min_data_in_bin": 1 if len(problem.rows) < 1000 else 3,
        "max_bin": 255,
        "seed": seed,
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


def _dataset(problem: Problem, params: dict[str, Any]) -> Any:
    import lightgbm

    shared = {name: params[name] for name in ("min_data_in_bin", "max_bin", "verbosity")}
    return lightgbm.Dataset(
        problem.rows, problem.target, categorical_feature=list(problem.categories), params=shared, free_raw_data=False
    )


def _early() -> Any:
    import lightgbm

    return lightgbm.early_stopping(PATIENCE, verbose=False)


def _cross_validated(problem: Problem, params: dict[str, Any]) -> tuple[float, int]:
    """Lowest mean loss over five folds (fewer for fewer rows), and after how many rounds."""
    import lightgbm

    folds = min(5, len(problem.rows) // 2)
    if folds < 2:
        return 0.0, 1
    curve: dict[str, Any] = lightgbm.cv(
        params,
        _dataset(problem, params),
        num_boost_round=ROUNDS,
        folds=_folds(problem, folds, params["seed"]),
        callbacks=[_early()],
    )
    losses = next(values for name, values in curve.items() if name.endswith("-mean"))
    place = int(np.argmin(losses))
    return float(losses[place]), place + 1


def _folds(problem: Problem, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds with like shares of classes, made here so that rare classes neither raise nor warn."""
    order = np.random.default_rng(seed).permutation(len(problem.rows))
    if problem.classes:
        order = order[np.argsort(problem.target[order], kind="stable")]
    part = np.empty(len(order), dtype=np.int64)
    part[order] = np.arange(len(order)) % count
    return [(np.flatnonzero(part != fold), np.flatnonzero(part == fold)) for fold in range(count)]


def _validated(problem: Problem, valid: tuple[np.ndarray, np.ndarray], params: dict[str, Any]) -> tuple[float, int]:
    """Lowest loss on the validation rows, and after how many rounds."""
    import lightgbm

    data = _dataset(problem, params)
    held = data.create_valid(valid[0], valid[1])
    model = lightgbm.train(params, data, num_boost_round=ROUNDS, valid_sets=[held], callbacks=[_early()])
    return float(model.best_score["valid_0"][params["metric"]]), int(model.best_iteration)


def _train(problem: Problem, params: dict[str, Any], rounds: int) -> str:
    import lightgbm

    model = lightgbm.train(params, _dataset(problem, params), num_boost_round=rounds)
    text: str = model.model_to_string()
    return text
