"""Views that fusion cannot use as they are, through whole studies: too many, alone, without width, absent, uneven."""

import numpy as np
import pandas as pd
import pytest

from fusible import registry
from fusible.errors import ConfigError, DataError, TooLargeError
from fusible.tasks.compare import compare
from fusible.tasks.folder import load

ROWS = 90
ENCODERS = {"note": "text_tfidf"}


def frame(rows=ROWS, seed=0):
    """Three classes, which the text tells and the numbers hint at."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, rows)
    return pd.DataFrame(
        {
            "note": [f"{('red', 'blue', 'green')[k]} {rng.choice(['old', 'new', 'odd'])} thing" for k in kind],
            "size": kind + rng.normal(size=rows),
            "shop": rng.choice(["a", "b", "c"], rows),
            "y": np.array(["x", "y", "z"])[kind],
        }
    )


@pytest.fixture
def study(quick, tmp_path):
    """Compare a table, with short trainings."""

    def run(table, **options):
        given = {"columns": {"note": "text"}, "encoders": ENCODERS, "cache": tmp_path / "cache", **options}
        with quick(3):
            return compare(table, "y", **given)

    return run


@pytest.fixture
def few(monkeypatch):
    """Let a family hold few parts, for a study of all strategies that is short."""

    def hold(**kept):
        listed = registry.names
        monkeypatch.setattr(registry, "names", lambda family: kept.get(family, listed(family)))

    return hold


def names(found):
    return [row.name for row in found.strategies]


def check_predictions(found, table, tmp_path):
    """Every strategy's test scores are probabilities; the model of `auto` answers any row, saved and loaded too."""
    for scores in found.predictions.values():
        np.testing.assert_allclose(scores.sum(axis=1), 1)
    answers = found.best.predict_scores(table)
    assert answers.shape == (len(table), 3)
    np.testing.assert_allclose(answers.sum(axis=1), 1)
    np.testing.assert_array_equal(load(found.best.save(tmp_path / "model")).predict_scores(table), answers)


# -- an operator that is too large ------------------------------------------------------------------------------------


@pytest.fixture
def five():
    """Five texts, each seen as a vector of 256 columns."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 60)
    words = np.array([["red", "warm"], ["blue", "cold"], ["green", "calm"]])
    texts = {f"note{i}": [f"{rng.choice(words[k])} and {rng.choice(words[k])} again" for k in kind] for i in range(5)}
    table = pd.DataFrame({**texts, "y": np.array(["x", "y", "z"])[kind]})
    return table, {"columns": dict.fromkeys(texts, "text"), "encoders": dict.fromkeys(texts, "text_tfidf")}


def test_an_operator_too_large_is_refused_with_its_size_and_another_to_take(study, five):
    table, options = five
    with pytest.raises(TooLargeError, match=r"5 views make .* about \d+ MiB to train, .*; take low_rank") as raised:
        study(table, strategies=["feature:tensor"], **options)
    assert "\n" not in str(raised.value)


def test_an_operator_too_large_is_left_out_of_all_with_a_word(study, five, few):
    table, options = five
    few(fusion=["concat", "low_rank", "tensor"], ensembles=["average"])
    found = study(table, **options)
    assert {"feature:concat", "feature:low_rank", "model:average"} <= set(names(found))
    assert "feature:tensor" not in names(found)
    assert any(n.startswith("feature:tensor was skipped: fusion operator tensor: 5") for n in found.settings["notes"])
    assert len(found.best.predict(table)) == len(table)


# -- one view ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [None, ["feature:cca+concat", "feature:impute+sum", "model:greedy", "single:note"]])
def test_of_one_view_fusion_is_skipped_with_a_word(study, tmp_path, wanted):
    table = frame()[["note", "y"]]
    found = study(table, strategies=wanted, robust=True)
    assert names(found) == ["single:note", "auto"]
    assert found.settings["notes"] == ["one view only (note): there is nothing to fuse, fusion strategies were skipped"]
    check_predictions(found, table, tmp_path)


# -- a view without width ---------------------------------------------------------------------------------------------


def test_a_view_that_is_only_predicted_from_has_no_width_and_is_left_out_of_operators(study, tmp_path, few):
    few(fusion=["concat", "tensor"])
    found = study(frame(), encoders={**ENCODERS, "table": "table_trees"})
    assert [name for name in names(found) if name.startswith(("feature", "end_to_end"))] == []
    assert {"single:table", "model:stacking", "model:gate", "model:greedy"} <= set(names(found))
    assert (
        "view 'table' is left out of feature-level and end-to-end fusion: table_trees gives predictions, no encoding"
        in found.settings["notes"]
    )
    check_predictions(found, frame(seed=1), tmp_path)


def test_the_other_views_are_fused_without_it(study):
    table = frame().assign(word=np.random.default_rng(3).choice(["near here", "far away"], ROWS))
    options = {
        "columns": {"note": "text", "word": "text"},
        "encoders": {**ENCODERS, "word": "text_tfidf", "table": "table_trees"},
    }
    found = study(table, strategies=["feature:concat", "model:average"], keep="feature:concat", **options)
    assert [view.name for view in found.best.views] == ["note", "word"]


def test_it_is_refused_before_training_where_the_strategy_was_named(study, monkeypatch):
    monkeypatch.setattr("fusible.tasks.compare.fit_single", lambda *_: pytest.fail("something was fitted"))
    with pytest.raises(ConfigError, match="two views with encodings, got 'note' only; view 'table'") as raised:
        study(frame(), encoders={**ENCODERS, "table": "table_trees"}, strategies=["feature:concat"])
    assert "\n" not in str(raised.value)


def test_texts_without_any_word_that_comes_back_are_constant_and_fused(study, tmp_path):
    table = frame().assign(note=[f"w{i}" for i in range(ROWS)])
    found = study(table, strategies=["feature:concat", "feature:gated", "model:gate", "model:product"])
    assert len(found.strategies) == 7
    check_predictions(found, frame(), tmp_path)


# -- a view that no training row has ----------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [["train"], ["train", "valid"]])
def test_a_view_that_no_training_row_has_is_refused_and_what_the_message_says_works(study, tmp_path, parts):
    table = frame().assign(split=["train"] * 60 + ["valid"] * 15 + ["test"] * 15)
    table.loc[table["split"].isin(parts), "note"] = None
    with pytest.raises(DataError, match=r"view .note.: no training row has a readable cell; .*--column note=:ignore"):
        study(table)
    found = study(table, columns={"note": ":ignore"}, encoders={}, strategies=["model:average"])
    assert names(found) == ["single:table", "auto"]
    check_predictions(found, frame(seed=1), tmp_path)  # its cells are there now, and change nothing
    without = frame(seed=1).drop(columns="note")
    np.testing.assert_array_equal(found.best.predict_scores(without), found.best.predict_scores(frame(seed=1)))


@pytest.mark.parametrize("columns", [["note"], ["size", "shop"]])
def test_a_view_that_one_training_row_has_serves_later(study, tmp_path, columns):
    table = frame().assign(split=["train"] * 60 + ["valid"] * 15 + ["test"] * 15)
    table.loc[1:74, columns] = None
    found = study(table, strategies=["feature:concat", "model:stacking", "model:evidential", "model:greedy"])
    check_predictions(found, frame(seed=1), tmp_path)


def test_an_aligner_with_one_row_to_learn_from_says_so(study):
    table = frame().assign(split=["train"] * 60 + ["valid"] * 15 + ["test"] * 15)
    table.loc[1:74, "note"] = None
    with pytest.raises(DataError, match=r"feature:impute\+concat: expected two training rows or more of each view"):
        study(table, strategies=["feature:impute+concat"])


# -- a class that occurs only where a view is absent ------------------------------------------------------------------


@pytest.mark.parametrize("gone", [["note"], ["size", "shop"]])
def test_a_class_that_occurs_only_where_a_view_is_absent(study, tmp_path, few, gone):
    few(fusion=["concat", "gated", "product_of_experts"])
    table = frame()
    table.loc[table["y"] == "z", gone] = None
    found = study(table, strategies=["default", "feature:impute+concat", "end_to_end:multimodal_graph"])
    assert len(found.strategies) == 17
    check_predictions(found, frame(seed=1), tmp_path)
    assert set(found.best.predict(table)["prediction"]) <= {"x", "y", "z"}
