"""Explanations of models whose answers are known functions of their views."""

import json

import numpy as np
import pandas as pd
import pytest
from _additive import SUMS, VIEWS, Known, TotalAndProduct, class_model, numbers_table, regression_model

from fusible.errors import ConfigError, TargetError
from fusible.tasks.explain import OTHERS, explain


@pytest.fixture
def table(rng):
    return numbers_table(rng)


@pytest.fixture
def additive(table):
    return regression_model(table, SUMS, views=VIEWS, columns={"note": ":ignore"})


def test_views_of_a_sum_get_their_own_term(additive, table):
    found = explain(additive, table, 7)
    row = table.loc[7]
    left, right = row.a + 2 * row.b, 3 * row.c
    np.testing.assert_allclose([share.value for share in found.views], [left, right])
    np.testing.assert_allclose([share.alone for share in found.views], [left, right])
    np.testing.assert_allclose([share.without for share in found.views], [right, left])
    assert (found.base, found.value) == (0.0, pytest.approx(left + right))
    assert sum(share.value for share in found.views) == pytest.approx(found.gain)
    (pair,) = found.interactions
    assert pair.views == ("left", "right")
    assert pair.value == pytest.approx(0.0, abs=1e-9)
    assert found.truth == f"{row.y:.4g}"
    assert found.answer == f"{left + right:.4g}"


def test_a_product_is_shared_out_and_is_the_interaction(table):
    model = regression_model(table, SUMS, rule=TotalAndProduct, views=VIEWS, columns={"note": ":ignore"})
    found = explain(model, table, 3)
    row = table.loc[3]
    left, right = row.a + 2 * row.b, 3 * row.c
    np.testing.assert_allclose(
        [share.value for share in found.views], [left + left * right / 2, right + left * right / 2]
    )
    assert found.interactions[0].value == pytest.approx(left * right)


def test_the_effect_of_a_cell_is_its_term_less_the_mean_of_others(additive, table):
    found = explain(additive, table, 0)
    effects = {column.column: column for column in found.columns}
    others = np.sort(np.random.default_rng(0).choice(np.arange(1, 60), OTHERS, replace=False))
    for name, factor in (("a", 1), ("b", 2), ("c", 3)):
        rest = factor * table[name].to_numpy()[others]
        assert effects[name].value == pytest.approx(factor * table[name][0] - rest.mean())
        assert effects[name].spread == pytest.approx(rest.std())
        assert effects[name].cell == f"{table[name][0]:,.6g}"
    sizes = [abs(column.value) for column in found.columns]
    assert sizes == sorted(sizes, reverse=True)


def test_a_table_of_one_row_takes_cells_away(additive, table):
    found = explain(additive, table.iloc[[0]], 0)
    effects = {column.column: column.value for column in found.columns}
    assert effects == pytest.approx({"a": table.a[0], "b": 2 * table.b[0], "c": 3 * table.c[0]})


def test_an_absent_view_gets_nothing_and_what_it_holds_does_not_matter(additive, table):
    other = table.copy()
    other.loc[7, ["a", "b"]] = np.nan
    found = explain(additive, other, 7)
    assert [share.present for share in found.views] == [0.0, 1.0]
    np.testing.assert_allclose([share.value for share in found.views], [0.0, 3 * table.c[7]])
    other.loc[7, "c"] = np.nan
    found = explain(additive, other, 7)
    assert [share.value for share in found.views] == [0.0, 0.0]
    assert found.value == found.base == 0.0
    assert found.columns == []


def likes_red(texts):
    chance = np.array([0.9 if "red" in text else 0.2 for text in texts])
    return np.stack([1 - chance, chance], axis=1)


def test_a_class_may_be_named_and_log_odds_asked_for(table):
    frame = table[["note"]].assign(y=["yes", "no"] * 30)
    model = class_model(frame, likes_red, "note", columns={"note": "text"})
    found = explain(model, frame, 1)
    assert (found.answer, found.explained, found.truth) == ("yes", "yes", "no")
    assert (found.base, found.value) == (0.5, pytest.approx(0.9))
    other = explain(model, frame, 1, target_class="no")
    assert (other.explained, other.value) == ("no", pytest.approx(0.1))
    assert other.views[0].value == pytest.approx(-0.4)
    odds = explain(model, frame, 1, scale="log_odds")
    assert odds.views[0].value == pytest.approx(np.log(9))
    assert odds.what == "log-odds of 'yes'"
    assert "its Shapley value is the whole difference" in odds.notes[0]


def test_certain_answers_have_finite_log_odds(table):
    frame = table[["note"]]
    model = class_model(frame, lambda texts: np.tile([0.0, 1.0], (len(texts), 1)), "note", columns={"note": "text"})
    assert explain(model, frame, 1, scale="log_odds").value == pytest.approx(np.log((1 - 1e-6) / 1e-6))


def test_the_score_on_rows_is_attributed(additive, table):
    """R2 of a sum: recomputed here from the terms that a coalition keeps."""
    found = explain(additive, table)
    terms = {"left": (table.a + 2 * table.b).to_numpy(), "right": (3 * table.c).to_numpy()}
    truth = table.y.to_numpy()

    def r2(said):
        return 1 - ((truth - said) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()

    none, left, right, both = r2(0.0), r2(terms["left"]), r2(terms["right"]), r2(terms["left"] + terms["right"])
    values = {share.view: share for share in found.views}
    assert values["left"].value == pytest.approx(((left - none) + (both - right)) / 2)
    assert values["right"].value == pytest.approx(((right - none) + (both - left)) / 2)
    assert found.interactions[0].value == pytest.approx(both - left - right + none)
    assert (found.base, found.value, found.unit) == (pytest.approx(none), pytest.approx(both), "r2")
    assert all(share.low < share.value < share.high for share in found.views)
    assert found.rows == 60


def test_columns_matter_in_the_order_of_their_weights(additive, table):
    found = explain(additive, table)
    assert [column.column for column in found.columns] == ["c", "b", "a"]
    truth = table.y.to_numpy()
    variance = ((truth - truth.mean()) ** 2).mean()
    # Permuting an independent term of variance s2 adds 2 s2 to the squared error in expectation.
    expected = 2 * 9 * table.c.var() / variance
    assert found.columns[0].value == pytest.approx(expected, rel=0.35)
    assert all(column.spread > 0 for column in found.columns)


def test_metrics_where_less_is_better_are_improvements_too(table):
    model = regression_model(table, SUMS, views=VIEWS, columns={"note": ":ignore"}, metric="rmse")
    found = explain(model, table)
    assert found.value < found.base
    assert found.gain == pytest.approx(found.base - found.value)
    assert sum(share.value for share in found.views) == pytest.approx(found.gain)
    assert all(share.value > 0 and share.low > 0 for share in found.views)
    assert all(0 < share.alone < found.base for share in found.views)
    assert found.columns[0].column == "c"
    assert found.columns[0].value > 0


def test_rows_without_a_known_target_are_left_out(additive, table):
    other = table.copy()
    other.loc[:9, "y"] = np.nan
    assert explain(additive, other).rows == 50
    with pytest.raises(TargetError, match="no row has a value"):
        explain(additive, table.assign(y=np.nan))
    with pytest.raises(TargetError, match="expected the target, or --row N"):
        explain(additive, table.drop(columns="y"))


def test_many_rows_are_drawn(additive, table, monkeypatch):
    monkeypatch.setattr("fusible.tasks.explain.MOST_ROWS", 20)
    found = explain(additive, table)
    assert found.rows == 20
    assert found.notes == ["20 of 60 rows were drawn by seed"]


def test_the_same_seed_gives_the_same(additive, table):
    first, again, other = (explain(additive, table, seed=seed).to_json() for seed in (1, 1, 2))
    assert first == again
    assert first["columns"] != other["columns"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"row": 60}, "row 60: expected a row from 0 to 59"),
        ({"row": -1}, "row -1: expected a row from 0"),
        ({"row": 1, "scale": "bits"}, "scale 'bits': expected one of probability, log_odds"),
        ({"row": 1, "target_class": "yes"}, "'y' is a quantity and has none"),
        ({"saliency": True}, "those of one row"),
        ({"target_class": "yes"}, "those of one row"),
    ],
)
def test_wrong_settings_are_named(additive, table, given, words):
    with pytest.raises(ConfigError, match=words):
        explain(additive, table, **given)


def test_an_unknown_class_is_named(table):
    model = class_model(table[["note"]], likes_red, "note", columns={"note": "text"})
    with pytest.raises(ConfigError, match="class 'maybe': expected one of no, yes"):
        explain(model, table[["note"]], 0, target_class="maybe")


def test_more_than_ten_views_are_refused(rng):
    names = [f"n{k}" for k in range(11)]
    frame = pd.DataFrame(rng.normal(size=(20, 11)), columns=names)
    functions = {f"v{k}": (lambda cells: cells.iloc[:, 0]) for k in range(11)}
    views = {f"v{k}": [names[k]] for k in range(11)}
    model = regression_model(frame, functions, views=views)
    with pytest.raises(ConfigError, match="of 11 views: expected 1 to 10"):
        explain(model, frame, 0)
    few = regression_model(frame, dict(list(functions.items())[:10]), views=dict(list(views.items())[:10]))
    found = explain(few, frame, 0)
    np.testing.assert_allclose([share.value for share in found.views], frame.iloc[0, :10], atol=1e-9)


def test_json_is_plain_and_the_frame_has_a_line_per_view(additive, table):
    found = explain(additive, table, 2)
    again = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert again["views"][0]["value"] == pytest.approx(found.views[0].value)
    assert again["row"] == 2
    assert list(found.frame.index) == ["left", "right"]
    assert "Row 2: y is" in repr(found)


def test_a_view_of_a_media_problem_is_absent_and_named(png, rng):
    frame = pd.DataFrame({"photo": pd.Series([png(rng.integers(0, 255, (8, 8, 3))) for _ in range(4)], dtype=object)})
    frame.loc[2, "photo"] = frame.photo[2][:30]
    frame["a"] = rng.normal(size=4)
    model = regression_model(frame, {"table": lambda cells: cells.a, "photo": lambda items: np.ones(len(items))})
    # A predictor decodes what it reads; here it reads nothing, so that the damaged picture counts as there.
    assert explain(model, frame, 2).pictures == {}
    assert list(explain(model, frame, 1).pictures) == ["photo"]


def test_known_encoders_answer_what_they_are_told():
    np.testing.assert_array_equal(
        Known(lambda values: [len(v) for v in values]).predict_scores(["a", "bc"]), [[1], [2]]
    )
