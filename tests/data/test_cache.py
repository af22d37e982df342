"""The store of arrays."""

import os
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file

from fusible.data.cache import ArrayCache, default_folder
from fusible.errors import ConfigError, DataError, FusibleWarning

ARRAYS = hnp.arrays(
    st.sampled_from([np.float32, np.float16, np.float64, np.uint8, np.int64, np.bool_]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    elements={"allow_nan": False},
)


@given(st.lists(ARRAYS, min_size=1, max_size=6))
def test_any_array_comes_back_equal(tmp_path_factory, arrays):
    folder = tmp_path_factory.mktemp("cache")
    keys = [f"key{i}" for i in range(len(arrays))]
    ArrayCache(folder).open("encoder").put(keys, arrays)
    back = ArrayCache(folder).open("encoder").gather(keys[::-1])
    for array, expected in zip(back, arrays[::-1], strict=True):
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)


def test_missing_and_stats(tmp_path):
    space = ArrayCache(tmp_path).open("encoder")
    assert space.missing(["b", "a", "b"]) == ["b", "a"]
    space.put(["a", "a"], [np.ones(3), np.ones(3)])
    assert space.missing(["b", "a"]) == ["b"]
    np.testing.assert_array_equal(space.get("a"), np.ones(3))
    assert (space.stats.items, space.stats.read, space.stats.written) == (1, 1, 1)
    assert space.stats.bytes == ArrayCache(tmp_path).size() > 24
    with pytest.raises(DataError, match="no array for key 'b'; encode the item first"):
        space.gather(["a", "b"])
    with pytest.raises(ConfigError, match="one array per key, got 1 keys and 2"):
        space.put(["c"], [np.ones(1), np.ones(1)])


def test_known_keys_are_kept(tmp_path):
    space = ArrayCache(tmp_path).open("encoder")
    space.put(["a"], [np.zeros(2)])
    space.put(["a", "b"], [np.ones(2), np.ones(2)])
    np.testing.assert_array_equal(space.gather(["a", "b"]), [[0, 0], [1, 1]])


def test_namespaces_are_apart_and_odd_names_are_folders_inside(tmp_path):
    cache = ArrayCache(tmp_path)
    names = ["text_minilm", "text minilm", "../../escape", "x" * 500, 'a {"size": 160}', "a {'size': 160}"]
    for number, name in enumerate(names):
        cache.open(name).put(["k"], [np.array([number])])
    assert [int(cache.open(name).get("k")[0]) for name in names] == list(range(6))
    assert all(path.parent.parent == tmp_path for path in tmp_path.rglob("*.safetensors"))
    assert len(list(tmp_path.iterdir())) == 6
    with pytest.raises(ConfigError, match="expected a namespace"):
        cache.open("")


def test_shards_are_plain_safetensors(tmp_path):
    ArrayCache(tmp_path).open("e").put(["a", "b"], [np.arange(4.0), np.arange(6, dtype=np.uint8).reshape(2, 3)])
    (shard,) = tmp_path.rglob("*.safetensors")
    np.testing.assert_array_equal(load_file(shard)["b"], [[0, 1, 2], [3, 4, 5]])


def test_arrays_can_be_written_to_without_changing_the_store(tmp_path):
    space = ArrayCache(tmp_path).open("e")
    space.put(["a"], [np.zeros(3)])
    space.get("a")[:] = 7.0
    np.testing.assert_array_equal(ArrayCache(tmp_path).open("e").get("a"), np.zeros(3))


def test_other_objects_writes_are_seen(tmp_path):
    first, second = (ArrayCache(tmp_path).open("e") for _ in range(2))
    first.put(["a"], [np.ones(1)])
    assert second.missing(["a", "b"]) == ["b"]
    np.testing.assert_array_equal(second.get("a"), [1.0])


@pytest.mark.parametrize("damage", ["cut", "empty", "header", "shape", "noise", "longer"])
def test_a_damaged_shard_is_named_ignored_and_written_again(tmp_path, damage):
    space = ArrayCache(tmp_path).open("e")
    space.put(["good"], [np.ones(5)])
    good = set(tmp_path.rglob("*.safetensors"))
    space.put(["bad"], [np.ones(5)])
    (shard,) = set(tmp_path.rglob("*.safetensors")) - good
    whole = shard.read_bytes()
    shard.write_bytes({
        "cut": whole[:-4],
        "empty": b"",
        "header": b"\xff" * 8 + whole[8:],
        "shape": whole.replace(b"[5]", b"[9]"),
        "noise": whole[:8] + b"?" * (len(whole) - 8),
        "longer": whole + b"x",
    }[damage])  # fmt: skip
    with pytest.warns(FusibleWarning, match=f"{shard.name} is damaged .* ignored; its items are encoded again"):
        fresh = ArrayCache(tmp_path).open("e")
    assert fresh.missing(["good", "bad"]) == ["bad"]
    fresh.put(["bad"], [np.full(5, 2.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FusibleWarning)
        np.testing.assert_array_equal(ArrayCache(tmp_path).open("e").get("bad"), np.full(5, 2.0))


def test_prune_deletes_what_was_used_longest_ago(tmp_path):
    cache = ArrayCache(tmp_path)
    for number, name in enumerate(("old", "new")):
        cache.open(name).put(["k"], [np.zeros(1000)])
        (shard,) = (tmp_path / name).iterdir()
        os.utime(shard, (1000 + number, 1000 + number))
    stale = tmp_path / "new" / "x.part"
    stale.write_bytes(b"x")
    os.utime(stale, (1, 1))
    half = cache.size() // 2
    assert cache.prune(half) == half
    assert cache.open("old").missing(["k"]) == ["k"]
    assert cache.open("new").missing(["k"]) == []
    assert not stale.exists()
    assert cache.prune(half) == 0


def test_a_shard_in_use_survives_pruning_for_its_reader(tmp_path):
    space = ArrayCache(tmp_path).open("e")
    space.put(["k"], [np.arange(1000)])
    ArrayCache(tmp_path).prune(0)
    np.testing.assert_array_equal(space.get("k"), np.arange(1000))


def test_processes_may_write_at_once(tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from fusible.data.cache import ArrayCache\n"
        "space = ArrayCache(Path(sys.argv[1])).open('e')\n"
        "for i in range(20): space.put([f'{sys.argv[2]}-{i}', 'both'], [np.full(3, i), np.zeros(1)])\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "ab"]
    assert [run.wait() for run in runs] == [0, 0]
    space = ArrayCache(tmp_path).open("e")
    assert space.missing([f"{name}-{i}" for name in "ab" for i in range(20)] + ["both"]) == []
    np.testing.assert_array_equal(space.get("a-19"), [19, 19, 19])
    assert not list(tmp_path.rglob("*.part"))


def test_ten_thousand_small_arrays_are_gathered_fast(tmp_path):
    space = ArrayCache(tmp_path).open("e")
    keys = [str(i) for i in range(10_000)]
    values = np.arange(10_000, dtype=np.float32)
    for start in range(0, 10_000, 1000):
        space.put(keys[start : start + 1000], list(np.repeat(values[start : start + 1000, None], 64, axis=1)))
    begin = time.perf_counter()
    arrays = space.gather(keys)
    seconds = time.perf_counter() - begin
    np.testing.assert_array_equal(np.stack(arrays)[:, 5], values)
    assert seconds < 0.3


def test_the_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FUSIBLE_CACHE", str(tmp_path / "here"))
    assert default_folder() == ArrayCache().folder == tmp_path / "here"
    monkeypatch.delenv("FUSIBLE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder() == tmp_path / ".cache" / "fusible"


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("x")
    space = ArrayCache(tmp_path / "file").open("e")
    with pytest.raises(ConfigError, match=r"cannot be written: .*; set FUSIBLE_CACHE"):
        space.put(["k"], [np.ones(1)])
