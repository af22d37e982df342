"""Graphs out of documents: every triple once with its places, the same however documents came, whole or not at all."""

import json
from dataclasses import replace

import pytest
from _cases import files
from _told_facts import LineExtractor
from hypothesis import given
from hypothesis import strategies as st

from fusible.data.graph import read_graph
from fusible.errors import ConfigError, DataError, FusibleError, ModelFormatError
from fusible.tasks.knowledge.construct.build import build_graph
from fusible.tasks.knowledge.graph_store import TABLES, read_store
from fusible.tasks.knowledge.shown import show_entity


def build(texts=None, output=None, **given):
    given = {"extractor": LineExtractor(), "encodings": False, **given}
    return build_graph(texts, output, **given)


def triples(built):
    return [tuple(row.values()) for row in built.store.triples.to_pylist()]


def same(one, other):
    assert one.info == other.info
    for name in TABLES:
        assert getattr(one, name).equals(getattr(other, name)), name


def test_each_triple_once_with_all_its_places():
    built = build(
        {"a": "Ann > likes > Bo\nAnn > likes > Cy", "b": "Well. \nAnn > likes > Bo", "c": "Ann > likes > Bo!"}
    )
    assert triples(built) == [("Ann", "likes", "Bo", 0.75, 3), ("Ann", "likes", "Cy", 0.5, 1)]
    mention = built.store.mentions.to_pylist()[0]
    assert (mention["document"], mention["sentence"], mention["start"]) == ("a", "Ann > likes > Bo", 0)
    assert built.documents == {"added": 3, "changed": 0, "same": 0, "removed": 0, "all": 3}


def test_entities_are_called_as_the_extractor_calls_them():
    class Naming(LineExtractor):
        def extract(self, texts):
            return [[replace(one, tail="English\n language") for one in said] for said in super().extract(texts)]

    built = build({"a": "Aida > language > English"}, extractor=Naming())
    assert triples(built)[0][:3] == ("Aida", "language", "English language")
    (mention,) = built.store.mentions.to_pylist()
    assert (mention["tail"], mention["tail_name"], mention["tail_text"]) == (*["English language"] * 2, "English")


def test_confidence_counts_sentences_not_copies():
    copies = build({str(n): "A > r > B" for n in range(3)})
    assert triples(copies) == [("A", "r", "B", 0.5, 3)]
    others = build({"1": "A > r > B", "2": "x\nA > r > B", "3": "The A > r > B"}, merge=True)
    assert triples(others) == [("A", "r", "B", 0.75, 3)]


def test_loops_are_kept_as_mentions_only():
    built = build({"a": "A > is > A\nA > r > B"})
    assert triples(built) == [("A", "r", "B", 0.5, 1)]
    assert built.store.mentions.num_rows == 2
    assert [problem.kind for problem in built.problems] == ["loop"]
    alone = build({"a": "A > is > a"})
    assert triples(alone) == []
    assert show_entity(alone.store, "A").triples == []


WORDS = st.sampled_from(["Ann", "ann", "The Ann", "Bo", "Bo_", "B.O.", "Cy 1", "Cy 2", "Michelangelo", "Michaelangelo"])
LINES = st.lists(st.builds(" > ".join, st.tuples(WORDS, st.sampled_from(["r", "s"]), WORDS)), max_size=4)
TEXTS = LINES.map("\n".join)
NAMES = st.sampled_from("abcde")


@given(st.lists(st.dictionaries(NAMES, TEXTS, min_size=1, max_size=3), min_size=1, max_size=4), st.data())
def test_adding_step_by_step_is_building_at_once(tmp_path_factory, steps, data):
    folder = tmp_path_factory.mktemp("g") / "graph"
    held = {}
    for step in steps:
        gone = data.draw(st.sets(st.sampled_from(sorted(held)), max_size=1)) - set(step) if held else set()
        reader = LineExtractor()
        build(step, folder, extractor=reader, remove=gone)
        fresh = {text for name, text in step.items() if held.get(name) != text}
        assert sorted(reader.texts) == sorted(fresh)
        held = {name: text for name, text in {**held, **step}.items() if name not in gone}
        same(read_store(folder), build(held).store)


def test_names_are_put_together_and_taken_apart(tmp_path):
    texts = {"a": "The Hague > r > X\nthe_hague > r > X\nHague > s > Y"}
    built = build(texts, tmp_path / "g")
    assert triples(built)[0][0] == "Hague"
    assert built.store.entities.to_pylist()[0]["aliases"] == ["The Hague", "the_hague"]
    merges = built.store.merges.to_pylist()
    assert {(m["rule"], m["score"], m["entity"]) for m in merges} == {("spelling", 1.0, "Hague")}
    reader = LineExtractor()
    apart = build(None, tmp_path / "g", apart=["Hague"], extractor=reader)
    assert {row[0] for row in triples(apart)} == {"The Hague", "Hague"}
    single = build(None, tmp_path / "g", merge=False, extractor=reader)
    assert {row[0] for row in triples(single)} == {"The Hague", "Hague", "the_hague"}
    assert single.store.merges.num_rows == 0
    assert reader.texts == []
    same(read_store(tmp_path / "g"), build(texts, merge=False, apart=["Hague"]).store)


def test_documents_of_another_extractor_and_names_that_no_text_has_are_told(tmp_path):
    class Other(LineExtractor):
        name = "lines 2"

    assert build({"a": "A > r > B"}, tmp_path / "g").problems == []
    assert build({"a": "A > r > B", "b": "B > r > C"}, tmp_path / "g").problems == []
    for texts in ({"a": "A > r > B"}, {"c": "C > r > D"}):
        (problem,) = build(texts, tmp_path / "g", extractor=Other()).problems
        assert problem.message.startswith("2 document(s) stay as lines 1 read them, not lines 2;")
    (problem,) = build(None, tmp_path / "g", apart=["Cc"]).problems
    assert problem.message.startswith("no text has the name 'Cc' that is to be left alone; did you mean")


def test_a_stored_graph_is_read_as_a_graph(tmp_path):
    build({"a": "A > r > B\nB > s > C"}, tmp_path / "g")
    graph = read_graph(tmp_path / "g")
    assert graph.entities == ("A", "B", "C")
    assert graph.relations == ("r", "s")


def test_failing_leaves_the_graph_as_it_was(tmp_path):
    build({"a": "A > r > B"}, tmp_path / "g")
    before = files(tmp_path)

    class Failing(LineExtractor):
        def extract(self, texts):
            raise DataError("no")

    with pytest.raises(DataError, match="no"):
        build({"b": "C > r > D"}, tmp_path / "g", extractor=Failing())
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("texts", "given", "said"),
    [
        (None, {}, "no texts; give a text file"),
        ({"a": "A > r > B"}, {"remove": ["b"]}, "no document 'b' to remove"),
        ({"a": 3}, {}, "a: expected a text, got int"),
        ("nowhere", {}, "nowhere: no such file or folder"),
    ],
)
def test_what_cannot_be_built_is_one_line(texts, given, said):
    with pytest.raises(FusibleError, match=said) as caught:
        build(texts, **given)
    assert "\n" not in str(caught.value)


def test_other_folders_are_not_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="got other files"):
        build({"a": "A > r > B"}, tmp_path)
    build({"a": "A > r > B"}, tmp_path / "g")
    with pytest.raises(ConfigError, match="'a' is to be removed and is among the texts"):
        build({"a": "A > r > B"}, tmp_path / "g", remove=["a"])


def test_the_folder_may_be_where_one_stands_or_a_link(tmp_path, monkeypatch):
    (tmp_path / "g").mkdir()
    (tmp_path / "link").symlink_to("g")
    monkeypatch.chdir(tmp_path / "g")
    build({"a": "A > r > B"}, ".")
    build({"b": "B > r > C"}, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert read_store(tmp_path / "g").documents["document"].to_pylist() == ["a", "b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g", "link"]
    with pytest.raises(DataError, match="cannot be written"):
        build({"a": "A > r > B"}, tmp_path / ("x" * 300))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("graph.json", b"{", "damaged, expected JSON"),
        ("graph.json", b"[]", "damaged, expected JSON"),
        ("graph.json", b'{"format": 1, "apart": 5}', "expected a list of names as 'apart'"),
        ("graph.json", b'{"format": 99}', "format 99 is newer"),
        ("graph.json", b'{"format": "x"}', "expected a whole number"),
        ("triples.parquet", b"PAR1", "damaged"),
        ("mentions.parquet", None, "missing"),
    ],
)
def test_damaged_graphs_are_refused_in_one_line(tmp_path, name, content, said):
    build({"a": "A > r > B"}, tmp_path / "g")
    path = tmp_path / "g" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFormatError, match=said) as caught:
        read_store(tmp_path / "g")
    assert "\n" not in str(caught.value)


def test_what_is_shown_of_an_entity():
    built = build({"a": "Ann > likes > Bo\nBo > likes > Cy", "b": "so Ann > likes > Bo\nann > likes > Bo"}, merge=True)
    shown = show_entity(built.store, "ann")
    assert (shown.entity, shown.aliases) == ("Ann", ["ann"])
    (triple,) = [triple for triple in shown.triples if triple["head"] == "Ann"]
    assert triple["count"] == 2
    assert [place["document"] for place in triple["said"]] == ["a", "b"]
    with pytest.raises(DataError, match="no entity 'Anm' in this graph: did you mean 'Ann'"):
        show_entity(built.store, "Anm")
    with pytest.raises(DataError, match="no entity 'x' in this graph: entities are 'Ann', 'ann'"):
        show_entity(built.store, "x")


def test_results_are_plain(tmp_path):
    built = build({"a": "A > r > B", "b": ""}, tmp_path / "g")
    told = json.loads(json.dumps(built.to_json()))
    assert told["sizes"] == {"entities": 2, "triples": 1, "mentions": 1, "relations": 1}
    assert "1 text(s) are empty" in told["problems"][0]
    assert len(built.graph) == 1
