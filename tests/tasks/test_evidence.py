"""Evidence is what brings the prior to the prediction."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from fusible.tasks.evidence import DOUBT, evidence, outputs_of
from fusible.types import Task

CLASSES, LABELS = Task("multiclass", ("a", "b", "c")), Task("multilabel", ("a", "b", "c"))


@pytest.mark.parametrize(("task", "back"), [(CLASSES, softmax), (LABELS, None)])
def test_prior_and_evidence_give_the_prediction_with_a_little_doubt(rng, task, back):
    prior, scores = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3), 50)
    total = outputs_of(prior, task) + evidence(scores, prior, task)
    said = softmax(total, axis=1) if back else expit(total)
    np.testing.assert_allclose(said, (1 - DOUBT) * scores + DOUBT * prior, atol=1e-12)


@pytest.mark.parametrize("task", [CLASSES, LABELS])
def test_nothing_is_ruled_out_and_the_prior_says_nothing(task):
    prior = np.array([0.2, 0.3, 0.5])
    certain = evidence(np.eye(3), prior, task)
    assert np.isfinite(certain).all()
    assert certain.min() >= np.log(DOUBT) - 1
    np.testing.assert_allclose(evidence(prior[None], prior, task), 0.0, atol=1e-12)


def test_of_a_value_it_is_the_difference():
    found = evidence(np.array([[1.5], [0.2]]), np.array([0.2]), Task("regression"))
    np.testing.assert_allclose(found, [[1.3], [0.0]])
