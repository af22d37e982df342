import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from fusible.alignment._views import CHUNK, as_views, check_array, finite
from fusible.alignment.cca import Cca
from fusible.errors import ArrayError, ArrayTypeError


def arrays(rng, rows=10):
    return {"a": rng.normal(size=(rows, 3)), "b": rng.normal(size=(rows, 2))}


def test_a_mapping_is_read_in_the_order_of_the_fit(rng):
    given = arrays(rng)
    turned = as_views({"b": given["b"], "a": given["a"]}, names=("a", "b"))
    assert turned.names == ("a", "b")
    assert turned.arrays[0] is given["a"]
    assert (turned.rows, turned.widths) == (10, (3, 2))


def test_one_array_is_divided_by_widths_or_into_halves(rng):
    array = rng.normal(size=(4, 5))
    assert as_views(array).widths == (3, 2)
    np.testing.assert_array_equal(as_views(array, widths=(1, 3, 1)).arrays[1], array[:, 1:4])
    with pytest.raises(ArrayError, match=r"X: expected 4 features .*\(1, 3\).*, got 5"):
        as_views(array, widths=(1, 3))


def test_chunks_cover_all_rows_once(rng):
    given = arrays(rng, CHUNK * 2 + 7)
    presence = rng.random((CHUNK * 2 + 7, 2)) < 0.8
    weight = rng.random(CHUNK * 2 + 7)
    chunks = list(as_views(given, presence=presence, weight=weight))
    assert [chunk.rows for chunk in chunks] == [CHUNK, CHUNK, 7]
    np.testing.assert_array_equal(np.vstack([c.arrays[1] for c in chunks]), given["b"])
    np.testing.assert_array_equal(np.vstack([c.presence for c in chunks]), presence)
    np.testing.assert_array_equal(np.concatenate([c.weight for c in chunks]), weight)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_memory_map_gives_its_own_rows(rng, tmp_path, mode):
    path = tmp_path / "a.npy"
    array = rng.normal(size=(CHUNK + 10, 3))
    np.save(path, array)
    mapped = np.load(path, mmap_mode=mode)
    if mode == "c":  # changed in memory, not in the file
        mapped += 1.0
        array += 1.0
    views = as_views({"a": mapped, "b": mapped[:, :2]})
    np.testing.assert_array_equal(np.vstack([c.arrays[0] for c in views]), array)
    np.testing.assert_array_equal(np.vstack([c.arrays[1] for c in views]), array[:, :2])


def test_parts_of_a_memory_map_give_their_own_rows(rng, tmp_path):
    path = tmp_path / "a.npy"
    array = rng.normal(size=(50, 4)).astype(np.float32)
    np.save(path, array)
    mapped = np.load(path, mmap_mode="r")
    for part, expected in ((mapped[7:], array[7:]), (mapped[::3], array[::3]), (mapped.T, array.T)):
        [chunk] = as_views({"a": part, "b": part})
        np.testing.assert_array_equal(chunk.arrays[0], expected)


def test_kinds_of_arrays_that_hold_numbers(rng):
    frame = pd.DataFrame(rng.normal(size=(5, 2)))
    assert check_array(frame, "a").dtype == np.float64
    assert check_array(np.arange(6).reshape(3, 2), "a").dtype == np.float64
    assert check_array(np.ones((3, 2), np.float16), "a").dtype == np.float64
    assert check_array(np.ones((3, 2), np.float32), "a").dtype == np.float32
    assert check_array(np.array([["1", "2.5"]]), "a").tolist() == [[1.0, 2.5]]
    assert check_array(scipy.sparse.coo_matrix(np.eye(3, dtype=int)), "a").dtype == np.float64


def test_the_place_of_a_bad_value_is_that_of_the_users_array(rng):
    array = rng.normal(size=(4, 3))
    array[2, 1] = np.inf
    with pytest.raises(ArrayError, match=r"view 'a': .*infinity \(inf\) \(row 102, column 1\)"):
        finite(array, "a", 100)
    with pytest.raises(ArrayError, match=r"\(row 9, column 1\)"):
        finite(array, "a", rows=np.array([1, 4, 9, 11]))
    with pytest.raises(ArrayError, match=r"\(row 2, column 1\)"):
        finite(scipy.sparse.csr_matrix(array), "a")


def test_the_row_of_a_bad_value_counts_absent_rows(rng):
    rows = CHUNK + 300
    given = arrays(rng, rows)
    presence = np.ones((rows, 2), bool)
    presence[: CHUNK + 100, 0] = False
    presence[5, 0] = True
    fitted = Cca(1).fit(given)
    given["a"][CHUNK + 200, 2] = np.nan
    for call in (Cca(1).fit, fitted.transform):
        with pytest.raises(ArrayError, match=rf"view 'a': .*NaN \(row {CHUNK + 200}, column 2\)"):
            call(given, presence=presence)


def test_a_bad_weight_is_refused(rng):
    given = arrays(rng)
    for weight, word in (
        (np.ones(9), r"expected shape \(10,\)"),
        (np.full(10, np.nan), "finite"),
        (-np.ones(10), "at least 0"),
        (np.zeros(10), "every weight is zero"),
    ):
        with pytest.raises(ArrayError, match=f"sample_weight: .*{word}"):
            as_views(given, weight=weight)


def test_names_that_differ_are_told(rng):
    given = arrays(rng)
    with pytest.raises(ArrayError, match="expected a, c, missing c"):
        as_views(given, names=("a", "c"))
    with pytest.raises(ArrayError, match="expected a as in fit, got b as well"):
        as_views(given, names=("a",))
    with pytest.raises(ArrayError, match=r"expected 3 \(a, b, c\), got 2"):
        as_views(list(given.values()), names=("a", "b", "c"))


def test_views_that_are_no_tables_are_told(rng):
    given = arrays(rng)
    with pytest.raises(ArrayError, match=r"'view2': Expected 2D array .* got 1D"):
        Cca().fit([given["a"], given["b"][:, 0]])
    with pytest.raises(ArrayTypeError, match="view 'a': expected numbers, got objects"):
        as_views({**given, "a": np.full((10, 3), object())})
