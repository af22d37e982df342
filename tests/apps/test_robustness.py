"""`fusible.robustness` and `fusible evaluate --missing --corrupt`."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import fusible
from fusible.errors import ConfigError

SPEC = importlib.util.spec_from_file_location("_cases", Path(__file__).parents[1] / "_cases.py")
CASES = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CASES)


@pytest.fixture(scope="module")
def place(quick, tmp_path_factory):
    folder = tmp_path_factory.mktemp("robust")
    CASES.small_table(np.random.default_rng(0), 80).to_csv(folder / "table.csv", index=False)
    with quick():
        fusible.fit(
            folder / "table.csv",
            "y",
            strategy="feature:concat",
            columns={"note": "text"},
            encoders={"note": "text_tfidf", "table": "table_standard"},
            output=folder / "model",
            cache=folder / "cache",
        )
    return folder


def test_python_and_command_line_agree(place, capsys):
    found = fusible.robustness(place / "model", place / "table.csv", corrupt=False)
    code, out, err = CASES.call(capsys, "evaluate", place / "model", place / "table.csv", "--missing", "--json")
    assert code == 0, err
    given = json.loads(out)
    one, other = found.to_json(), given.pop("robustness")
    one.pop("seconds"), other.pop("seconds")
    assert one == other
    assert {curve["kind"] for curve in other["curves"]} == {"missing at random", "missing by target"}
    assert [tuple(s["views"]) for s in other["subsets"]] == [("note",), ("table",), ("note", "table")]
    plain = json.loads(CASES.call(capsys, "evaluate", place / "model", place / "table.csv", "--json")[1])
    assert plain == given
    assert other["subsets"][-1]["score"]["score"] == pytest.approx(given["score"]["score"])


def test_corruption_in_the_terminal(place, capsys):
    code, out, err = CASES.call(capsys, "evaluate", place / "model", place / "table.csv", "--corrupt")
    assert code == 0, err
    assert "note typos" in out
    assert "table cells" in out
    assert "missing at random" not in out


def test_unknown_settings_are_refused(place):
    with pytest.raises(ConfigError, match="at least 1"):
        fusible.robustness(place / "model", place / "table.csv", draws=0)
    with pytest.raises(TypeError):
        fusible.robustness(place / "model", place / "table.csv", draw=3)
