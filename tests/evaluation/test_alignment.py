"""The result of an alignment: counts, sentence, frame and JSON."""

import json

import pytest

from fusible.evaluation.alignment import ALPHA, Alignment, Component
from fusible.evaluation.study import Score


def result(p_values, views=("a", "b")):
    components = [Component(0.9, Score(0.8 - 0.1 * k, 0.1, 0.9), p) for k, p in enumerate(p_values)]
    rows = {"train": 80, "test": 20, "test_items": 20}
    cka = {"before": 0.1, "after": float("nan")}
    return Alignment("cca", [{"name": view} for view in views], rows, components, {"before": None, "after": 0.2}, cka)


@pytest.mark.parametrize(("p_values", "expected"), [([0.001, ALPHA, 0.2], 2), ([0.2, 0.2], 0), ([0.01], 1)])
def test_significant_components_are_counted(p_values, expected):
    assert result(p_values).significant == expected


def test_the_sentence_names_views_and_the_first_correlation():
    assert result([0.01]).statement == (
        "a and b share 1 dimension: the first correlates at 0.800 on test rows (95 % interval 0.100 to 0.900)."
    )
    assert result([0.01, 0.01], views=("a", "b", "c")).statement.startswith("a, b and c share 2 dimensions")


def test_frame_and_json_hold_every_component():
    found = result([0.01, 0.3])
    assert found.frame.to_dict("list") == {
        "train": [0.9, 0.9], "test": [0.8, pytest.approx(0.7)], "low": [0.1, 0.1], "high": [0.9, 0.9],
        "p_value": [0.01, 0.3],
    }  # fmt: skip
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["cka"] == {"before": 0.1, "after": None}
    assert told["total"] == pytest.approx(1.5)
    assert told["components"][1]["test"]["score"] == pytest.approx(0.7)
    assert (told["significant"], told["alpha"]) == (1, 0.05)
