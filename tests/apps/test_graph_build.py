"""`fusible graph build`, `show`, `export` and `sparql` in process: folders, JSON alone, one line and exit code 2."""

import json

import pandas as pd
import pytest
from _cases import call, files
from _told_facts import LineExtractor

from fusible.data.graph import read_graph
from fusible.tasks.knowledge.construct import build as building

pytest.importorskip("pyoxigraph")


@pytest.fixture(autouse=True)
def lines(monkeypatch):
    """Documents say what their lines do: these tests are not of the rules."""
    reader = LineExtractor()
    monkeypatch.setattr(building, "_extractor", lambda given, device: reader)
    return reader


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "texts"
    (folder / "more").mkdir(parents=True)
    (folder / "a.txt").write_text("Ann > lives in > New York\nAnn > knows > Bo", "utf-8")
    (folder / "more" / "b.txt").write_text("The Ann > lives in > New York.", "utf-8")
    return folder


def build(capsys, texts, graph, *options):
    return call(capsys, "graph", "build", texts, "-o", graph, "--no-encodings", *options)


def test_a_folder_of_texts_and_what_changes_in_it(capsys, texts, tmp_path, lines):
    code, out, err = build(capsys, texts, tmp_path / "g")
    assert (code, "warning" in err) == (0, False)
    assert out.splitlines()[:2] == ["documents: 2 (2 added)", "3 entities, 2 relations, 2 triples, 3 mentions"]
    (texts / "a.txt").write_text("Cy > knows > Bo", "utf-8")
    (texts / "bad.txt").write_bytes(b"Ann \xff")
    lines.texts.clear()
    code, out, err = build(capsys, texts, tmp_path / "g")
    assert (code, lines.texts) == (0, ["Cy > knows > Bo"])
    assert out.splitlines()[0] == "documents: 2 (1 changed, 1 same)"
    assert "warning: 1 file(s) could not be read and are left out" in err
    assert "bad.txt: no UTF-8 text: byte 4 is none" in err
    code, out, _ = call(capsys, "graph", "build", "-o", tmp_path / "g", "--remove", "more/b.txt", "--json")
    told = json.loads(out)
    assert (code, told["documents"]) == (0, {"added": 0, "changed": 0, "same": 0, "removed": 1, "all": 1})
    assert told["extractors"] == ["lines 1"]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.jsonl"])
def test_tables_with_and_without_ids(capsys, tmp_path, name):
    told = ["Ann > knows > Bo", "Bo > knows > Cy", "Ann > knows > Bo", None]
    frame = pd.DataFrame({"key": ["x", "y", "z", "w"], "said": told})
    if name.endswith("csv"):
        frame.to_csv(tmp_path / name, index=False)
    elif name.endswith("jsonl"):
        frame.to_json(tmp_path / name, orient="records", lines=True)
    else:
        frame.to_parquet(tmp_path / name)
    code, out, _ = build(capsys, tmp_path / name, tmp_path / "g", "--text", "said", "--id", "key")
    assert (code, out.splitlines()[0]) == (0, "documents: 4 (4 added)")
    code, out, err = build(capsys, tmp_path / name, tmp_path / "h", "--text", "said")
    assert (code, out.splitlines()[0]) == (0, "documents: 2 (2 added)")
    assert "1 text(s) are there more than once" in err


def test_what_is_shown(capsys, texts, tmp_path):
    build(capsys, texts, tmp_path / "g")
    code, out, _ = call(capsys, "graph", "show", tmp_path / "g", "the ann")
    assert code == 0
    assert out.splitlines() == [
        "Ann also: The Ann",
        "Ann | lives in | New York  [0.75, 2 place(s)]",
        "    a.txt: Ann > lives in > New York",
        "Ann | knows | Bo  [0.50, 1 place(s)]",
        "    a.txt: Ann > knows > Bo",
    ]
    code, out, _ = call(capsys, "graph", "show", tmp_path / "g", "Bo", "--json")
    assert json.loads(out)["triples"][0]["said"][0]["document"] == "a.txt"


def test_other_forms_and_questions(capsys, texts, tmp_path):
    build(capsys, texts, tmp_path / "g")
    space = "https://example.org/id/"
    for name in ("g.nt", "g.ttl", "g.tsv", "g.graphml", "g.parquet", "folder"):
        code, out, _ = call(capsys, "graph", "export", tmp_path / "g", "-o", tmp_path / name, "--namespace", space)
        assert (code, out) == (0, f"2 triples: {tmp_path / name}\n")
        assert set(read_graph(tmp_path / name, space).entities) == {"Ann", "Bo", "New York"}
    assert f"<{space}New%20York>" in (tmp_path / "g.nt").read_text()
    query = "SELECT ?who { ?who :lives%20in :New%20York }"
    code, out, _ = call(capsys, "graph", "sparql", tmp_path / "g", query)
    assert (code, out) == (0, "who\nAnn\n")
    code, out, _ = call(capsys, "graph", "sparql", tmp_path / "g.nt", query, "--namespace", space, "--json")
    assert json.loads(out) == {"columns": ["who"], "rows": [{"who": "Ann"}], "more": False}
    _, out, err = call(capsys, "graph", "sparql", tmp_path / "g", "SELECT * { ?a ?b ?c }", "--limit", "1")
    assert (len(out.splitlines()), err) == (2, "warning: only the first 1 rows are shown; --limit gives more\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["build", "-o", "{}/g"], "no texts; give a text file"),
        (["build", "{}/none", "-o", "{}/g"], "no such file or folder"),
        (["build", "{}/bad.txt", "-o", "{}/g"], "no UTF-8 text: byte 4 is none"),
        (["build", "{}/nul.txt", "-o", "{}/g"], "it holds the byte 0 at 1"),
        (["build", "{}/t.csv", "-o", "{}/g"], "no column of text"),
        (["build", "{}/t.csv", "-o", "{}/g", "--text", "keys"], "no column 'keys'"),
        (["build", "{}/t.csv", "-o", "{}/g", "--text", "key", "--id", "key"], "two documents are called 'x'"),
        (["build", "{}/texts", "-o", "{}/g", "--id", "key"], "--id names a column of a table"),
        (["build", "{}/texts", "-o", "{}/t.csv"], "got a file; choose another path"),
        (["build", "{}/texts", "-o", "{}/texts"], "got other files"),
        (["show", "{}/texts", "x"], "found no graph.json"),
        (["export", "{}/t.nt", "-o", "{}/x.tsv"], "t.nt, line 1: malformed"),
        (["export", "{}/one.tsv", "-o", "{}/x.doc"], "expected a path ending in .tsv"),
        (["sparql", "{}/one.tsv", "LOAD <http://a/b>"], "LOAD is refused"),
        (["sparql", "{}/one.tsv", "ASK {}", "--namespace", "x"], "expected the beginning of an IRI"),
    ],
)
def test_what_is_wrong_is_one_line_and_writes_nothing(capsys, texts, tmp_path, arguments, said):
    (tmp_path / "bad.txt").write_bytes(b"Ann \xff")
    (tmp_path / "nul.txt").write_bytes(b"A\0")
    (tmp_path / "t.csv").write_text("key,number\nx,1\nx,2\n")
    (tmp_path / "t.nt").write_text("<a> b\n")
    (tmp_path / "one.tsv").write_text("a\tr\tb\n")
    before = files(tmp_path)
    code, out, err = call(capsys, "graph", *(str(argument).format(tmp_path) for argument in arguments))
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert files(tmp_path) == before
