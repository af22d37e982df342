"""Bad cells, and predicting with what is wrong: a defined prediction and a named problem, or a one-line error."""

import numpy as np
import pandas as pd
import pytest
from _cases import ROWS, call, files, small_table

from fusible.tasks.compare import compare, prepare
from fusible.tasks.inspect import inspect


@pytest.fixture(scope="module")
def model(quick, tmp_path_factory):
    """A saved model of text and table: fused, so that all views matter."""
    place = tmp_path_factory.mktemp("bad")
    with quick():
        result = compare(
            small_table(np.random.default_rng(0)),
            "y",
            columns={"note": "text"},
            encoders={"note": "text_tfidf", "table": "table_mlp"},
            strategies=["feature:concat"],
            keep="feature:concat",
            cache=place / "cache",
        )
    result.best.save(place / "model")
    return place / "model", result.best


def test_predicting_with_what_is_wrong_ends_with_one_line(capsys, tmp_path, rng, model):
    folder, _ = model
    csv = tmp_path / "table.csv"
    table = small_table(rng)
    table.to_csv(csv, index=False)
    table.drop(columns="size").to_csv(tmp_path / "fewer.csv", index=False)
    cases = [
        ((tmp_path / "none", csv, "-o", tmp_path / "out.csv"), "expected a model folder with config.yaml"),
        ((folder, tmp_path / "none.csv", "-o", tmp_path / "out.csv"), "no such file or folder"),
        (
            (folder, tmp_path / "fewer.csv", "-o", tmp_path / "out.csv"),
            "column 'size', an input of the model, is missing",
        ),
        ((folder, csv, "-o", tmp_path / "out.xlsx"), "expected a file ending in .csv"),
        ((folder, csv, "-o", tmp_path / "no" / "out.csv"), "does not exist"),
    ]
    before = files(tmp_path)
    for arguments, words in cases:
        code, out, err = call(capsys, "predict", *arguments)
        assert (code, out) == (2, "")
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert words in err
        assert files(tmp_path) == before


def test_odd_cells_have_a_defined_prediction(capsys, tmp_path, model):
    folder, best = model
    odd = pd.DataFrame(
        {
            "note": [
                "sun over the hill",
                None,
                "",
                "word " * 200_000,
                "\x00\ud7ff🙂",
                "sun",
                None,
                "sun over the hill",
            ],
            "size": [1.0, np.nan, np.inf, -np.inf, 1e308, 0.0, np.nan, 1.0],
            "shop": ["a", "never seen", None, "b", "", "c", None, "a"],
        }
    )
    assert len(odd["note"][3]) == 1_000_000
    scores = best.predict_scores(odd)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1.0)
    np.testing.assert_array_equal(scores[6], best.node.prior)
    # Equal rows at other places of a batch may differ in the last bits of float32 arithmetic.
    np.testing.assert_allclose(scores[0], scores[7], rtol=1e-5)
    problems = best.predict(odd).attrs["problems"]
    assert any("size" in p and "2 cells are infinite and count as missing" in p for p in problems)
    odd.to_parquet(tmp_path / "odd.parquet")
    code, _, err = call(capsys, "predict", folder, tmp_path / "odd.parquet", "-o", tmp_path / "out.csv")
    assert code == 0
    assert "warning: size: 2 cells are infinite" in err
    given = pd.read_csv(tmp_path / "out.csv")
    np.testing.assert_allclose(given[["probability_no", "probability_yes"]], scores, atol=1e-12)


def test_infinite_is_as_good_as_missing(model):
    _, best = model
    frame = pd.DataFrame({"note": ["sun"] * 3, "size": [np.nan, np.inf, -np.inf], "shop": ["a"] * 3})
    scores = best.predict_scores(frame)
    np.testing.assert_allclose(scores[1:], scores[[0, 0]], rtol=1e-5)


def test_columns_without_any_cell_predict_too(model):
    _, best = model
    nothing = pd.DataFrame({"note": [None] * 3, "size": [None] * 3, "shop": [None] * 3})
    np.testing.assert_array_equal(best.predict_scores(nothing), np.tile(best.node.prior, (3, 1)))


def test_nan_and_infinite_targets_are_left_out_and_counted(tmp_path, rng, quick):
    frame = small_table(rng).assign(y=lambda f: f["size"] * 2 + rng.normal(size=ROWS))
    frame.loc[[0, 5], "y"] = np.nan
    frame.loc[[7, 9, 11], "y"] = [np.inf, -np.inf, np.inf]
    with quick():
        found = compare(
            frame, "y", columns={"note": "text"}, encoders={"note": "text_tfidf"}, strategies=["model:average"],
            cache=tmp_path,
        )  # fmt: skip
    assert sum(found.rows.values()) == ROWS - 5
    assert "5 rows without a target are left out" in found.settings["notes"]
    assert np.isfinite(found.truth).all()
    assert any(p.column == "y" and p.count == 3 and "infinite" in p.message for p in found.problems)


def test_a_column_that_is_all_null_is_ignored_and_named(tmp_path, rng):
    frame = small_table(rng).assign(nothing=pd.Series([None] * ROWS, dtype=object))
    context, views = prepare(frame, "y", {"note": "text"}, None, None, 0, cache=tmp_path)
    assert all("nothing" not in view.columns for view in views)
    (problem,) = [p for p in inspect(frame, "y").problems if p.column == "nothing"]
    assert "every cell is empty" in problem.message
    assert context.source.dataset.columns["nothing"].role == "ignore"
