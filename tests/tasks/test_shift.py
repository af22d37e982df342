"""Patterns of missing views that change between training and test."""

import numpy as np
import pandas as pd
import pytest

from fusible.errors import ConfigError, SchemaError
from fusible.evaluation.robustness import SHIFT
from fusible.tasks import shift

VIEWS = {view: [f"{view}{i}" for i in range(4)] for view in "ab"}
OPTIONS = {
    "views": VIEWS,
    "encoders": {"a": "table_standard", "b": "table_standard"},
    "strategies": ["feature:concat"],
}


def table(rows=200):
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, rows)
    cells = {
        name: (-1) ** place * label + 0.3 * rng.normal(size=rows)
        for names in VIEWS.values()
        for place, name in enumerate(names)
    }
    place = np.arange(rows) / rows
    split = np.select([place < 0.5, place < 0.6], ["train", "valid"], "test")
    return pd.DataFrame({**cells, "y": np.where(label == 1, "yes", "no"), "split": split})


def test_strategies_are_fitted_on_one_pattern_and_scored_on_both(quick, monkeypatch, tmp_path):
    seen = []
    real = shift.fit_strategies

    def spy(context, *rest):
        seen.append({view: context.source._data[view].presence for view in "ab"})
        return real(context, *rest)

    monkeypatch.setattr(shift, "fit_strategies", spy)
    with quick():
        found = shift.pattern_shift(
            table(), "y", {"a": 0.5}, {"b": 1.0}, baseline="single:b", cache=tmp_path, **OPTIONS
        )
    assert seen[0]["a"][:120].sum() == 60  # half of the rows that are fitted on
    assert seen[0]["a"][120:].all()
    assert seen[0]["b"].all()
    curves = {curve.strategy: curve for curve in found.curves}
    assert set(curves) == {"single:a", "single:b", "feature:concat"}
    assert all(curve.kind == SHIFT and curve.levels == (0.0, 1.0) for curve in found.curves)
    clean, changed = curves["single:b"].scores
    assert clean.score > 0.8
    assert changed.score == pytest.approx(0.5, abs=0.15)  # it sees nothing, and says the prior
    assert curves["single:a"].scores[1].score > curves["single:a"].scores[0].score  # a is back
    assert curves["feature:concat"].robustness.relative > 0
    assert curves["feature:concat"].view == "a 50% in training, b 100% in test"


def test_bad_settings():
    with pytest.raises(SchemaError, match="view 'c': no such view; expected one of a, b"):
        shift.pattern_shift(table(), "y", {"c": 0.5}, {}, **OPTIONS)
    with pytest.raises(ConfigError, match="view 'b': missing rate: expected a share from 0 to 1, got 2"):
        shift.pattern_shift(table(), "y", {}, {"b": 2}, **OPTIONS)
