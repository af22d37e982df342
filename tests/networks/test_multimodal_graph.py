"""The graph network: inductive, blind to labels and to itself, and of use where a view is absent."""

import sys

import numpy as np
import pytest
import torch

from fusible.errors import ConfigError, MissingExtraError
from fusible.networks import multimodal_graph
from fusible.networks.multimodal_graph import MultimodalGraph
from fusible.training.feed import Feed
from fusible.training.loop import TrainSettings, collate, outputs, seeded, train
from fusible.types import Encoded, ViewBatch

WIDTHS = {"a": 6, "b": 4}
ROWS = 240


def feeds(seed=0, rows=ROWS, gone=0.25):
    rng = np.random.default_rng(seed)
    made = {}
    for view, width in WIDTHS.items():
        ids = np.arange(rows)[:, None]
        ids[rng.random(rows) < gone] = -1
        made[view] = Feed(ids, features=rng.normal(size=(rows, width)).astype(np.float32))
    return made


def learned(of, rows, **settings):
    with seeded(0):
        network = MultimodalGraph({}, WIDTHS, outputs=3, width=16, **settings)
    network.learn(collate(of, rows))
    return network.eval()


def test_a_row_alone_is_predicted_as_in_a_batch():
    network, unseen = learned(feeds(), np.arange(200)), feeds(seed=9)
    together = outputs(network, unseen, np.arange(ROWS))
    alone = np.concatenate([outputs(network, unseen, np.array([row])) for row in range(ROWS)])
    np.testing.assert_allclose(alone, together, atol=2e-6)
    np.testing.assert_allclose(outputs(network, unseen, np.arange(ROWS), size=7), together, atol=2e-6)


def test_chunks_change_nothing(monkeypatch):
    network, unseen = learned(feeds(), np.arange(200)), feeds(seed=9)
    together = outputs(network, unseen, np.arange(ROWS))
    monkeypatch.setattr(multimodal_graph, "CHUNK", 11)
    np.testing.assert_allclose(outputs(network, unseen, np.arange(ROWS)), together, atol=2e-6)


def test_similarity_follows_the_anchors_however_they_change():
    of, rows = feeds(gone=0.0), np.arange(200, ROWS)
    network, other = learned(of, np.arange(100)), learned(of, np.arange(100, 200))
    before, expected = outputs(network, of, rows), outputs(other, of, rows)
    assert np.abs(before - expected).max() > 1e-3
    network.load_state_dict(other.state_dict())
    np.testing.assert_array_equal(outputs(network, of, rows), expected)
    network.learn(collate(of, np.arange(100)))
    np.testing.assert_array_equal(outputs(network, of, rows), before)
    with torch.no_grad():
        network.anchors0.add_(1.0)
    moved = learned(of, np.arange(100))
    moved.anchors0.add_(1.0)
    np.testing.assert_array_equal(outputs(network, of, rows), outputs(moved, of, rows))


def test_rows_are_joined_to_the_nearest_anchors_that_hold_the_view():
    of = feeds()
    network = learned(of, np.arange(200), neighbours=3)
    encoded, present = network.encode(collate(of, np.arange(200, ROWS)))
    rows, anchors, marks = network._edges(network._clean(encoded, present), present, None)
    for i in range(2):
        here = marks[:, i] == 1.0
        counts = torch.bincount(rows[here], minlength=len(present))
        assert torch.equal(counts, torch.where(present[:, i], 3, 0))
        assert network.held[anchors[here], i].all()
        stored = getattr(network, f"anchors{i}").numpy()
        kept = stored[network.held[:, i].numpy()]
        scaled = (stored - kept.mean(axis=0)) / kept.std(axis=0, ddof=1)
        scaled[~network.held[:, i].numpy()] = np.nan
        for row in np.flatnonzero(present[:, i])[:5]:
            own = (encoded[list(WIDTHS)[i]].pooled[row].numpy() - kept.mean(axis=0)) / kept.std(axis=0, ddof=1)
            alike = scaled @ own / np.linalg.norm(scaled, axis=1) / np.linalg.norm(own)
            assert set(anchors[here & (rows == row)].tolist()) == set(np.argsort(-np.nan_to_num(alike, nan=-9))[:3])


def test_anchors_are_a_seeded_sample_of_rows_that_hold_something(monkeypatch):
    of = feeds(gone=0.6)
    monkeypatch.setattr(multimodal_graph, "MOST", 50)
    network, again = learned(of, np.arange(200)), learned(of, np.arange(200))
    assert network.plain() == {"width": 16, "neighbours": 8, "anchors": 50}
    assert torch.equal(network.anchors0, again.anchors0)
    assert network.held.any(dim=1).all()
    known = {tuple(row) for row in of["a"].features[:200]}
    stored = network.anchors0[network.held[:, 0]].numpy()
    assert all(tuple(row) in known for row in stored)
    with seeded(0):
        other = MultimodalGraph({}, WIDTHS, outputs=3, width=16)
    other.learn(collate(of, np.arange(200)), seed=1)
    assert not torch.equal(network.anchors0, other.anchors0)


@pytest.mark.parametrize("dropout", [0.0, 0.95])
def test_in_training_no_row_is_joined_to_itself_or_to_its_double(dropout):
    of = feeds()
    for feed in of.values():  # rows 0 and 1 are the same in all their views
        feed.ids[0] = 0
        feed.ids[1] = 0
    network = learned(of, np.arange(ROWS), modality_dropout=dropout)
    batches = collate(of, np.array([0, 5]))
    encoded, present = network.encode(batches)
    everything = network._clean(*network.encode(collate(of, np.arange(ROWS))))
    whole = network._clean(encoded, present)

    def alike(row):
        return {
            a
            for a in range(network.anchors)
            if all(torch.equal(getattr(network, f"anchors{i}")[a], whole[i][row]) for i in range(2))
        }

    shown = present.clone()
    shown[:, 1] &= ~present[:, 0]  # views may be hidden from a row, which is itself all the same
    _, seen, _ = network._edges(whole, shown, None)
    rows, anchors, _ = network._edges(whole, shown, present)
    assert len(everything[0]) == ROWS
    assert len(alike(0)) == 2
    assert len(alike(1)) == 1
    assert alike(0) | alike(1) <= set(seen.tolist())  # at prediction they are the nearest
    for row in range(2):
        assert not alike(row) & set(anchors[rows == row].tolist())


def test_labels_are_no_part_of_what_is_stored():
    network = learned(feeds(), np.arange(200))
    stored = {name: tuple(buffer.shape) for name, buffer in network.named_buffers()}
    number = network.anchors
    assert stored == {"anchors0": (number, 6), "anchors1": (number, 4), "held": (number, 2)}


def test_alike_rows_tell_what_an_absent_view_would_hold():
    """View b tells the class; where it is absent, view a finds anchors of the same cluster, which hold it."""
    rng = np.random.default_rng(0)
    clusters, rows = 40, 800
    cluster = rng.integers(0, clusters, rows)
    centres = {"a": rng.normal(size=(clusters, 6)) * 2, "b": rng.normal(size=(clusters, 4)) * 2}
    label = (centres["b"][:, 0] > 0).astype(int)[cluster]
    made = {}
    for view, width in WIDTHS.items():
        ids = np.arange(rows)[:, None]
        vectors = centres[view][cluster] + rng.normal(size=(rows, width)) * 0.2
        made[view] = Feed(ids, features=vectors.astype(np.float32))
    made["b"].ids[500:] = -1
    network = learned(made, np.arange(400))
    settings = TrainSettings(epochs=15, batch=64, peak_rate=5e-3, patience=15)
    target = torch.from_numpy(np.where(label, 2, 0))
    train(network, made, target, np.arange(400), np.arange(400, 500), torch.nn.functional.cross_entropy, settings)
    guess = outputs(network, made, np.arange(500, rows)).argmax(axis=1)
    assert (guess == target[500:].numpy()).mean() > 0.9


def test_the_same_seed_gives_the_same_network():
    of, found = feeds(), []
    for _ in range(2):
        network = learned(of, np.arange(200), modality_dropout=0.3)
        target = torch.arange(ROWS) % 3
        settings = TrainSettings(epochs=2, batch=32)
        train(network, of, target, np.arange(200), np.arange(200, ROWS), torch.nn.functional.cross_entropy, settings)
        found.append(outputs(network, of, np.arange(200, ROWS)))
    np.testing.assert_array_equal(*found)


def test_without_anchors_rows_stand_alone():
    with seeded(0):
        network = MultimodalGraph({}, WIDTHS, outputs=3, width=16).eval()
    one = Encoded(torch.ones(1, 1, 6), torch.ones(1, 1, dtype=torch.bool))
    other = Encoded(torch.ones(0, 1, 4), torch.ones(0, 1, dtype=torch.bool))
    batch = {
        "a": ViewBatch(torch.tensor([[0], [-1]]), encoded=one),
        "b": ViewBatch(torch.tensor([[-1], [-1]]), encoded=other),
    }
    assert torch.isfinite(network(batch)).all()


@pytest.mark.parametrize("odd", [{"width": 0}, {"neighbours": 0}, {"anchors": -1}, {"anchors": 10**9}])
def test_odd_settings_are_refused(odd):
    with pytest.raises(ConfigError, match="multimodal_graph: expected width and neighbours"):
        MultimodalGraph({}, WIDTHS, outputs=2, **odd)


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_geometric.nn", None)
    with pytest.raises(MissingExtraError, match=r"fusible\[graph\]"):
        MultimodalGraph({}, WIDTHS, outputs=2)
