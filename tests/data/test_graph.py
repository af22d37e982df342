"""Graphs: read as they are, every triple once, what is odd said, what is no triple refused with its line."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.data.graph import graph_of, read_graph, read_triples, split_graph
from fusible.errors import DataError

LINES = 'anna\tknows\tben\nben\tknows\tanna\nanna\tlives in\t"Ulm"\n'


@pytest.fixture
def folder(tmp_path):
    for name, text in {"train": LINES, "valid": "ben\tlives in\tUlm\n", "test": "anna\tmarried to\tanna\n"}.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def named(graph, part):
    return [
        (graph.entities[head], graph.relations[kind], graph.entities[tail])
        for head, kind, tail in graph.part(part).tolist()
    ]


def test_a_folder_is_read_in_parts_and_names_stand_as_they_are(folder):
    graph = read_graph(folder)
    assert named(graph, "train") == [
        ("anna", "knows", "ben"),
        ("ben", "knows", "anna"),
        ("anna", "lives in", '"Ulm"'),
    ]
    assert named(graph, "valid") == [("ben", "lives in", "Ulm")]
    assert len(graph) == 5
    said = {problem.kind: problem.message for problem in graph.problems}
    assert said["loop"].startswith("1 triple(s) lead from an entity to itself")
    assert [p.message for p in graph.problems if p.kind == "unseen"] == [
        "1 entity name(s) are in no training triple ('Ulm'): nothing is learned of them",
        "1 relation name(s) are in no training triple ('married to'): nothing is learned of them",
    ]


def test_a_triple_is_kept_once_in_the_first_part_that_has_it():
    table = pa.table({"head": ["a", "a", "b"], "relation": ["r"] * 3, "tail": ["b", "b", "a"]})
    graph = graph_of({"train": table, "test": table.slice(1)})
    assert {name: rows.tolist() for name, rows in graph.parts.items()} == {"train": [0, 1], "test": []}
    (twice,) = [problem for problem in graph.problems if problem.kind == "duplicate"]
    assert (twice.count, twice.rows) == (3, (1, 3, 4))


@pytest.mark.parametrize(
    ("text", "line"), [("a\tr\tb\na\tr\n", 2), ("a r b\n", 1), ("a\tr\tb\n" * 5 + "a\tr\tb\tc\n", 6)]
)
def test_a_line_that_is_no_triple_is_named(tmp_path, text, line):
    (tmp_path / "g.tsv").write_text(text)
    with pytest.raises(DataError, match=rf"g\.tsv, line {line}: \d columns; expected head, relation and tail"):
        read_graph(tmp_path / "g.tsv")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (pa.table({"head": ["a"], "tail": ["b"]}), "no column 'relation'"),
        (pa.table({"head": ["a"], "relation": [""], "tail": ["b"]}), "triple 1 has no relation"),
        (pa.table({"head": ["a", None], "relation": ["r", "r"], "tail": ["b", "c"]}), "triple 2 has no head"),
        (pa.table({"head": ["a"], "relation": ["r"], "tail": ["b"], "split": ["dev"]}), "split 'dev', expected one of"),
        ("nowhere.tsv", "no such file"),
    ],
)
def test_what_is_no_graph_is_refused_in_one_line(given, said):
    with pytest.raises(DataError, match=said) as caught:
        read_graph(given)
    assert "\n" not in str(caught.value)


def test_a_folder_without_training_triples_is_refused(tmp_path):
    with pytest.raises(DataError, match="no graph: expected train"):
        read_graph(tmp_path)


def test_a_table_with_a_split():
    frame = pd.DataFrame({"head": ["a", "b"], "relation": [1, 1], "tail": ["b", "a"], "split": ["test", "train"]})
    graph = read_graph(frame)
    assert named(graph, "train") == [("b", "1", "a")]
    assert named(graph, "test") == [("a", "1", "b")]


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=1, max_size=80), st.integers(0, 5))
def test_a_split_leaves_everything_a_training_triple(rows, seed):
    heads, kinds, tails = zip(*rows, strict=True)
    table = pd.DataFrame({"head": heads, "relation": kinds, "tail": tails})
    whole = read_graph(table)
    graph = split_graph(whole, seed)
    assert sorted(np.concatenate(list(graph.parts.values())).tolist()) == list(range(len(whole)))
    train = graph.part("train")
    assert set(train[:, [0, 2]].ravel()) == set(range(len(graph.entities)))
    assert set(train[:, 1]) == set(range(len(graph.relations)))
    again = split_graph(whole, seed)
    assert all(np.array_equal(again.parts[name], graph.parts[name]) for name in graph.parts)


def test_triples_are_read_as_they_stand(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tr\tb\na\tr\tb\n")
    table = pd.DataFrame({"tail": ["b"] * 2, "head": ["a"] * 2, "relation": ["r"] * 2, "more": [1, 2]})
    for source in (tmp_path / "t.tsv", str(tmp_path / "t.tsv"), table, pa.Table.from_pandas(table)):
        found = read_triples(source)
        assert found.to_pydict() == {"head": ["a", "a"], "relation": ["r", "r"], "tail": ["b", "b"]}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pd.DataFrame({"head": ["a"], "tail": ["b"]}), "no column 'relation'"),
        (pd.DataFrame({"head": ["a", None], "relation": ["r"] * 2, "tail": ["b"] * 2}), "triple 2 has no head"),
    ],
)
def test_what_is_no_triple_is_one_line(table, said):
    with pytest.raises(DataError, match=said):
        read_triples(table)
