"""Targets: what task a column is, and the way to learned units and back."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fusible.data.read import read
from fusible.errors import TargetError
from fusible.tasks.target import Target, read_target
from fusible.types import Task


def target_of(values, how=None):
    """Read one column as target, through the reader."""
    frame = pd.DataFrame({"y": pd.Series(values), "x": np.arange(len(values)) / 7.0})
    dataset = read(frame, target="y", columns=None if how is None else {"y": how})
    return read_target(dataset.columns["y"], dataset.to_pandas(["y"])["y"])


@pytest.mark.parametrize(
    ("values", "kind", "labels"),
    [
        (["b", "a", "b", "a"] * 5, "binary", ["a", "b"]),
        (["b", "a", None, "c"] * 5, "multiclass", ["a", "b", "c"]),
        ([True, False, True, True] * 5, "binary", [False, True]),
        ([True, None, False, True] * 5, "binary", [False, True]),
        ([0, 1, 1, 0] * 5, "binary", [0, 1]),
        ([1.0, 0.0, np.nan, 1.0] * 5, "binary", [0, 1]),
        ([0.5, 1.5, 1.5, 0.5] * 5, "binary", ["0.5", "1.5"]),
        (list(range(3)) * 10, "multiclass", [0, 1, 2]),
        ([10, 9, 100] * 10, "multiclass", [9, 10, 100]),
        ([-1, 1, 0] * 10, "multiclass", [-1, 0, 1]),
        ([["x", "y"], ["y"], [], None] * 5, "multilabel", ["x", "y"]),
    ],
)
def test_classes_are_found_with_their_labels(values, kind, labels):
    target, encoded = target_of(values)
    assert (target.task.kind, target.labels()) == (kind, labels)
    for cell, code in zip(values, encoded, strict=True):
        if cell is None or (isinstance(cell, float) and np.isnan(cell)):
            assert np.all(code == -1)
        elif kind == "multilabel":
            assert [label for label, on in zip(labels, code, strict=True) if on] == cell
        else:
            assert str(labels[code]) == str(cell) or labels[code] == cell
    assert target.known.tolist() == [not np.all(code == -1) for code in encoded]


@pytest.mark.parametrize(
    ("values", "how"),
    [
        (np.linspace(0, 1, 40).tolist(), None),
        (list(range(40)), None),
        ([1, 2, 3, 4] * 3, None),  # too few rows per value to be codes
        ([1, 2] * 20, "number:target"),
        ([1, 2, 3] * 20, "number"),
    ],
)
def test_quantities(values, how):
    target, encoded = target_of(values, how)
    assert target.task == Task("regression")
    np.testing.assert_allclose(encoded, values)


def test_the_owner_may_call_numbers_classes():
    target, _ = target_of(list(range(5)) * 2 + [None], "category:target")
    assert target.task.kind == "multiclass"
    assert target.labels() == [0, 1, 2, 3, 4]


def test_cells_that_are_no_values_are_unknown():
    target, encoded = target_of([1.5, np.inf, -np.inf, np.nan, *np.linspace(2, 3, 30)])
    assert target.task.kind == "regression"
    assert np.flatnonzero(~target.known).tolist() == [1, 2, 3]
    assert np.isnan(encoded[1:4]).all()
    target, encoded = target_of([0.0, 1.0, np.inf] * 10)
    assert target.labels() == [0, 1]
    assert encoded[:3].tolist() == [0, 1, -1]
    target, encoded = target_of(["a", "b", "  ", ""] * 5)
    assert target.labels() == ["a", "b"]
    assert encoded[:4].tolist() == [0, 1, -1, -1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([None] * 6, "target 'y': every cell is null; expected values to learn"),
        (["a"] * 6, "target 'y': expected two classes or more, got only 'a'"),
        ([3] * 6, "target 'y': expected two classes or more, got only '3'"),
        ([" ", ""] * 6, "target 'y': expected two classes or more, got blank or infinite cells only"),
        ([np.inf, np.inf], "target 'y': expected two classes or more, got blank or infinite cells only"),
        ([f"word{i}" for i in range(30)], "target 'y': 30 classes in 30 rows; expected a class to come back"),
        ([[], []], "target 'y': every list is empty"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_one_line(values, message):
    with pytest.raises(TargetError) as error:
        target_of(values)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_constant_quantity_is_refused():
    with pytest.raises(TargetError, match="expected at least two values, got one"):
        target_of([2.5] * 8, "number:target")


def test_new_cells_are_encoded_by_the_labels_of_training():
    target, _ = target_of([0, 1, 1, 0] * 5)
    cells = pd.Series([1, 0, 2, None, 0.5, "x", "1"], dtype=object)
    assert target.encode(cells).tolist() == [1, 0, -1, -1, -1, -1, 1]
    several, _ = target_of([["x"], ["y", "x"]] * 5)
    assert several.encode(pd.Series([["x", "new"], [], None])).tolist() == [[1, 0], [0, 0], [-1, -1]]


values = arrays(np.float64, st.integers(2, 30), elements=st.floats(1e-3, 1e6)).filter(lambda v: np.ptp(v) > 1e-6)


@given(values=values, transform=st.sampled_from(["identity", "log"]))
def test_backward_undoes_forward(values, transform):
    target = Target("y", Task("regression")).with_transform(transform, values)
    learned = target.forward(values)
    assert abs(learned.mean()) < 1e-6
    assert learned.std() == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(target.backward(learned), values, rtol=1e-6, atol=1e-6)
    assert np.all(np.diff(target.forward(np.sort(values))) >= 0)


@given(values=values, transform=st.sampled_from(["identity", "log"]), score=st.floats(-1e12, 1e12))
def test_predictions_stay_near_the_training_range(values, transform, score):
    target = Target("y", Task("regression")).with_transform(transform, values)
    given = target.backward(np.array([[score]]))[0, 0]
    z = np.log(values) if transform == "log" else values
    low, high = z.min() - np.ptp(z), z.max() + np.ptp(z)
    wide = 1e-6 * (1 + abs(low) + abs(high))
    assert low - wide <= (np.log(given) if transform == "log" else given) <= high + wide


@given(values=values, far=values, transform=st.sampled_from(["identity", "log"]))
def test_known_targets_are_not_kept_near_the_training_range(values, far, transform):
    target = Target("y", Task("regression")).with_transform(transform, values)
    np.testing.assert_allclose(target.original(target.forward(far)), far, rtol=1e-6, atol=1e-6)


def test_probabilities_pass():
    target = Target("y", Task("binary", ("a", "b")))
    scores = np.array([[0.2, 0.8]])
    assert target.backward(scores) is scores
    assert target.original(scores) is scores
    assert target.forward(scores) is scores


@pytest.mark.parametrize("values", [["b", "a"] * 5, [0, 1, 2] * 10, np.linspace(1, 9, 40), [["x"], ["y"]] * 4])
def test_config_round_trip(values):
    target, _ = target_of(values)
    assert Target.from_config(target.to_config()) == target
