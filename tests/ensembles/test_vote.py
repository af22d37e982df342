import numpy as np
from _members import TASKS
from hypothesis import given
from hypothesis import strategies as st

from fusible.ensembles.vote import Vote
from fusible.types import Predictions, Task

ABC = Task("multiclass", tuple("abc"))


def voted(scores, presence=None, task=ABC, target=None):
    scores = np.asarray(scores, float)
    presence = np.ones(scores.shape[1::-1], bool) if presence is None else np.asarray(presence, bool)
    predictions = Predictions(tuple("abcdefgh"[: len(scores)]), scores, presence)
    target = np.zeros((scores.shape[1], task.outputs) if task.kind == "multilabel" else scores.shape[1], int)
    return Vote().fit(predictions, target, task).predict(predictions)


def test_the_plurality_wins_against_the_mean():
    out = voted([[[0.5, 0.4, 0.1]], [[0.5, 0.4, 0.1]], [[0.0, 1.0, 0.0]]])
    np.testing.assert_allclose(out, [[(2 + 1 / 3) / 4, (1 + 0.6) / 4, (0.2 / 3) / 4]])


def test_a_tie_is_decided_by_the_mean_probability():
    out = voted([[[0.6, 0.4, 0.0]], [[0.1, 0.9, 0.0]]])
    np.testing.assert_allclose(out, [[1.35 / 3, 1.65 / 3, 0.0]])


def test_a_member_that_is_alone_passes_as_it_is():
    out = voted([[[0.6, 0.3, 0.1]], [[np.nan] * 3]], [[True, False]])
    np.testing.assert_allclose(out, [[0.6, 0.3, 0.1]])


def test_labels_are_voted_on_one_by_one():
    scores = [[[0.9, 0.4]], [[0.6, 0.4]], [[0.1, 0.9]]]
    out = voted(scores, task=Task("multilabel", ("x", "y")))
    np.testing.assert_allclose(out, [[(2 + 1.6 / 3) / 4, (1 + 1.7 / 3) / 4]])


def test_values_give_the_median_of_the_present():
    scores = np.array([[1.0, 1.0, 9.0], [2.0, 5.0, 9.0], [1e9, 2.0, 9.0]])[:, :, None]
    presence = [[True, True, True], [True, False, True], [False, False, False]]
    out = voted(scores, presence, TASKS["regression"])
    np.testing.assert_allclose(out, [[2.0], [1.5], [0.0]])


@given(st.integers(1, 7), st.integers(2, 5), st.integers(0, 10_000))
def test_the_winner_has_most_votes_and_then_most_mean_probability(members, classes, seed):
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.full(classes, 0.3), (members, 6))
    presence = rng.random((6, members)) < 0.8
    presence[:, 0] = True
    out = voted(scores, presence, Task("multiclass", tuple("abcde"[:classes])))
    np.testing.assert_allclose(out.sum(axis=1), 1.0)
    for row in range(6):
        kept = scores[presence[row], row]
        votes = np.bincount(kept.argmax(axis=1), minlength=classes)
        rank = [(votes[c], kept[:, c].mean()) for c in range(classes)]
        assert rank[out[row].argmax()] == max(rank)
