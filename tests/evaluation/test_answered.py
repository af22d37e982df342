"""Coverage, thresholds for a wanted accuracy, and what an answer says of itself."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.errors import ConfigError
from fusible.evaluation.answered import CURVE, NEVER, Answer, coverage_curve, covered, threshold_for

ROWS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=40)


def arrays(rows):
    return np.array([level / 6 for level, _ in rows]), np.array([right for _, right in rows])


def test_never_is_above_every_confidence():
    assert np.nextafter(1.0, 2.0) == NEVER
    assert covered(np.ones(3), np.ones(3, bool), NEVER).coverage == 0.0
    assert covered(np.ones(3), np.ones(3, bool), NEVER).accuracy is None


@given(ROWS, st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_the_threshold_withholds_fewest_of_all_that_reach_the_accuracy(rows, wanted):
    confidence, right = arrays(rows)
    found = threshold_for(confidence, right, wanted)
    reached = [level for level in np.unique(confidence) if right[confidence >= level].mean() >= wanted - 1e-12]
    assert found == (pytest.approx(min(reached), abs=2e-6) if reached else NEVER)
    assert (confidence >= found).sum() == (confidence >= min(reached, default=NEVER)).sum()


@given(ROWS)
def test_coverage_rises_along_the_curve_and_ends_with_every_row(rows):
    confidence, right = arrays(rows)
    curve = coverage_curve(confidence, right)
    assert [one.coverage for one in curve] == sorted({one.coverage for one in curve})
    assert (curve[-1].coverage, curve[-1].accuracy) == (1.0, pytest.approx(right.mean()))
    assert [one.threshold for one in curve] == sorted((one.threshold for one in curve), reverse=True)


def test_a_curve_of_many_confidences_is_thinned():
    confidence = np.linspace(0, 1, 1000)
    curve = coverage_curve(confidence, confidence > 0.3)
    assert len(curve) == CURVE
    assert curve[0].accuracy == 1.0
    assert curve[-1].accuracy == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("wanted", [0.0, -1.0, 1.01, float("nan")])
def test_an_accuracy_that_is_no_share_is_refused(wanted):
    with pytest.raises(ConfigError, match="expected a share above 0, up to 1"):
        threshold_for(np.ones(1), np.ones(1, bool), wanted)


def test_an_answer_as_json():
    answer = Answer(
        "(no answer)", 0.4, True, [("red", 0.4), ("blue", 0.3)], "what?", "other", 0.5, pictures={"a": b"x"}
    )
    assert answer.best == "red"
    assert str(answer) == "(no answer) (40.0%)"
    plain = json.loads(json.dumps(answer.to_json()))
    assert plain["top"] == [{"answer": "red", "confidence": 0.4}, {"answer": "blue", "confidence": 0.3}]
    assert "pictures" not in plain
