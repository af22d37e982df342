"""`fusible graph search` in process: a table, a page, JSON alone, one line and exit code 2."""

import json

import pytest
from _cases import call
from _founders import ENTITIES, stored, table


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / "graph.tsv"
    table().to_csv(path, sep="\t", header=False, index=False)
    return path


def test_a_question_is_answered_with_a_page(capsys, graph, tmp_path):
    ENTITIES.to_csv(tmp_path / "entities.csv", index=False)
    page = tmp_path / "p.html"
    code, out, err = call(
        capsys, "graph", "search", graph, "Who founded Acme?", "--entities", tmp_path / "entities.csv", "--html", page
    )
    assert code == 0, err
    assert "First of" in out
    assert "Ada Low, as the graph says" in out
    assert "Who founded Acme?" in page.read_text(encoding="utf-8")


def test_json_stands_alone(capsys, tmp_path):
    place = stored(tmp_path / "g")
    code, out, err = call(capsys, "graph", "search", place, "Who founded Acme?", "--json", "-k", 2)
    assert code == 0, err
    held = json.loads(out)
    assert held["answers"][0]["entity"] == "Ada Low"
    assert held["answers"][0]["paths"][0][0]["sentences"][0]["document"] == "d1"
    assert len(held["answers"]) == 2


def test_weights_come_from_a_file(capsys, graph, tmp_path):
    file = tmp_path / "w.json"
    file.write_text(json.dumps({"rule": "weights", "weights": {"text": 1.0}}))
    code, out, _ = call(capsys, "graph", "search", graph, "Who founded Acme?", "--weights", file, "--json")
    assert code == 0
    held = json.loads(out)["answers"]
    assert held[0]["score"] == pytest.approx(held[0]["members"]["text"])


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("nonsense", "not a JSON file"),
        ("[1]", "expected an object with 'rule' and 'weights'"),
        ('{"rule": "weights", "weights": {"text": "x"}}', "expected an object"),
        ('{"rule": "weights", "weights": {"luck": 1}}', "no member 'luck'"),
    ],
)
def test_bad_weights_are_refused(capsys, graph, tmp_path, written, said):
    file = tmp_path / "w.json"
    file.write_text(written)
    code, out, err = call(capsys, "graph", "search", graph, "Who?", "--weights", file)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question": " "}, "empty question"),
        ({"graph": "nowhere.tsv"}, "no such file"),
        ({"more": ["--model", "nowhere"]}, "nowhere"),
        ({"more": ["--html", "no/folder/p.html"]}, "does not exist"),
    ],
)
def test_wrong_use_is_one_line(capsys, graph, change, said):
    more = change.get("more", [])
    code, out, err = call(capsys, "graph", "search", change.get("graph", graph), change.get("question", "Who?"), *more)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1
