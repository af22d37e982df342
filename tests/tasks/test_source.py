"""Sources: every distinct item decoded and encoded once, through the cache; what cannot be read is absent and named."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch

from fusible.data.cache import ArrayCache
from fusible.data.read import read
from fusible.encoders._base import Encoder
from fusible.errors import DataError
from fusible.tasks.source import Source
from fusible.types import Encoded, Modality


class Counting(Encoder):
    """Encodes a picture as the mean of its bytes' first pixels; counts decodings and encodings."""

    modality = Modality.IMAGE
    frozen = True

    def __init__(self):
        super().__init__()
        self.output_width = 2
        self.decoded, self.encoded = [], 0

    def decode(self, value):
        from fusible.data.media import decode_image

        self.decoded.append(value.row)
        return decode_image(value).mean(axis=(0, 1))

    def batch(self, decoded):
        return {"x": torch.tensor(np.stack(decoded), dtype=torch.float32)}

    def forward(self, tensors):
        self.encoded += len(tensors["x"])
        vectors = tensors["x"][:, :2]
        return Encoded(vectors.unsqueeze(1), torch.ones(len(vectors), 1, dtype=torch.bool))


class Trained(Counting):
    """The same, to be trained."""

    frozen = False


SHADES = [10, 20, 10, 30, None, "bad", 20]


@pytest.fixture
def dataset(png):
    """Seven rows: three distinct pictures, an absent one, a damaged one."""
    whole = png(np.full((4, 4, 3), 99))
    cells = [
        None if s is None else whole[:30] if s == "bad" else png(np.full((4, 4, 3), (s, 2 * s, 0))) for s in SHADES
    ]
    return read(pd.DataFrame({"photo": pd.Series(cells, dtype=object), "n": np.arange(7.0)}))


def expected():
    return [[s, 2.0 * s] if isinstance(s, int) else None for s in SHADES]


def check_rows(feed):
    for row, wanted in enumerate(expected()):
        slot = feed.ids[row, 0]
        assert (slot >= 0) == (wanted is not None)
        if wanted is not None:
            np.testing.assert_allclose(feed.features[slot], wanted)


@pytest.mark.parametrize("cached", [False, True])
def test_each_distinct_item_is_decoded_and_encoded_once(dataset, tmp_path, cached):
    source, encoder = Source(dataset, cache=ArrayCache(tmp_path) if cached else None), Counting()
    view = dataset.views["photo"]
    check_rows(source.feed(view, encoder, encoded=True))
    assert sorted(encoder.decoded) == [0, 1, 3, 5]
    assert encoder.encoded == 3
    source.feed(view, encoder, encoded=True)
    assert len(encoder.decoded) == 4
    assert source.counts == {"encoded": 3, "cached": 0, "unreadable": 1}
    assert source.presence([view], np.arange(7))[:, 0].tolist() == [True, True, True, True, False, False, True]


@pytest.mark.parametrize("cached", [False, True])
def test_what_was_begun_is_not_decoded_again(dataset, tmp_path, cached):
    source, encoder = Source(dataset, cache=ArrayCache(tmp_path) if cached else None), Counting()
    view = dataset.views["photo"]
    with ThreadPoolExecutor(2) as pool:
        source.begin(view, encoder, pool)
    assert sorted(encoder.decoded) == [0, 1, 3, 5]
    check_rows(source.feed(view, encoder, encoded=True))
    assert sorted(encoder.decoded) == [0, 1, 3, 5]
    assert source.counts == {"encoded": 3, "cached": 0, "unreadable": 1}


def test_what_the_cache_has_is_not_begun(dataset, tmp_path):
    view = dataset.views["photo"]
    Source(dataset, cache=ArrayCache(tmp_path)).feed(view, Counting(), encoded=True)
    source, encoder = Source(dataset, cache=ArrayCache(tmp_path)), Counting()
    with ThreadPoolExecutor(2) as pool:
        source.begin(view, encoder, pool)
    assert encoder.decoded == [5]


def test_a_second_source_encodes_nothing(dataset, tmp_path):
    view = dataset.views["photo"]
    Source(dataset, cache=ArrayCache(tmp_path)).feed(view, Counting(), encoded=True)
    source, encoder = Source(dataset, cache=ArrayCache(tmp_path)), Counting()
    check_rows(source.feed(view, encoder, encoded=True))
    assert encoder.encoded == 0
    assert encoder.decoded == [5]  # the damaged one is tried again: it may have been mended
    assert (source.counts["encoded"], source.counts["cached"]) == (0, 3)


@pytest.mark.parametrize("cached", [False, True])
def test_an_unreadable_item_is_named_once_whatever_asks_for_it(dataset, tmp_path, cached):
    source = Source(dataset, cache=ArrayCache(tmp_path) if cached else None)
    view = dataset.views["photo"]
    for encoder in (Trained(), Trained(), Counting()):
        for encoded in (False, True):
            feed = source.feed(view, encoder, encoded=encoded)
            assert feed.ids[5, 0] == -1
    assert source.counts["unreadable"] == 1
    (problem,) = source.problems
    assert (problem.kind, problem.column, problem.rows, problem.count) == ("unreadable", "photo", (5,), 1)
    assert problem.message.startswith("1 unreadable image item(s) are treated as absent: row 5, column 'photo'")


@pytest.mark.parametrize("cached", [False, True])
def test_encoders_that_decode_alike_share_decoded_items(dataset, tmp_path, cached):
    source = Source(dataset, cache=ArrayCache(tmp_path) if cached else None)
    view, first, second = dataset.views["photo"], Trained(), Trained()
    one, two = (source.feed(view, encoder, encoded=False) for encoder in (first, second))
    assert one.items is two.items
    assert two.batcher == second.batch
    assert second.decoded == []
    check_rows(source.feed(view, second, encoded=True))
    assert second.decoded == []
    other = Counting()
    source.feed(view, other, encoded=True)
    assert sorted(other.decoded) == [0, 1, 3]  # another class may decode in another way


def test_decoded_items_feed_a_network(dataset, tmp_path):
    for cache in (None, ArrayCache(tmp_path)):
        encoder = Trained()
        feed = Source(dataset, cache=cache).feed(dataset.views["photo"], encoder, encoded=False)
        batch = feed.batch(np.array([6, 4, 1, 0]))
        np.testing.assert_allclose(batch.tensors["x"][batch.index[:, 0]][[0, 2, 3], 0], [20, 20, 10])
        assert batch.index[1, 0] == -1
        assert len(batch.tensors["x"]) == 2


def test_an_interrupted_encoding_keeps_what_it_did(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("fusible.tasks.source.SHARD", 1)
    monkeypatch.setattr("fusible.tasks.source.BATCH", 1)
    view, encoder = dataset.views["photo"], Counting()
    forward = encoder.forward

    def fail(tensors):
        if encoder.encoded == 2:
            raise KeyboardInterrupt
        return forward(tensors)

    encoder.forward = fail
    with pytest.raises(KeyboardInterrupt):
        Source(dataset, cache=ArrayCache(tmp_path)).feed(view, encoder, encoded=True)
    source, again = Source(dataset, cache=ArrayCache(tmp_path)), Counting()
    check_rows(source.feed(view, again, encoded=True))
    assert (again.encoded, source.counts["cached"]) == (1, 2)


def test_an_error_that_is_no_data_error_is_raised(dataset):
    encoder = Counting()
    encoder.decode = lambda value: 1 // 0
    with pytest.raises(ZeroDivisionError):
        Source(dataset).feed(dataset.views["photo"], encoder, encoded=True)


def test_training_items_and_values_are_those_of_the_rows(dataset):
    source, photo = Source(dataset), dataset.views["photo"]
    assert [m.row for m in source.training_items(photo, np.array([0, 2, 4, 6]))] == [0, 1]
    assert [m.row for m in source.values(photo, np.array([6, 2, 0]))] == [1, 0, 0]
    table = dataset.views["table"]
    assert source.values(table, np.array([3, 1]))["n"].tolist() == [3.0, 1.0]


def test_progress_counts_every_item(dataset):
    from contextlib import contextmanager

    seen = []

    class Shown:
        @contextmanager
        def stage(self, name, total):
            seen.append([name, total, 0])

            class Bar:
                def advance(self, n=1):
                    seen[-1][2] += n

            yield Bar()

    Source(dataset, progress=Shown()).feed(dataset.views["photo"], Counting(), encoded=True)
    assert seen == [["encode photo", 4, 4]]


def test_many_unreadable_items_are_counted_and_three_are_told(png):
    good = png(np.zeros((4, 4, 3)))
    cells = [good, *(good[: 20 + i] for i in range(6))]
    dataset = read(pd.DataFrame({"photo": cells}))
    source = Source(dataset)
    source.feed(dataset.views["photo"], Counting(), encoded=True)
    (problem,) = source.problems
    assert problem.count == 6
    assert problem.message.count("row ") == 3
    assert problem.message.endswith("and 3 more")


def test_a_bad_encoder_call_is_no_data_error(dataset):
    with pytest.raises(DataError, match="row 5, column 'photo'"):
        Counting().decode(dataset.view_data("photo").values[3])


def test_sequences_are_as_long_as_the_source_says(png, tmp_path):
    """A source of longer sequences has a place of its own in the cache: one of short ones is not met there."""
    from fusible.encoders.image_efficientnet import ImageEfficientnet

    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"photo": [png(rng.integers(0, 255, (40, 40, 3))) for _ in range(3)]})
    encoder, cache = ImageEfficientnet(size=160), ArrayCache(tmp_path)
    dataset = read(frame)
    view = dataset.views["photo"]
    lengths = []
    for steps in (16, 64, 64):
        source = Source(dataset, cache=cache, workers=1, steps=steps)
        feed = source.feed(view, encoder, encoded=True, tokens=True)
        lengths.append((feed.tokens.shape[1], source.counts["encoded"]))
    assert lengths == [(16, 3), (25, 3), (25, 0)]
