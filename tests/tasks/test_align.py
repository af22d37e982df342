"""Aligning views of a table: planted directions are found, chance is not, and new rows are embedded."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

import fusible
from fusible.alignment import Cca
from fusible.errors import ConfigError, DataError, FusibleError, ModelFormatError, RegistryError, SchemaError
from fusible.tasks import aligned
from fusible.tasks.align import align
from fusible.tasks.aligner import load_aligner

JOIN = {"left": ["a0", "a1", "a2", "a3"], "right": ["b0", "b1", "b2"]}


def table(seed=0, rows=400):
    """Two groups of numbers that share two directions; a text and a category that share nothing."""
    rng = np.random.default_rng(seed)
    shared = np.linalg.qr(rng.normal(size=(rows, 2)))[0] * np.sqrt(rows)
    mixing = np.random.default_rng(99)
    frame = {f"a{i}": shared @ mixing.normal(size=2) + 0.3 * rng.normal(size=rows) for i in range(4)}
    frame |= {f"b{i}": shared @ mixing.normal(size=2) + 0.3 * rng.normal(size=rows) for i in range(3)}
    frame["note"] = [" ".join(rng.choice(["sun", "moon", "star", "sea", "hill"], 4)) for _ in range(rows)]
    return pd.DataFrame(frame)


@pytest.fixture(scope="module")
def found():
    return align(table(), ["left", "right"], join=JOIN)


def test_planted_directions_are_found_and_no_more(found):
    assert found.significant == 2
    assert found.components[0].test.score > 0.9
    assert all(c.test.low <= c.test.score <= c.test.high for c in found.components)
    assert found.rows == {"train": 340, "test": 60, "test_items": 60}
    assert found.statement.startswith("left and right share 2 dimensions: the first correlates at 0.9")
    assert found.frame.loc[1, "test"] == found.components[0].test.score


def test_held_out_correlations_are_those_of_the_aligner_on_test_rows(found):
    from fusible.data.read import read
    from fusible.data.split import make_split

    frame = table()
    test = make_split(read(frame, views=JOIN), seed=0).test
    scores = found.aligner.transform(frame.iloc[test].reset_index(drop=True))
    expected = [np.corrcoef(scores["left"][:, k], scores["right"][:, k])[0, 1] for k in range(len(found.components))]
    np.testing.assert_allclose([c.test.score for c in found.components], expected, atol=1e-5)


def test_it_is_the_plain_method_on_standardised_training_rows(found):
    from fusible.data.read import read
    from fusible.data.split import make_split

    frame = table()
    split = make_split(read(frame, views=JOIN), seed=0)
    learn = np.sort(np.concatenate([split.train, split.valid]))
    views = {name: frame.loc[learn, columns].to_numpy() for name, columns in JOIN.items()}
    views = {name: (rows - rows.mean(axis=0)) / rows.std(axis=0) for name, rows in views.items()}
    plain = Cca(found.settings["components"], ridge=found.settings["ridge"]).fit(views)
    np.testing.assert_allclose([c.train for c in found.components], plain.correlations_, atol=1e-5)


def test_what_test_rows_hold_changes_nothing_that_is_learned(found):
    from fusible.data.read import read
    from fusible.data.split import make_split

    changed = table()
    test = make_split(read(changed, views=JOIN), seed=0).test
    changed.loc[test, "a0"] = 1e3
    again = align(changed, ["left", "right"], join=JOIN)
    assert again.settings == found.settings
    assert [c.train for c in again.components] == [c.train for c in found.components]


def test_views_that_share_nothing_are_told_so():
    result = align(table(rows=300), ["left", "note"], join={"left": JOIN["left"]}, components=2)
    assert result.significant == 0
    assert "share nothing that cca finds and test rows confirm" in result.statement
    assert result.views[1]["encoder"] == "text_tfidf"
    assert "text_gru would need a target" in result.views[1]["why"]
    assert result.gap["before"] is None
    assert len(result.components) == 2


def test_same_seed_same_result(found):
    again = align(table(), ["left", "right"], join=JOIN)
    first, second = found.to_json(), again.to_json()
    for part in (first, second):
        part.pop("seconds")
    assert first == second
    assert json.loads(json.dumps(first)) == first


def test_everything_is_in_the_json(found):
    told = found.to_json()
    assert set(told) == {
        "method", "views", "rows", "components", "total", "significant", "alpha", "gap", "cka", "retrieval",
        "statement", "settings", "notes", "problems", "seed", "command", "seconds", "versions",
    }  # fmt: skip
    assert set(told["components"][0]) == {"train", "test", "p_value"}
    assert told["total"] == pytest.approx(sum(c["test"]["score"] for c in told["components"]))
    assert set(told["retrieval"]) == {"left -> right", "right -> left"}
    assert told["retrieval"]["left -> right"]["recall@10"] > 3 * told["retrieval"]["left -> right"]["chance@10"]


@pytest.mark.parametrize("method", ["mcca", "gcca", "pls", "kernel_cca", "contrastive", "deep_gcca"])
def test_other_methods(method, monkeypatch):
    monkeypatch.setattr("fusible.alignment._deep.EPOCHS", 8)
    monkeypatch.setattr("fusible.alignment._deep.STEPS", 8)
    result = align(table(rows=200), ["left", "right"], method, join=JOIN, components=2)
    assert result.components[0].test.score > 0.8
    assert result.significant >= 1


def test_three_views_with_gaps():
    frame = table(rows=240)
    frame.loc[:30, JOIN["left"]] = None
    frame.loc[20:60, "note"] = None
    result = align(frame, join=JOIN)
    assert (result.method, len(result.views)) == ("mcca", 3)
    assert len(result.retrieval) == 6
    vectors = result.aligner.transform(frame)
    np.testing.assert_array_equal(np.isnan(vectors["left"]).all(axis=1), np.arange(240) <= 30)
    assert np.isfinite(vectors["right"]).all()


def test_views_wider_than_a_search_can_bear_follow_the_rule(monkeypatch):
    monkeypatch.setattr(aligned, "MOST_SEARCHED", 3)
    result = align(table(rows=200), ["left", "right"], join=JOIN)
    assert result.settings["ridge"] == aligned.RIDGE
    assert result.settings["components"] == 3


def test_rows_of_one_picture_stay_together(png, tmp_path):
    rng = np.random.default_rng(0)
    shade = rng.integers(0, 200, 40)
    pictures = [png(np.full((20, 20, 3), value) + rng.integers(0, 20, (20, 20, 3))) for value in shade]
    rows = np.repeat(np.arange(40), 3)
    frame = pd.DataFrame({"photo": [pictures[i] for i in rows], "light": shade[rows] + rng.normal(size=120)})
    result = align(frame, encoders={"photo": "image_efficientnet"}, cache=tmp_path, components=1)
    assert result.rows["test"] == 3 * result.rows["test_items"]
    assert result.notes[-1].startswith("rows of one photo stay together")
    assert "28 training rows" in result.settings["chosen_on"] or "34 training rows" in result.settings["chosen_on"]
    assert result.retrieval["table -> photo"]["items"] == result.rows["test_items"]


def test_rows_of_one_group_stay_together():
    frame = table(rows=200).assign(who=np.arange(200) // 4)
    result = align(frame, ["left", "right"], join=JOIN, columns={"who": ":group"})
    assert result.rows["test_items"] * 4 == result.rows["test"]


@pytest.fixture
def folder(found, tmp_path):
    return found.aligner.save(tmp_path / "aligner")


def test_a_loaded_aligner_embeds_bit_for_bit_the_same(found, folder, tmp_path):
    loaded, new = load_aligner(folder), table(seed=4, rows=30)
    new.loc[3, JOIN["left"]] = None
    first, second = found.aligner.transform(new), loaded.transform(new)
    for view in JOIN:
        np.testing.assert_array_equal(first[view], second[view])
        assert second[view].shape == (30, loaded.width)
    assert np.isnan(second["left"][3]).all()
    loaded.save(tmp_path / "again")
    assert (folder / "config.yaml").read_text() == (tmp_path / "again" / "config.yaml").read_text()


def test_one_view_needs_its_own_columns_only(folder):
    loaded, new = load_aligner(folder), table(seed=4, rows=30)
    alone = loaded.transform(new[JOIN["right"]], ["right"])
    np.testing.assert_array_equal(alone["right"], loaded.transform(new)["right"])
    with pytest.raises(SchemaError, match="'a0', an input of the model, is missing"):
        loaded.transform(new[JOIN["right"]])
    with pytest.raises(SchemaError, match="view 'middle': the aligner knows 'left', 'right'"):
        loaded.transform(new, ["middle"])


def test_chunks_change_nothing(found, monkeypatch):
    new = table(seed=4, rows=30)
    whole = found.aligner.transform(new)
    monkeypatch.setattr("fusible.tasks.aligner.CHUNK", 7)
    for view, rows in found.aligner.transform(new).items():
        np.testing.assert_allclose(rows, whole[view], atol=1e-5)


def views_of(config):
    return config["aligner"]["views"]["left"]


EDITS = {
    "an unknown method": (lambda c: c["aligner"].update(method="caa"), "no part of alignment is called 'caa'"),
    "a module": (lambda c: c["aligner"].update(method="os.system"), "is no name"),
    "a kind of projection": (lambda c: views_of(c)["spec"].update(kind="code"), "kind 'code' is unknown"),
    "other inputs": (lambda c: views_of(c)["spec"].update(inputs=3), "expected 4 inputs"),
    "huge outputs": (lambda c: views_of(c)["spec"].update(outputs=10**6), "expected shape"),
    "no encoder": (lambda c: views_of(c).pop("encoder"), "damaged"),
    "another width": (lambda c: c["info"].update(components=9), "expected 9 outputs"),
    "newer": (lambda c: c.update(format=99), "newer"),
    "no views": (lambda c: c["aligner"].update(views={}), "damaged"),
}


@pytest.mark.parametrize("what", EDITS)
def test_a_tampered_folder_is_refused(folder, what):
    edit, words = EDITS[what]
    config = yaml.safe_load((folder / "config.yaml").read_text())
    edit(config)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ModelFormatError, match=words) as error:
        load_aligner(folder)
    assert "\n" not in str(error.value)


def test_models_and_aligners_are_told_apart(folder, saved, tmp_path):
    with pytest.raises(ModelFormatError, match=r"use fusible\.load_aligner"):
        fusible.load(folder)
    with pytest.raises(ModelFormatError, match=r"holds no aligner; a model folder is read by fusible\.load"):
        load_aligner(saved / "single:table")
    with pytest.raises(ModelFormatError, match=r"config\.yaml"):
        load_aligner(tmp_path / "nothing")


def test_an_aligner_is_written_over_nothing_else(found, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="got other files"):
        found.aligner.save(tmp_path)
    with pytest.raises(DataError, match="got a file"):
        found.aligner.save(tmp_path / "mine.txt")
    shutil.copytree(found.aligner.save(tmp_path / "a"), tmp_path / "b")
    found.aligner.save(tmp_path / "b")
    assert {path.name for path in tmp_path.iterdir()} == {"mine.txt", "a", "b"}


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"views": ["left", "rigth"]}, SchemaError, "view 'rigth': no such view; views are"),
        ({"views": ["left"]}, ConfigError, "expected two or more different ones, got 'left'"),
        ({"views": ["left", "left"]}, ConfigError, "expected two or more different ones"),
        ({"method": "caa"}, RegistryError, "no part of alignment is called 'caa': did you mean"),
        ({"views": ["left", "right", "note"], "method": "cca"}, ConfigError, "aligner 'cca': expected 2 views, got 3"),
        ({"encoders": {"note": "text_tfidf"}}, SchemaError, "view 'note' is not aligned"),
        ({"encoders": {"left": "table_mlp"}}, ConfigError, "expected an encoder of table that needs no target"),
        ({"encoders": {"left": "table_trees"}}, ConfigError, "one of table_standard, hf:FOLDER"),
        ({"encoders": {"left": "text_tfidf"}}, ConfigError, "expected an encoder of table"),
        ({"components": 50}, FusibleError, "components"),
        ({"components": 0}, ConfigError, "components must be at least 1"),
    ],
)
def test_wrong_settings_are_named(arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        align(table(rows=100), **{"views": ["left", "right"], "join": JOIN, **arguments})
    assert "\n" not in str(caught.value)


def test_tables_with_too_few_rows_are_refused():
    with pytest.raises(DataError, match="the table has 12 rows; expected 20 at least"):
        align(table(rows=12), ["left", "right"], join=JOIN)
    with pytest.raises(DataError, match="test rows with two of the views 'left', 'right': expected 10 at least, got"):
        align(table(rows=40), ["left", "right"], join=JOIN)
    frame = table(rows=200)
    frame.loc[:190, JOIN["left"]] = None
    with pytest.raises(DataError, match="training rows with two of the views"):
        align(frame, ["left", "right"], join=JOIN)
    frame[JOIN["left"]] = np.nan
    with pytest.raises(FusibleError, match=r"left|a0"):
        align(frame, ["left", "right"], join=JOIN)
