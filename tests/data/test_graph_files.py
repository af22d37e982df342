"""Graphs in other forms: names come back as they were, large files stay out of memory, what is wrong has its line."""

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from _cases import files
from hypothesis import given
from hypothesis import strategies as st

from fusible.data.graph import read_graph
from fusible.data.graph_writer import WRITERS, named, write_graph
from fusible.data.iri import NAMESPACE, check_namespace, from_iri, to_iri
from fusible.errors import ConfigError, DataError

pytest.importorskip("pyoxigraph")

PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
ODD = st.sampled_from([
    "New York", "a/b", "100%", "%20", "_:b0", "<x>", '"x"', "http://a/b", "http://a/%20", "http://a/%zz", "http://a b",
    "urn:fusible:x", "urn:fusible:%20", "https://example.org/id/x", "Jürgen", ".", "..", "x\\y", "\u202e", "日本",
])  # fmt: skip


def graph_of(rows):
    return read_graph(pa.table(dict(zip(("head", "relation", "tail"), zip(*rows, strict=True), strict=True))))


@given(NAMES | ODD, st.sampled_from([NAMESPACE, "https://example.org/id/", "http://a/", "http://x#"]))
def test_names_survive_being_iris(name, namespace):
    iri = to_iri(name, namespace)
    assert from_iri(iri, namespace) == name
    assert not set(iri) & set('<>"{}|^`\\ \n')


def test_iris_of_others_stay_what_they_are():
    for iri in (
        "http://www.w3.org/2002/07/owl#sameAs",
        "urn:isbn:1",
        "http://a/b%20c",
        "urn:fusible:",
        "urn:fusible:%zz",
    ):
        assert from_iri(iri) == iri
    assert from_iri("https://example.org/id/Jürgen", "https://example.org/id/") == "Jürgen"
    for bad in ("", "x", "http://a/b", "http://a b/", "http://a/%z/"):
        with pytest.raises(ConfigError, match="expected the beginning of an IRI"):
            check_namespace(bad)


@pytest.mark.parametrize("ending", list(WRITERS))
@given(rows=st.lists(st.tuples(PLAIN | ODD, PLAIN | ODD, PLAIN | ODD), min_size=1, max_size=6))
def test_what_is_written_is_read_again(tmp_path_factory, ending, rows):
    graph = graph_of(rows)
    path = write_graph(graph, tmp_path_factory.mktemp("g") / f"graph{ending}")
    again = read_graph(path)
    assert sorted(named(again)) == sorted(named(graph))
    if ending != ".graphml":
        assert list(named(again)) == list(named(graph)) or ending == ".ttl"


@given(name=NAMES)
def test_rdf_and_parquet_hold_any_name(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("g")
    graph = graph_of([(name, "r", "b")])
    for ending in (".nt", ".ttl", ".parquet"):
        assert list(named(read_graph(write_graph(graph, folder / f"a{ending}")))) == [(name, "r", "b")]


@pytest.mark.parametrize(
    ("ending", "name"), [(".tsv", "a\tb"), (".txt", "a\nb"), (".graphml", "a\x01"), (".tsv", "\r")]
)
def test_names_that_a_form_cannot_hold_are_refused_before_anything_is_written(tmp_path, ending, name):
    with pytest.raises(DataError, match="cannot; write"):
        write_graph(graph_of([(name, "r", "b")]), tmp_path / f"x{ending}")
    assert files(tmp_path) == {}


def test_a_split_is_kept_in_parquet(tmp_path):
    table = pa.table({"head": ["a", "b"], "relation": ["r", "r"], "tail": ["b", "a"], "split": ["test", "train"]})
    graph = read_graph(table)
    again = read_graph(write_graph(graph, tmp_path / "g.parquet"))
    assert {part: again.part(part).tolist() for part in again.parts} == {
        part: graph.part(part).tolist() for part in graph.parts
    }
    assert again.entities == graph.entities


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.nt", b"<a:a> <a:b> <a:c> .\n<a:a> <a:b <a:c> .\n", "a.nt, line 2: malformed"),
        ("a.nt", b'<a:a> <a:b> "x .\n', "a.nt, line 1: malformed"),
        ("a.nt", b"<a:a> <a:b> <a:c> .\n<a:a> <a:b> \"\xff\" .\n", "a.nt, line 2: malformed: .*UTF-8"),
        ("a.ttl", b"@prefix : <a:> .\n:a :b c .\n", "a.ttl, line 2: malformed"),
        ("a.nt", b'<a:a> <a:b> "" .\n', "a.nt: triple 1 has no tail"),
        ("a.graphml", b"<graphml>\n<graph", "a.graphml, line 2: no XML"),
        ("a.graphml", b"<x/>", "not GraphML"),
        ("a.parquet", b"PAR1", "not a graph"),
        ("a.tsv", b"a\tb\tc\na\tb\n", "a.tsv, line 2: 2 columns"),
        ("a.tsv", b"a\tb\tc\na\t\tc\n", "a.tsv: triple 2 has no relation"),
        ("a.tsv", b"\xff\xfe\tb\tc\n", "a.tsv: not a graph"),
    ],
)  # fmt: skip
def test_malformed_files_are_one_line(tmp_path, name, text, said):
    (tmp_path / name).write_bytes(text)
    with pytest.raises(DataError, match=said) as caught:
        read_graph(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.nt", "a.ttl", "a.graphml", "a.parquet", "a.tsv"])
def test_files_that_are_not_there(tmp_path, name):
    with pytest.raises(DataError, match="no such file"):
        read_graph(tmp_path / name)


def test_parquet_without_the_columns(tmp_path):
    pq.write_table(pa.table({"head": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no column 'relation'"):
        read_graph(tmp_path / "a.parquet")


def test_terms_of_rdf(tmp_path):
    lines = ['<http://a/x> <http://a/p> "5"^^<http://www.w3.org/2001/XMLSchema#int> .', '_:b <http://a/p> "ja"@de .']
    (tmp_path / "a.nt").write_text("\n".join([*lines, "<http://a/y%20z> <http://a/p> <http://b/p> ."]))
    found = list(named(read_graph(tmp_path / "a.nt", "http://a/")))
    assert found[0] == ("x", "p", "5")
    assert found[1][0].startswith("_:")
    assert found[1][1:] == ("p", "ja")
    assert found[2] == ("y z", "p", "http://b/p")


def test_undirected_graphml_of_others(tmp_path):
    nx = pytest.importorskip("networkx")
    whole = nx.Graph([("a", "b", {"label": "knows"}), ("b", "c", {})])
    nx.write_graphml(whole, tmp_path / "g.graphml")
    assert sorted(named(read_graph(tmp_path / "g.graphml"))) == [("a", "knows", "b"), ("b", "linked to", "c")]


def test_batches_are_one_graph(tmp_path):
    rows = [(f"e{n % 700}", f"r{n % 3}", f"e{(n * 7) % 900}") for n in range(70_000)]
    path = tmp_path / "g.nt"
    path.write_text("".join(f"<{NAMESPACE}{h}> <{NAMESPACE}{r}> <{NAMESPACE}{t}> .\n" for h, r, t in rows))
    graph, table = read_graph(path), graph_of(rows)
    assert graph.entities == table.entities
    np.testing.assert_array_equal(graph.triples, table.triples)


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("x.csv", ConfigError, "expected a path ending in .tsv"),
        ("no/x.nt", DataError, "does not exist; create it"),
        ("full", DataError, "a folder with other files"),
    ],
)
def test_places_that_cannot_be_written(tmp_path, path, error, said):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(error, match=said):
        write_graph(graph_of([("a", "r", "b")]), tmp_path / path)
    assert list(itertools.chain(files(tmp_path))) == ["full/mine"]


def test_graphml_nodes_without_a_name_of_their_own(tmp_path):
    nx = pytest.importorskip("networkx")
    whole = nx.MultiGraph()
    whole.add_node("1", name="Ann")
    whole.add_node("2", name="Ann")
    whole.add_node("3", name="")
    whole.add_edges_from([("1", "2", {"relation": "knows"}), ("2", "3", {"relation": ""})])
    nx.write_graphml(whole, tmp_path / "g.graphml")
    told = sorted(named(read_graph(tmp_path / "g.graphml")))
    assert told == [("Ann (1)", "knows", "Ann (2)"), ("Ann (2)", "linked to", "3")]


def test_columns_that_hold_no_names_are_one_line(tmp_path):
    table = pa.table({"head": [["a"]], "relation": ["r"], "tail": ["b"]})
    pq.write_table(table, tmp_path / "g.parquet")
    with pytest.raises(DataError, match=r"g\.parquet: column 'head': expected names, got list") as caught:
        read_graph(tmp_path / "g.parquet")
    assert "\n" not in str(caught.value)
