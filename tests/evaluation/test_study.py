import json

import numpy as np
import pytest

from fusible.evaluation.study import Difference, Score, StrategyResult, StudyResult, plain
from fusible.types import Problem, Task


def study(**changes):
    rows = [
        StrategyResult(
            "single:<text>", "single", Score(0.8, 0.7, 0.9), Score(0.81, 0.7, 0.9), {"f1": 0.5}, 10, 1.5, 9e3
        ),
        StrategyResult("auto", "auto", Score(0.9, 0.85, 0.95), Score(0.9, 0.8, 1.0), {"f1": float("nan")}),
    ]
    values = {
        "task": Task("binary", ("no", "yes")),
        "metric": "accuracy",
        "target": "liked",
        "rows": {"train": np.int64(70), "valid": 15, "test": 15},
        "strategies": rows,
        "best_single": "single:<text>",
        "auto": "feature:concat",
        "verdict": "helps",
        "difference": Difference(0.1, 0.05, 0.15, 0.99),
        "statement": "Fusion helps <b>.",
        "problems": [Problem("unreadable", "image", "1 picture", (4,), 1)],
        "settings": {"rate": np.float32(0.5), "views": ("text",)},
        "truth": np.array([0, 1]),
    }
    return StudyResult(**{**values, **changes})


def test_json_is_the_object_of_the_design():
    found = json.loads(json.dumps(study().to_json(), allow_nan=False))
    assert found["task"] == "binary"
    assert found["rows"] == {"train": 70, "valid": 15, "test": 15}
    assert found["difference"] == {"mean": 0.1, "low": 0.05, "high": 0.15, "p_better": 0.99}
    assert (found["best_single"], found["auto"], found["verdict"]) == ("single:<text>", "feature:concat", "helps")
    first, auto = found["strategies"]
    assert first["test"] == {"score": 0.8, "low": 0.7, "high": 0.9}
    assert {"name", "family", "test", "valid", "parameters", "fit_seconds", "rows_per_second"} <= set(first)
    assert auto["name"] == "auto"
    assert auto["metrics"] == {"f1": None}
    assert found["settings"] == {"rate": 0.5, "views": ["text"]}
    assert found["problems"][0]["rows"] == [4]
    assert "truth" not in found


def test_frame_has_a_line_per_strategy():
    frame = study().frame
    assert frame["strategy"].tolist() == ["single:<text>", "auto"]
    assert frame.loc[0, ["test", "low", "high", "valid"]].tolist() == [0.8, 0.7, 0.9, 0.81]
    assert frame.loc[0, "f1"] == 0.5


def test_text_and_html_say_the_verdict_first():
    assert repr(study()).startswith("Fusion helps <b>.\naccuracy of 'liked' on 15 test rows\n")
    html = study()._repr_html_()
    assert "Fusion helps &lt;b&gt;." in html
    assert "single:&lt;text&gt;" in html


def test_strategy_by_name():
    assert study().strategy("auto").test.score == 0.9
    with pytest.raises(KeyError, match="'best': expected one of"):
        study().strategy("best")


def test_plain_values():
    given = {1: np.arange(2), "b": (np.bool_(True), np.nan, np.inf), "c": {"d": None}, "e": Task}
    assert plain(given) == {"1": [0, 1], "b": [True, None, None], "c": {"d": None}, "e": str(Task)}
