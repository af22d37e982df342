"""Views of many rows are searched through a graph: how well, how it keeps up with changes, and what damage does."""

import json
import sys

import faiss
import numpy as np
import pyarrow as pa
import pytest

from fusible.errors import DataError
from fusible.index import _engine, _graphs
from fusible.index.items import Items
from fusible.index.store import Index

WIDTH = 8
ROWS = 1200

pytestmark = pytest.mark.usefixtures("few")


@pytest.fixture(autouse=True)
def _one_thread():
    faiss.omp_set_num_threads(1)


def unit(rng, rows):
    """Random vectors of length one."""
    vectors = rng.standard_normal((rows, WIDTH)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def put(writer, vectors, first):
    """Put vectors as rows numbered from `first`; every third has no second view."""
    rows = np.arange(first, first + len(vectors))
    other = vectors[:, ::-1].copy()
    other[rows % 3 == 0] = np.nan
    writer.put(Items([str(row) for row in rows], {"one": vectors, "two": other}, pa.table({"price": rows})))


@pytest.fixture
def vectors(rng):
    """Unit vectors of `ROWS` rows."""
    return unit(rng, ROWS)


@pytest.fixture
def graph(tmp_path, vectors):
    """An index whose views both have a graph."""
    index = Index.create(tmp_path / "i", {"one": WIDTH, "two": WIDTH}, pa.schema([("price", pa.int64())]), {})
    with index.writing("build") as writer:
        put(writer, vectors, 0)
    return index


def oracle(queries, vectors, alive, k=10):
    """Ids and scores of the nearest of the rows that are alive."""
    scores = np.where(alive, queries @ vectors.T, -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(scores, order, axis=1)


def named(index):
    """Graphs and blocks of the visible version."""
    return list(json.loads((index.folder / "index.json").read_text())["graphs"].values())


def recall(found, order):
    """Mean share of the nearest that were found."""
    return np.mean(
        [
            len(set(map(int, got)) & set(right.tolist())) / len(right)
            for got, right in zip(found.ids, order, strict=True)
        ]
    )


def test_most_of_the_nearest_are_found_and_scores_are_inner_products(graph, vectors, rng):
    queries = unit(rng, 100)
    order, scores = oracle(queries, vectors, np.ones(ROWS, bool))
    found = graph.search("one", queries, 10)
    assert recall(found, order) >= 0.95
    for query, names, got in zip(queries, found.ids, found.scores, strict=True):
        np.testing.assert_allclose(got, vectors[[int(name) for name in names]] @ query, atol=1e-3)
        assert (np.diff(got) <= 0).all()
    exact = graph.search("one", queries, 10, exact=True)
    assert recall(exact, order) >= 0.99  # halves may swap neighbours that are as near
    np.testing.assert_allclose(np.stack(exact.scores), scores, atol=1e-3)


def test_one_by_one_or_together_is_the_same(graph, rng):
    queries = unit(rng, 5)
    together = graph.search("one", queries, 7)
    assert [graph.search("one", query[None], 7).ids[0] for query in queries] == together.ids


def test_how_well_it_finds_is_said_per_asking_view(graph):
    view = graph.describe()["views"]["two"]
    assert view["search"] == "approximate"
    assert view["why"] == "300 rows or more"
    assert (view["rows"], view["fresh"]) == (2 * ROWS // 3, 0)
    assert view["search_width"] in range(16, 513)
    assert set(view["recall"]) == {"one", "two"}
    assert min(view["recall"].values()) > 0.9
    assert view["queries"] == {"one": 100, "two": 100}


@pytest.mark.parametrize("few", [0, 20_000])
def test_a_filter_finds_as_many_as_there_are(graph, vectors, rng, few, monkeypatch):
    monkeypatch.setattr(_engine, "FEW", few)
    queries = unit(rng, 30)
    for where, alive in (
        ("price % 3 = 0", np.arange(ROWS) % 3 == 0),
        ("price % 40 = 7", np.arange(ROWS) % 40 == 7),
        ("price < 6", np.arange(ROWS) < 6),
    ):
        k = min(10, alive.sum())
        order, _ = oracle(queries, vectors, alive, k)
        found = graph.search("one", queries, 10, where=where)
        assert {len(names) for names in found.ids} == {k}
        assert recall(found, order) >= 0.95
        assert all(alive[int(name)] for names in found.ids for name in names)


def test_rows_that_come_later_are_found_beside_the_graph_and_then_in_it(graph, vectors, rng):
    folder = graph.describe()["views"]["one"]["build_seconds"]
    more = unit(rng, 90)
    for first, last, fresh in ((0, 40, 40), (40, 90, 0)):
        with graph.writing(f"add {first}") as writer:
            put(writer, more[first:last], ROWS + first)
        assert graph.describe()["views"]["one"]["fresh"] == fresh
        held = np.concatenate([vectors, more[:last]])
        assert graph.search("one", more[first:last], 1).ids == [[str(ROWS + row)] for row in range(first, last)]
        queries = unit(rng, 60)
        assert recall(graph.search("one", queries, 10), oracle(queries, held, np.ones(len(held), bool))[0]) >= 0.95
    assert graph.describe()["views"]["one"]["build_seconds"] > folder  # it was extended


def test_rows_that_are_gone_are_not_found(graph, vectors, rng):
    alive = np.arange(ROWS) % 5 != 0
    with graph.writing("delete") as writer:
        writer.delete([str(row) for row in np.flatnonzero(~alive)])
    with graph.writing("change") as writer:
        put(writer, -vectors[1:2], 1)
    vectors[1] *= -1
    queries = np.concatenate([vectors[:60:5], -vectors[1:2], vectors[1:2], unit(rng, 50)])
    for name in ("as it is", "compacted"):
        again = Index.open(graph.folder)
        for exact in (None, True):
            found = again.search("one", queries, 10, exact=exact)
            assert recall(found, oracle(queries, vectors, alive)[0]) >= 0.95, name
            assert all(alive[int(row)] for rows in found.ids for row in rows)
        assert again.search("one", vectors[1:2], 1).ids == [["1"]]
        graph.compact()
    numbers = np.load(next(graph.folder.glob("graph-*")) / "numbers.npy")
    assert len(numbers) < ROWS  # built anew without the dead


def test_many_gone_rows_build_the_graph_anew(graph):
    with graph.writing("delete") as writer:
        writer.delete([str(row) for row in range(0, ROWS, 2)])
    files = {len(np.load(graph.folder / name / "numbers.npy")) for name in named(graph)}
    assert files == {600, 400}


def test_fewer_rows_than_a_graph_is_worth_are_searched_exactly(graph):
    with graph.writing("delete") as writer:
        writer.delete([str(row) for row in range(100, ROWS)])
    assert graph.describe()["views"]["one"]["search"] == "exact"
    assert {name.split("-")[0] for name in named(graph)} <= {"block"}
    graph.compact()
    assert not list(graph.folder.glob("graph-*"))


def test_who_has_a_version_open_reads_its_graphs_until_the_version_after_the_next(graph, vectors, rng):
    readers = [Index.open(graph.folder) for _ in range(2)]
    before = named(graph)
    wanted = graph.search("two", vectors[:9, ::-1], 3, exact=True).ids
    with graph.writing("add") as writer:
        put(writer, unit(rng, 90), ROWS)
    assert not set(before) & set(named(graph))
    assert readers[0].search("two", vectors[:9, ::-1], 3, exact=True).ids == wanted
    with graph.writing("more") as writer:
        put(writer, unit(rng, 90), ROWS + 90)
    left = {path.name for path in graph.folder.glob("graph-*")}
    assert not set(before) & left
    assert len(left) == 4
    with pytest.raises(DataError, match=r"the file is gone, .*open it again") as caught:
        readers[1].search("two", vectors[:1], 3)
    assert "build" not in str(caught.value)
    assert Index.open(graph.folder).search("two", vectors[:1], 3).ids


def test_many_neighbours_are_found_exactly(graph, vectors):
    found = graph.search("one", vectors[:2], 900)
    assert [len(set(names)) for names in found.ids] == [900, 900]


def damage(graph, name, change):
    """Change one file of the graph of the first view."""
    path = graph.folder / json.loads((graph.folder / "index.json").read_text())["graphs"]["one"] / name
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("graph.faiss", lambda data: data[:1000]),
        ("graph.faiss", lambda data: b""),
        ("graph.faiss", lambda data: b"IxFI" + data[4:]),
        ("graph.faiss", lambda data: data[:4] + (2**31 - 1).to_bytes(4, "little") + data[8:]),
        ("graph.faiss", lambda data: data.replace((7).to_bytes(4, "little"), (99_999).to_bytes(4, "little"))),
        ("numbers.npy", lambda data: data[:-8]),
        ("graph.json", lambda data: b"[]"),
        ("graph.json", lambda data: json.dumps(json.loads(data) | {"search_width": 10**9}).encode()),
    ],
)
def test_a_damaged_graph_is_refused_in_one_line_and_compaction_repairs_it(graph, vectors, name, change):
    damage(graph, name, change)
    with pytest.raises(DataError, match="damaged") as caught:
        Index.open(graph.folder).search("one", np.ones((1, WIDTH)), 3)
    assert "\n" not in str(caught.value)
    assert Index.open(graph.folder).search("two", np.ones((1, WIDTH)), 3).ids[0]
    graph.compact()
    assert Index.open(graph.folder).search("one", vectors[:2], 1).ids == [["0"], ["1"]]


@pytest.mark.parametrize(
    ("part", "value"), [("neighbors", ROWS), ("neighbors", -2), ("neighbors", 2**31 - 1), ("levels", 9), ("offsets", 7)]
)
def test_a_graph_that_links_beyond_its_nodes_is_refused(graph, part, value):
    """Walking it would read memory that is not its own; faiss checks it, from the release on that is asked for."""
    path = graph.folder / named(graph)[0] / "graph.faiss"
    index = faiss.read_index(str(path))
    held = getattr(index.hnsw, part)
    faiss.rev_swig_ptr(held.data(), held.size())[3] = value
    faiss.write_index(index, str(path))
    with pytest.raises(DataError, match="graph missing or damaged"):
        Index.open(graph.folder).search("one", np.ones((1, WIDTH)), 3)


@pytest.fixture
def block(tmp_path, vectors, monkeypatch):
    """An index of as many rows without a graph."""
    monkeypatch.setattr(_graphs, "APPROXIMATE", 10 * ROWS)
    index = Index.create(tmp_path / "j", {"one": WIDTH, "two": WIDTH}, pa.schema([("price", pa.int64())]), {})
    with index.writing("build") as writer:
        put(writer, vectors, 0)
    return index


def test_below_the_bound_search_is_exact_whatever_changes(block, vectors, rng):
    assert block.describe()["views"]["one"]["search"] == "exact"
    assert {path.name[:5] for path in block.folder.glob("*-*/")} == {"block"}
    held, alive = vectors, np.ones(ROWS, bool)
    for added, gone in ((0, 0), (10, 0), (5, 30), (40, 3), (1, 600)):
        names = [str(row) for row in rng.choice(np.flatnonzero(alive), gone, replace=False)]
        more = unit(rng, added)
        with block.writing(f"{added} {gone}") as writer:
            put(writer, more, len(held))
            writer.delete(names)
        held, alive = np.concatenate([held, more]), np.concatenate([alive, np.ones(added, bool)])
        alive[[int(name) for name in names]] = False
        queries = unit(rng, 5)
        for where, mask in ((None, alive), ("price % 3 = 0", alive & (np.arange(len(held)) % 3 == 0))):
            order, scores = oracle(queries, held, mask)
            found = Index.open(block.folder).search("one", queries, 10, where=where)
            assert found.ids == [[str(row) for row in rows] for rows in order]
            np.testing.assert_allclose(np.stack(found.scores), scores, rtol=1e-5)


def test_a_block_answers_without_lancedb(block, vectors, monkeypatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    assert Index.open(block.folder).search("one", vectors[:2], 1).ids == [["0"], ["1"]]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("vectors.npy", lambda data: data[:-4]),
        ("vectors.npy", lambda data: b""),
        ("vectors.npy", lambda data: data.replace(b"<f4", b"<i4")),
        ("numbers.npy", lambda data: data[:50]),
        ("block.json", lambda data: b'{"last": "x"}'),
    ],
)
def test_a_damaged_block_is_refused_in_one_line(block, name, change):
    damage(block, name, change)
    with pytest.raises(DataError, match="missing or damaged") as caught:
        Index.open(block.folder).search("one", np.ones((1, WIDTH)), 3)
    assert "\n" not in str(caught.value)


def test_an_index_grows_into_a_graph_and_shrinks_out_of_it(block, vectors, monkeypatch):
    for bound, kind in ((ROWS, "graph"), (ROWS + 1, "block"), (ROWS, "graph")):
        monkeypatch.setattr(_graphs, "APPROXIMATE", bound)
        block.compact()
        assert {path.name[:5] for path in block.folder.glob("*-*/") if path.name.startswith(kind)} == {kind}
        assert block.search("one", vectors[:3], 1).ids == [["0"], ["1"], ["2"]]
