import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
from _planted import planted, shared
from hypothesis import given, settings
from hypothesis import strategies as st

from fusible.alignment import Stream
from fusible.alignment._gram import accumulate
from fusible.alignment._permutation import permutation_test
from fusible.alignment._views import as_views
from fusible.alignment.cca import Cca
from fusible.alignment.gcca import Gcca
from fusible.alignment.mcca import Mcca
from fusible.alignment.pls import Pls
from fusible.data.cache import CacheSpace
from fusible.errors import ArrayError

ALL = [Cca, Mcca, Gcca, Pls]


def cuts(rows, sizes):
    """Slices of the given sizes, again and again, until all rows are covered."""
    start, k = 0, 0
    while start < rows:
        yield slice(start, min(start + sizes[k % len(sizes)], rows))
        start, k = start + sizes[k % len(sizes)], k + 1


def stream_of(views, sizes, presence=None):
    rows = len(next(iter(views.values())))

    def chunks():
        for cut in cuts(rows, sizes):
            part = {name: array[cut] for name, array in views.items()}
            yield part if presence is None else (part, presence[cut])

    return Stream(chunks)


def same(one, other):
    np.testing.assert_allclose(one.correlations_, other.correlations_, atol=1e-10)
    for mine, theirs in zip((*one.weights_, *one.means_), (*other.weights_, *other.means_), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


@settings(max_examples=10)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=4), st.booleans(), st.sampled_from(ALL))
def test_chunks_of_any_size_give_what_all_rows_give(sizes, missing, part):
    rng = np.random.default_rng(0)
    views = shared(rng, rows=150, widths=(4, 3))
    presence = None
    if missing:
        presence = rng.random((150, 2)) < 0.8
        presence[~presence.any(axis=1)] = True
    whole = part(2).fit(views, presence=presence)
    same(part(2).fit(stream_of(views, sizes, presence)), whole)
    step = part(2)
    for k, cut in enumerate(cuts(150, [max(30, size) for size in sizes])):
        there = None if presence is None else presence[cut]
        step.partial_fit({name: array[cut] for name, array in views.items()}, presence=there)
        assert step.gram_.seen == min(150, cut.stop), k
    same(step, whole)


@pytest.mark.parametrize("part", ALL)
def test_merged_grams_give_what_all_rows_give(rng, part):
    views = shared(rng, rows=150, widths=(4, 3))
    total = None
    for cut in cuts(150, [47]):
        checked = as_views({name: array[cut] for name, array in views.items()})
        gram = accumulate(checked.names, checked.widths, checked)
        total = gram if total is None else total.merge(gram)
    same(part(2).fit_gram(total), part(2).fit(views))


def test_ill_conditioned_streams_are_read_again_by_qr(rng):
    views = planted(rng, rows=500, condition=1e7)
    passes = []
    stream = stream_of(views, [130])
    inner = stream._chunks

    def counted():
        passes.append(1)
        return inner()

    stream._chunks = counted
    fitted = Cca().fit(stream)
    assert (fitted.method_, len(passes)) == ("QR of the rows", 3)
    np.testing.assert_allclose(fitted.correlations_, [0.9, 0.6, 0.3, 0.0, 0.0], atol=1e-8)


def test_scores_of_a_stream_are_those_of_its_rows(rng):
    views = shared(rng, rows=150, widths=(4, 3))
    presence = rng.random((150, 2)) < 0.8
    fitted = Cca(2).fit(views)
    stream = stream_of(views, [40], presence)
    for name, scores in fitted.transform(views, presence=presence).items():
        np.testing.assert_array_equal(fitted.transform(stream)[name], scores)
    assert fitted.score(stream) == pytest.approx(fitted.score(views, presence=presence))


def test_fit_starts_anew_and_partial_fit_goes_on(rng):
    views = shared(rng, rows=150, widths=(4, 3))
    first, second = ({name: array[cut] for name, array in views.items()} for cut in cuts(150, [70, 80]))
    same(Cca(2).partial_fit(second).fit(first).partial_fit(second), Cca(2).fit(views))
    same(Cca(2).partial_fit(first).fit(views), Cca(2).fit(views))


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix])
def test_rows_that_are_refused_leave_nothing_behind(rng, kind):
    views = shared(rng, rows=3000, widths=(4, 3))
    first, second = ({name: array[cut] for name, array in views.items()} for cut in cuts(3000, [100, 2900]))
    fitted = Cca(2).partial_fit(first)
    bad = {"a": np.where(np.arange(2900)[:, None] == 2500, np.nan, 0.0) * np.ones(4), "b": np.zeros((2900, 3))}
    with pytest.raises(ArrayError, match=r"view 'a': .*\(row 2500, column 0\)"):
        fitted.partial_fit({name: kind(array) for name, array in bad.items()})
    same(fitted.partial_fit(second), Cca(2).fit(views))


def test_a_view_may_be_absent_from_a_whole_chunk(rng):
    views = shared(rng, rows=150, widths=(4, 3))
    presence = np.ones((150, 2), bool)
    presence[100:, 1] = False
    step = Cca(2)
    for cut in cuts(150, [50]):
        step.partial_fit({name: array[cut] for name, array in views.items()}, presence=presence[cut])
    same(step, Cca(2).fit(views, presence=presence))


def table(views, path, group=64):
    columns = {f"{name}{k}": array[:, k] for name, array in views.items() for k in range(array.shape[1])}
    pq.write_table(pa.table(columns), path, row_group_size=group)
    return {name: [f"{name}{k}" for k in range(array.shape[1])] for name, array in views.items()}


def test_parquet_rows_whose_columns_are_all_null_lack_the_view(rng, tmp_path):
    views = shared(rng, rows=150, widths=(4, 3))
    presence = np.ones((150, 2), bool)
    presence[10:40, 1] = False
    absent = {**views, "b": np.where(presence[:, 1:], views["b"], np.nan)}
    columns = [pa.array(column, from_pandas=True) for array in absent.values() for column in array.T]
    names = {"a": list("pqrs"), "b": list("xyz")}
    pq.write_table(pa.table(columns, names=[*"pqrs", *"xyz"]), tmp_path / "t.parquet", row_group_size=40)
    stream = Stream.from_parquet(tmp_path / "t.parquet", names, rows=33)
    same(Cca(2).fit(stream), Cca(2).fit(absent, presence=presence))
    assert (stream.rows, stream.names, stream.widths) == (150, ("a", "b"), (4, 3))


def test_parquet_without_nulls_equals_arrays(rng, tmp_path):
    views = shared(rng, rows=150, widths=(4, 3))
    names = table(views, tmp_path / "t.parquet")
    same(Cca(2).fit(Stream.from_parquet(tmp_path / "t.parquet", names, rows=41)), Cca(2).fit(views))


def test_parquet_of_flags_and_whole_numbers(rng, tmp_path):
    flags = rng.random((80, 2)) < 0.5
    counts = rng.integers(0, 5, (80, 2)) + flags
    there = np.arange(80) % 7 != 0
    columns = {
        "f0": pa.array(flags[:, 0].tolist(), mask=~there),
        "f1": pa.array(flags[:, 1].tolist(), mask=~there),
        "n0": pa.array(counts[:, 0]),
        "n1": pa.array(counts[:, 1]),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    stream = Stream.from_parquet(tmp_path / "t.parquet", {"f": ["f0", "f1"], "n": ["n0", "n1"]}, rows=9)
    presence = np.stack([there, np.ones(80, bool)], axis=1)
    same(Cca().fit(stream), Cca().fit({"f": flags, "n": counts}, presence=presence))


def test_parquet_that_does_not_fit_is_told(rng, tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1.0, None], "b": [2.0, 3.0], "c": [1.0, 2.0], "w": ["x", "y"]}), path)
    with pytest.raises(ArrayError, match=r"stream: column 'z' is not in t\.parquet; it has a, b, c, w"):
        Stream.from_parquet(path, {"one": ["a", "z"], "two": ["c"]})
    with pytest.raises(ArrayError, match=r"view 'two': column 'w' .*expected numbers, got string"):
        Stream.from_parquet(path, {"one": ["a", "b"], "two": ["w"]})
    with pytest.raises(ArrayError, match=r"view 'one': .*NaN \(row 1, column 0\)"):
        Cca().fit(Stream.from_parquet(path, {"one": ["a", "b"], "two": ["c"]}))


def test_files_of_arrays_are_streamed(rng, tmp_path):
    views = shared(rng, rows=150, widths=(4, 3))
    paths = {name: tmp_path / f"{name}.npy" for name in views}
    for name, array in views.items():
        np.save(paths[name], array)
    same(Cca(2).fit(Stream.from_arrays(paths, rows=41)), Cca(2).fit(views))
    np.save(paths["b"], views["b"][:-1])
    with pytest.raises(ArrayError, match=r"as many rows in every file, got \{'a': 150, 'b': 149\}"):
        Stream.from_arrays(paths)


def test_the_feature_cache_is_streamed(rng, tmp_path):
    views = shared(rng, rows=150, widths=(4, 3))
    presence = np.ones((150, 2), bool)
    presence[50:90, 1] = False
    parts = {}
    for place, (name, array) in enumerate(views.items()):
        space = CacheSpace(tmp_path / name)
        space.put([f"{name}{k}" for k in range(150)], list(array))
        parts[name] = space, [f"{name}{k}" if there else None for k, there in enumerate(presence[:, place])]
    same(Cca(2).fit(Stream.from_cache(parts, rows=37)), Cca(2).fit(views, presence=presence))
    space = CacheSpace(tmp_path / "single")
    space.put(["x", "y"], [np.ones(4, np.float32), np.zeros(4, np.float32)])
    chunk = next(iter(Stream.from_cache({"a": (space, ["x", None, "y"]), "b": (space, ["y", "x", "x"])})))
    assert chunk.arrays[0].dtype == np.float32  # what is known to be single is judged as single
    assert chunk.presence.tolist() == [[True, True], [False, True], [True, True]]
    with pytest.raises(ArrayError, match="view 'a': present in no row"):
        Stream.from_cache({"a": (space, [None, None]), "b": (space, ["x", "y"])})
    with pytest.raises(ArrayError, match=r"as many keys for every view, got \{'a': 1, 'b': 2\}"):
        Stream.from_cache({"a": (space, ["x"]), "b": (space, ["x", "y"])})


def test_streams_that_cannot_be_used_are_told(rng):
    views = shared(rng, rows=60, widths=(4, 3))
    stream = stream_of(views, [20])
    with pytest.raises(ArrayError, match="stream: expected at least one chunk"):
        Stream(lambda: iter([]))
    with pytest.raises(ArrayError, match="view 'b': expected 3 columns as in fit, got 2"):
        Cca().fit(Stream(lambda: iter([views, {**views, "b": views["b"][:, :2]}])))
    with pytest.raises(ArrayError, match=r"presence: expected bool of shape \(60, 2\), got bool of shape \(5, 2\)"):
        Stream(lambda: iter([(views, np.ones((5, 2), bool))]))
    for more in ({"presence": np.ones((60, 2), bool)}, {"sample_weight": np.ones(60)}):
        with pytest.raises(ArrayError, match="stream: expected no presence or sample_weight beside it"):
            Cca().fit(stream, **more)
    fitted = Cca().fit(stream)
    with pytest.raises(ArrayError, match=r"expected views .*'a', 'b'.* as in fit"):
        fitted.transform(stream_of({"a": views["a"], "c": views["b"]}, [20]))
    with pytest.raises(ArrayError, match="permutation_test: expected arrays, got a stream"):
        permutation_test(fitted, stream)
