"""Linear predictors on encodings, which many parts fit."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from fusible.encoders._linear import fit_linear
from fusible.types import Task


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_fits_keep_to_one_thread_which_is_faster_and_give_the_others_back(kind, rng, monkeypatch):
    seen, fit = [], LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", lambda *given: (seen.append(blas_threads()), fit(*given))[1])
    rows, target = rng.normal(size=(60, 3)), np.arange(60) % (3 if kind == "multiclass" else 2)
    truth = np.stack([target, 1 - target], axis=1) if kind == "multilabel" else target
    task = Task(kind, ("a", "b", "c") if kind == "multiclass" else ("a", "b"))
    with threadpool_limits(2, user_api="blas"):
        fit_linear(rows, truth, task, (rows[:0], truth[:0]), 0)
        assert blas_threads() == {2}
    assert seen
    assert all(threads == {1} for threads in seen)
