import numpy as np

from fusible.ensembles.average import Average
from fusible.types import Predictions, Task


def test_mean_of_the_present_members():
    task = Task("binary", ("no", "yes"))
    scores = np.array([[[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]], [[0.5, 0.5], [0.1, 0.9], [0.4, 0.6]]])
    presence = np.array([[True, True], [True, False], [False, False]])
    out = (
        Average()
        .fit(Predictions(("a", "b"), scores, presence), np.array([0, 1, 1]), task)
        .predict(Predictions(("a", "b"), scores, presence))
    )
    np.testing.assert_allclose(out, [[0.7, 0.3], [0.5, 0.5], [0.4, 0.6]])  # the last: (1 + 1) / 5, (2 + 1) / 5


def test_mean_of_values():
    scores = np.array([[[1.0], [4.0]], [[3.0], [np.nan]]])
    presence = np.array([[True, True], [True, False]])
    predictions = Predictions(("a", "b"), scores, presence)
    out = Average().fit(predictions, np.array([2.0, 6.0]), Task("regression")).predict(predictions)
    np.testing.assert_allclose(out, [[2.0], [4.0]])
