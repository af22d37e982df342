"""Small indexes for tests."""

import numpy as np
import pyarrow as pa
import pytest

from fusible.index import _graph, _graphs
from fusible.index.items import Items
from fusible.index.store import Index

SCHEMA = pa.schema([("price", pa.float64()), ("kind", pa.string())])


def _items(first, last, width=6, seed=0):
    random = np.random.default_rng([first, last, seed])
    image = random.standard_normal((last - first, width)).astype(np.float32)
    image /= np.linalg.norm(image, axis=1, keepdims=True)
    text = image.copy()
    text[::3] = np.nan
    rows = np.arange(first, last)
    kinds = ["red" if row % 2 else "blue" for row in rows]
    columns = pa.table({"price": pa.array(rows, pa.float64()), "kind": kinds})
    names = [f"r{row}" for row in rows]
    texts = [f"a photo of item{row} seed{seed}" for row in rows]
    keys = [f"k{row}-{seed}" for row in rows]
    pictures = [b"jpeg %d" % row if row % 2 else None for row in rows]
    paths = [f"{row}.png" for row in rows]
    return Items(names, {"image": image, "text": text}, columns, texts, {"image": pictures}, {"image": paths}, keys)


@pytest.fixture
def items():
    """Rows `first` to `last` with an image vector each and a text vector in two of three."""
    return _items


@pytest.fixture
def schema():
    """Own columns of `items`."""
    return SCHEMA


@pytest.fixture
def index(tmp_path):
    """An index of sixty rows, in a folder of its own."""
    made = Index.create(tmp_path / "index", {"image": 6, "text": 6}, SCHEMA, {"model": "m"})
    with made.writing("build") as writer:
        writer.put(_items(0, 60), [{"id": "r3", "view": "text", "message": "unreadable"}])
    return made


@pytest.fixture
def few(monkeypatch):
    """Views of 300 rows have a graph, and 50 rows may lie beside it."""
    monkeypatch.setattr(_graphs, "APPROXIMATE", 300)
    monkeypatch.setattr(_graphs, "FRESH", 50)
    monkeypatch.setattr(_graphs, "LEAST", 10)
    monkeypatch.setattr(_graphs, "STORED", 100)
    monkeypatch.setattr(_graphs, "SAMPLE", 200)
    monkeypatch.setattr(_graph, "NEAR", (0.02, 0.1))
    monkeypatch.setattr(_graphs, "FRESH_BLOCK", 20)
