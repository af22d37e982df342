"""`fusible graph fit-extractor` in process: a model folder, JSON alone on standard output, one line and exit code 2."""

import gzip
import json

import pytest
from _cases import call
from _triples import rows

import fusible


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    path = tmp_path_factory.mktemp("pairs") / "towns.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"texts": [row["text"]], "triples": row["triples"]}) + "\n" for row in rows())
    return path


def test_fit_writes_a_model_and_says_json_alone(capsys, pairs, tmp_path):
    given = ("graph", "fit-extractor", pairs, "-o", tmp_path / "m", "--frozen", "--epochs", "1")
    code, out, err = call(capsys, *given, "--cache", tmp_path / "cache", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["settings"]["epochs"] == 1
    assert found["settings"]["tune"] is False
    assert set(found["test"]["tolerant"]["f1"]) == {"score", "low", "high"}
    assert fusible.load_extractor(tmp_path / "m").relations == ("country", "mayor")


def test_fit_prints_what_it_found(capsys, tmp_path):
    path = tmp_path / "towns.json"
    path.write_text(json.dumps(rows()))
    code, out, err = call(
        capsys, "graph", "fit-extractor", path, "-o", tmp_path / "m", "--frozen", "--epochs", "1", "--cache", tmp_path
    )
    assert code == 0, err
    assert "2 relations" in out
    assert "tolerant" in out
    assert f"model: {tmp_path / 'm'}" in out.replace("\n", "")


def test_what_cannot_be_used_is_one_line_and_exit_code_two(capsys, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text('text,triples\nUlm lies,"[[""Ulm"", ""lies""]]"\n')
    code, _, err = call(capsys, "graph", "fit-extractor", bad, "-o", tmp_path / "m")
    assert code == 2
    assert "row 1: expected a list of triples" in err
    assert not (tmp_path / "m").exists()
    (tmp_path / "bad.json").write_text("{}x")
    code, _, err = call(capsys, "graph", "fit-extractor", tmp_path / "bad.json", "-o", tmp_path / "m")
    assert code == 2
    assert "expected a JSON list of objects" in err
