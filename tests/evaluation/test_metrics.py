import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from fusible.errors import ConfigError, DataError
from fusible.evaluation.metrics import METRICS, all_scores, best_threshold, decide, default_metric, metric_of, score
from fusible.types import Task

BINARY = Task("binary", ("no", "yes"))
MANY = Task("multiclass", ("a", "b", "c", "d"))
LABELS = Task("multilabel", ("x", "y", "z"))
VALUES = Task("regression")


def case(task, rows=200, seed=0, ties=False):
    random = np.random.default_rng(seed)
    if task.kind == "regression":
        target = random.normal(100, 20, rows)
        return target, (target + random.normal(0, 10, rows))[:, None]
    if task.kind == "multilabel":
        target = random.integers(0, 2, (rows, task.outputs))
        prediction = 1 / (1 + np.exp(-target - random.normal(0, 1, target.shape)))
    else:
        target = np.concatenate([np.arange(task.outputs), random.integers(0, task.outputs, rows - task.outputs)])
        logits = random.normal(0, 1, (rows, task.outputs))
        logits[np.arange(rows), target] += 1.0
        prediction = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if ties:
        prediction = np.round(prediction * 4 + 0.5) / 6
        prediction = prediction / prediction.sum(axis=1, keepdims=True) if task.is_classification else prediction
    return target, prediction


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ties", [False, True])
def test_binary_scores_equal_those_of_sklearn(seed, ties):
    target, prediction = case(BINARY, seed=seed, ties=ties)
    said, chance = (prediction[:, 1] >= 0.5).astype(int), prediction[:, 1]
    expected = {
        "accuracy": peer.accuracy_score(target, said),
        "balanced_accuracy": peer.balanced_accuracy_score(target, said),
        "f1": peer.f1_score(target, said),
        "macro_f1": peer.f1_score(target, said, average="macro"),
        "auroc": peer.roc_auc_score(target, chance),
        "average_precision": peer.average_precision_score(target, chance),
        "log_loss": peer.log_loss(target, prediction),
    }
    for name, value in expected.items():
        assert score(name, BINARY, target, prediction) == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("ties", [False, True])
def test_multiclass_scores_equal_those_of_sklearn(ties):
    target, prediction = case(MANY, ties=ties)
    said = prediction.argmax(axis=1)
    expected = {
        "accuracy": peer.accuracy_score(target, said),
        "balanced_accuracy": peer.balanced_accuracy_score(target, said),
        "f1": peer.f1_score(target, said, average="macro"),
        "macro_f1": peer.f1_score(target, said, average="macro"),
        "auroc": peer.roc_auc_score(target, prediction, multi_class="ovr", average="macro"),
        "average_precision": peer.average_precision_score(target, prediction, average="macro"),
        "log_loss": peer.log_loss(target, prediction),
    }
    for name, value in expected.items():
        assert score(name, MANY, target, prediction) == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("ties", [False, True])
def test_multilabel_scores_equal_those_of_sklearn(ties):
    target, prediction = case(LABELS, ties=ties)
    said = (prediction >= 0.4).astype(int)
    expected = {
        "accuracy": peer.accuracy_score(target, said),
        "macro_f1": peer.f1_score(target, said, average="macro"),
        "auroc": peer.roc_auc_score(target, prediction, average="macro"),
        "average_precision": peer.average_precision_score(target, prediction, average="macro"),
        "log_loss": np.mean([peer.log_loss(target[:, k], prediction[:, k]) for k in range(3)]),
    }
    for name, value in expected.items():
        assert score(name, LABELS, target, prediction, threshold=0.4) == pytest.approx(value, abs=1e-12), name


def test_regression_scores_equal_those_of_sklearn():
    target, prediction = case(VALUES)
    assert score("r2", VALUES, target, prediction) == pytest.approx(peer.r2_score(target, prediction[:, 0]), abs=1e-12)
    assert score("mae", VALUES, target, prediction) == pytest.approx(
        peer.mean_absolute_error(target, prediction[:, 0]), rel=1e-12
    )
    assert score("rmse", VALUES, target, prediction) == pytest.approx(
        peer.root_mean_squared_error(target, prediction[:, 0]), rel=1e-12
    )


def test_r2_survives_a_heavy_tail():
    target = np.concatenate([np.random.default_rng(0).normal(0, 1, 999), [1e9]])
    prediction = np.concatenate([target[:999] * 0.5, [1e9]])[:, None]
    assert score("r2", VALUES, target, prediction) == pytest.approx(peer.r2_score(target, prediction[:, 0]), abs=1e-12)


def test_calibration_error_by_hand():
    """Bins of 1/15: .95 (bin 14) thrice, two right; .65 (bin 9) twice, both right."""
    prediction = np.array([[0.05, 0.95], [0.95, 0.05], [0.05, 0.95], [0.35, 0.65], [0.65, 0.35]])
    target = np.array([1, 0, 0, 1, 0])
    expected = 3 / 5 * abs(2 / 3 - 0.95) + 2 / 5 * abs(1 - 0.65)
    assert score("ece", BINARY, target, prediction) == pytest.approx(expected, abs=1e-12)


def test_calibration_error_of_labels_by_hand():
    prediction, target = np.array([[0.1, 0.9, 0.1]]), np.array([[0, 1, 1]])
    assert score("ece", LABELS, target, prediction) == pytest.approx(2 / 3 * 0.4 + 1 / 3 * 0.1, abs=1e-12)


def test_perfectly_calibrated_probabilities_have_no_error():
    target = np.array([1, 1, 1, 0])
    assert score("ece", BINARY, target, np.tile([0.25, 0.75], (4, 1))) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("metric", "value"), [("accuracy", 1.0), ("f1", 0.0), ("auroc", 0.5), ("average_precision", 0.0), ("log_loss", 0.0)]
)
def test_rows_of_one_class_have_a_score(metric, value):
    target, prediction = np.zeros(4, dtype=int), np.tile([1.0, 0.0], (4, 1))
    assert score(metric, BINARY, target, prediction) == pytest.approx(value, abs=1e-12)


def test_an_absent_class_is_left_out_of_means():
    target, prediction = case(MANY)
    kept = target != 3
    target, prediction = target[kept], np.concatenate([prediction[kept][:, :3], np.zeros((kept.sum(), 1))], axis=1)
    three, scaled = Task("multiclass", ("a", "b", "c")), prediction[:, :3]
    for metric in ("f1", "balanced_accuracy", "auroc", "average_precision"):
        assert score(metric, MANY, target, prediction) == pytest.approx(score(metric, three, target, scaled)), metric


@pytest.mark.parametrize(("prediction", "value"), [(5.0, 1.0), (5.5, 0.0)])
def test_r2_of_a_constant_target(prediction, value):
    assert score("r2", VALUES, np.full(3, 5.0), np.full((3, 1), prediction)) == value


def test_decisions():
    assert decide(BINARY, np.array([[0.5, 0.5], [0.6, 0.4]])).tolist() == [1, 0]
    assert decide(BINARY, np.array([[0.5, 0.5], [0.6, 0.4]]), 0.4).tolist() == [1, 1]
    assert decide(MANY, np.array([[0.1, 0.2, 0.4, 0.3]]), 0.9).tolist() == [2]
    assert decide(LABELS, np.array([[0.4, 0.5, 0.6]])).tolist() == [[0, 1, 1]]
    assert decide(VALUES, np.array([[1.5], [2.0]])).tolist() == [1.5, 2.0]


def test_best_threshold_is_the_best_of_all():
    target, prediction = case(BINARY, rows=300)
    found = best_threshold("f1", target, prediction)
    best = max(score("f1", BINARY, target, prediction, cut) for cut in np.unique(prediction[:, 1]))
    assert score("f1", BINARY, target, prediction, found) == pytest.approx(best, abs=1e-12)
    assert best > score("f1", BINARY, target, prediction) + 0.001
    assert found == best_threshold("f1", target, prediction[:, 1])


def test_best_threshold_of_labels_and_of_metrics_without_one():
    target, prediction = case(LABELS)
    found = best_threshold("macro_f1", target, prediction / 10)
    assert 0 < found < 0.1
    assert score("macro_f1", LABELS, target, prediction / 10, found) > score("macro_f1", LABELS, target, prediction)
    assert best_threshold("auroc", target, prediction) == 0.5
    assert best_threshold("accuracy", *case(BINARY)) == 0.5


def test_best_threshold_of_one_probability_is_one_half():
    assert best_threshold("f1", np.array([0, 1]), np.array([0.7, 0.7])) == 0.5


@pytest.mark.parametrize("task", [BINARY, MANY, LABELS, VALUES])
def test_all_scores_fit_the_task(task):
    target, prediction = case(task)
    scores = all_scores(task, target, prediction)
    assert default_metric(task) in scores
    assert all(task.kind in METRICS[name].tasks for name in scores)
    assert all(value == score(name, task, target, prediction) for name, value in scores.items())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_metric_is_defined_on_any_rows(data):
    task = data.draw(st.sampled_from([BINARY, MANY, LABELS, VALUES]))
    rows = data.draw(st.integers(1, 6))
    random = np.random.default_rng(data.draw(st.integers(0, 999)))
    shape = (rows, task.outputs) if task.kind == "multilabel" else (rows,)
    target = random.integers(0, 2 if task.kind != "multiclass" else 4, shape)
    prediction = np.round(random.random((rows, task.outputs)), data.draw(st.integers(0, 3)))
    if task.is_classification:
        prediction = (prediction + 1e-3) / (prediction + 1e-3).sum(axis=1, keepdims=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = all_scores(task, target, prediction)
    assert np.isfinite(list(scores.values())).all()
    assert all(
        -1e-12 <= scores[name] <= 1 + 1e-12
        for name in scores
        if METRICS[name].tasks != {"regression"}
        if name != "log_loss"
    )


def test_a_metric_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="'r2' does not fit a binary task: expected one of accuracy, "):
        metric_of("r2", BINARY)
    with pytest.raises(ConfigError, match="'acuracy' is unknown"):
        metric_of("acuracy", BINARY)


@pytest.mark.parametrize(
    ("target", "prediction", "message"),
    [
        (np.zeros(2), np.zeros((3, 2)), r"expected target \(2,\) and predictions \(2, 2\), got .* \(3, 2\)"),
        (np.zeros((2, 1)), np.zeros((2, 2)), r"got target \(2, 1\)"),
        (np.zeros(0), np.zeros((0, 2)), "at least one row"),
        (np.zeros(2), np.array([[0.5, 0.5], [np.nan, 0.5]]), "1 of 2 rows have predictions that are not finite"),
    ],
)
def test_bad_shapes_are_named(target, prediction, message):
    with pytest.raises(DataError, match=message):
        score("accuracy", BINARY, target, prediction)
