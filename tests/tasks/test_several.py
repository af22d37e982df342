"""Several tables: names, targets and options for each, before any study begins."""

import numpy as np
import pandas as pd
import pytest

from fusible.errors import ConfigError, DataError, SchemaError, TargetError
from fusible.evaluation.several import BEST_SINGLE, TableStudy
from fusible.tasks import several


def frame(seed, rows=60, **more):
    random = np.random.default_rng(seed)
    label = random.integers(0, 2, rows)
    notes = [f"{'sun' if y else 'moon'} over the {random.choice(['hill', 'lake', 'town'])}" for y in label]
    return pd.DataFrame({"note": notes, "size": label + random.normal(size=rows), "y": label, **more})


@pytest.fixture
def files(tmp_path):
    """Paths of two tables; the second has a column of its own."""
    frame(0).to_csv(tmp_path / "first.csv", index=False)
    frame(1, shade=np.tile(["red", "blue"], 30)).to_csv(tmp_path / "second.v2.csv", index=False)
    return [tmp_path / "first.csv", tmp_path / "second.v2.csv"]


def test_files_name_tables_and_equal_names_are_numbered(files):
    other = files[0].parent / "other"
    other.mkdir()
    (other / "FIRST.csv").write_bytes(files[0].read_bytes())
    plans = several.plan([*files, other / "FIRST.csv", frame(2)], "y", {})
    assert [p.name for p in plans] == ["first", "second", "FIRST-2", "table4"]
    assert plans[0].where == str(files[0])
    assert plans[3].where == "a DataFrame"
    assert [p.name for p in several.plan({"a": files[0], "b": files[1]}, "y", {})] == ["a", "b"]


@pytest.mark.parametrize("name", ["../out", "a/b", "..", "", ".hidden", "report.html", "studies.json", 3])
def test_a_name_that_can_be_no_folder_beside_the_report_is_refused(files, name):
    with pytest.raises(ConfigError, match=r"table name .*: expected a word"):
        several.plan({name: files[0], "b": files[1]}, "y", {})


def test_names_that_differ_in_case_only_are_refused(files):
    with pytest.raises(ConfigError, match="table names 'A' and 'a': expected names that differ"):
        several.plan({"A": files[0], "a": files[1]}, "y", {})


def test_one_target_for_all_or_one_for_each(files):
    assert [p.target for p in several.plan(files, "y", {})] == ["y", "y"]
    assert [p.target for p in several.plan(files, ["y"], {})] == ["y", "y"]
    assert [p.target for p in several.plan(files, ["y", "shade"], {})] == ["y", "shade"]
    with pytest.raises(ConfigError, match="one for all tables or one for each of 2, got 3"):
        several.plan(files, ["y", "y", "y"], {})


def test_options_go_to_the_tables_that_they_fit(files):
    options = {
        "columns": {"shade": "text", "note": "text"},
        "views": {"words": ["note", "shade"]},
        "encoders": {"note": "text_tfidf", "words": "text_tfidf", "table": "table_mlp"},
        "strategies": ["single:words", "feature:concat"],
        "metric": "accuracy",
    }
    first, second = several.plan(files, "y", options)
    assert first.options["columns"] == {"note": "text"}
    assert first.options["views"] is None
    assert first.options["encoders"] == {"note": "text_tfidf", "table": "table_mlp"}
    assert first.options["strategies"] == ["feature:concat"]
    assert second.options["columns"] == options["columns"]
    assert second.options["views"] == options["views"]
    assert second.options["encoders"] == {"words": "text_tfidf", "table": "table_mlp"}
    assert second.options["strategies"] == options["strategies"]
    assert first.options["metric"] == second.options["metric"] == "accuracy"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("columns", {"sha": "text"}),
        ("views", {"words": ["note", "sha"]}),
        ("encoders", {"photo": "image_cnn"}),
        ("strategies", ["single:photo"]),
    ],
)
def test_an_option_that_fits_no_table_is_an_error(files, option, value):
    with pytest.raises(SchemaError, match=f"{option} .*no table has what it names; tables are first, second"):
        several.plan(files, "y", {option: value})


def test_keys_change_with_what_changes_a_study_and_with_nothing_else(files):
    def keys(**options):
        return [p.key for p in several.plan(files, options.pop("target", "y"), options)]

    same = keys()
    assert keys(workers=3, cache="elsewhere", progress=object(), command="x", metric=None) == same
    for changed in ({"seed": 1}, {"metric": "f1"}, {"strategies": ["feature:concat"]}, {"target": "size"}):
        assert not set(keys(**changed)) & set(same)
    assert keys(columns={"shade": ":ignore"})[0] == same[0]
    assert keys(columns={"shade": ":ignore"})[1] != same[1]
    table = pd.read_csv(files[0])
    table.loc[3, "size"] += 1
    table.to_csv(files[0], index=False)
    assert keys()[0] != same[0]
    assert keys()[1] == same[1]


@pytest.mark.parametrize("tables", ["one.csv", [], ["one.csv"], {"a": frame(0)}])
def test_one_table_is_for_compare(tables):
    with pytest.raises(ConfigError, match="use compare"):
        several.plan(tables, "y", {})


def test_every_table_is_looked_at_before_the_first_study(files, monkeypatch):
    monkeypatch.setattr(several, "compare", lambda *_, **__: pytest.fail("a study began"))
    with pytest.raises(DataError, match="no such file"):
        several.compare_all([*files, files[0].parent / "absent.csv"], "y")
    with pytest.raises(TargetError):
        several.compare_all(files, ["y", "z"])


def test_studies_are_those_of_compare(quick, tmp_path):
    options = {
        "columns": {"note": "text"},
        "encoders": {"note": "text_tfidf", "table": "table_mlp"},
        "strategies": ["feature:concat"],
        "cache": tmp_path / "cache",
    }
    with quick():
        result = several.compare_all({"a": frame(0), "b": frame(1)}, "y", command="again", **options)
        alone = several.compare(frame(1), "y", **options)
    assert [s.name for s in result.studies] == ["a", "b"]
    assert result.studies[1].scores["feature:concat"] == alone.strategy("feature:concat").test.score
    assert result.studies[1].scores[BEST_SINGLE] == alone.strategy(alone.best_single).test.score
    assert {"auto", "feature:concat", BEST_SINGLE, "single:note", "single:table"} == set(result.ranking.strategies)
    assert result.command == result.studies[0].study["command"] == "again"


def test_what_the_store_finds_is_not_studied(files, monkeypatch):
    given = {
        "strategies": [{"name": "single:a", "test": {"score": 0.5}}, {"name": "auto", "test": {"score": 0.6}}],
        "best_single": "single:a",
        "metric": "accuracy",
        "verdict": "helps",
    }

    class Full:
        def find(self, table):
            return TableStudy(table.name, table.where, given, table.name)

    monkeypatch.setattr(several, "compare", lambda *_, **__: pytest.fail("a study began"))
    result = several.compare_all(files, "y", store=Full())
    assert result.ranking.strategies[0] == "auto"
