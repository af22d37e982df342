"""Modulation of views: coefficients and steps against closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fusible.fusion.concat import Concat
from fusible.networks.joint import Joint
from fusible.training.feed import Feed
from fusible.training.loop import TrainSettings, seeded, train
from fusible.training.modulate import Modulated, certainty, coefficients
from fusible.types import Encoded, Task

TASK = Task("binary", ("no", "yes"))
ROWS = 120


class Line(nn.Module):
    """An encoder of one linear layer."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 4)

    def forward(self, tensors):
        vectors = self.inner(tensors["x"])
        return Encoded(vectors.unsqueeze(1), torch.ones(len(vectors), 1, dtype=torch.bool), vectors)


def stacked(items):
    return {"x": torch.from_numpy(np.stack(items))}


def problem(strong=3.0, weak=0.3):
    """View `loud` tells the class easily, view `soft` hardly; some cells are absent."""
    draw = np.random.default_rng(0)
    label = draw.integers(0, 2, ROWS)
    feeds = {}
    for view, size in (("loud", strong), ("soft", weak)):
        items = (draw.normal(size=(ROWS, 3)) + size * (2 * label[:, None] - 1)).astype(np.float32)
        ids = np.arange(ROWS)[:, None]
        ids[draw.random(ROWS) < 0.1] = -1
        feeds[view] = Feed(ids, items=list(items), batcher=stacked)
    with seeded(0):
        encoders = {"loud": Line(), "soft": Line()}
        network = Joint(encoders, Concat({"loud": 4, "soft": 4}, width=8), outputs=2, dropout=0.0)
    return network, feeds, torch.from_numpy(label)


def run(network, feeds, target, module=None, **settings):
    wrapped = module or network
    hook = module.modulate if module else None
    settings = TrainSettings(**{"epochs": 4, "batch": 20, "peak_rate": 5e-3, **settings})
    rows = np.arange(100)
    return train(
        wrapped, feeds, target, rows, np.arange(100, ROWS), nn.functional.cross_entropy, settings, after_backward=hook
    )


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5), st.floats(0.0, 3.0))
def test_coefficients_are_those_of_the_formula(confidence, alpha):
    given_ = {str(i): value for i, value in enumerate(confidence)}
    found = coefficients(given_, alpha)
    for i, own in enumerate(confidence):
        others = confidence[:i] + confidence[i + 1 :]
        ratio = own / (sum(others) / len(others)) if others else 1.0
        expected = 1 - math.tanh(alpha * (ratio - 1)) if ratio > 1 else 1.0
        assert found[str(i)] == pytest.approx(expected, abs=1e-6)
        assert 0.0 <= found[str(i)] <= 1.0


@pytest.mark.parametrize(
    ("task", "raw", "target", "expected"),
    [
        (TASK, [[0.0, math.log(3.0)]], [1], 0.75),
        (Task("multilabel", ("a", "b")), [[math.log(3.0), 0.0]], [[1.0, 0.0]], math.sqrt(0.75 * 0.5)),
        (Task("regression"), [[1.0]], [[2.0]], math.exp(-0.5)),
    ],
)
def test_certainty_is_what_the_truth_is_given(task, raw, target, expected):
    found = certainty(torch.tensor(raw), torch.tensor(target), task)
    assert found.tolist() == pytest.approx([expected])


def test_a_views_confidence_is_that_of_the_view_alone():
    network, feeds, target = problem()
    run(network, feeds, target)
    rows = np.arange(60)
    views = {view: feed.batch(rows) for view, feed in feeds.items()}
    module = Modulated(network, TASK, alpha=1.0)
    found = module.confidences(*network.encode(views), target[:60])
    for view, feed in feeds.items():
        here = rows[feed.presence[rows]]
        hidden = {name: other.batch(here) for name, other in feeds.items()}
        for name, one in hidden.items():
            if name != view:
                one.index.fill_(-1)
        network.eval()
        chance = network(hidden).softmax(dim=1)[torch.arange(len(here)), target[here]]
        assert found[view] == pytest.approx(chance.mean().item(), abs=1e-6)
    assert found["loud"] > found["soft"]


def test_steps_of_the_louder_view_are_scaled_and_no_others(monkeypatch):
    share = 0.25
    monkeypatch.setattr("fusible.training.modulate.coefficients", lambda *_: {"loud": share, "soft": 1.0})
    moved = []
    for modulated in (False, True):
        network, feeds, target = problem()
        before = {name: p.detach().clone() for name, p in network.named_parameters()}
        module = Modulated(network, TASK, alpha=1.0) if modulated else None
        run(network, feeds, target, module, epochs=1, batch=100, weight_decay=0.0)  # one step
        moved.append({name: p.detach() - before[name] for name, p in network.named_parameters()})
    for name, step in moved[0].items():
        factor = share if name.startswith("encoders.0.") else 1.0
        torch.testing.assert_close(moved[1][name], factor * step, atol=1e-6, rtol=1e-3, msg=name)
        assert step.abs().sum() > 0 or "absent" in name


def test_the_louder_view_is_slowed_in_training():
    network, feeds, target = problem()
    module = Modulated(network, TASK, alpha=1.0)
    run(network, feeds, target, module)
    assert module.coefficients["loud"] < 0.95
    assert module.coefficients["soft"] == 1.0
    history = run(network, feeds, target, module)
    assert np.isfinite(history.valid).all()


def test_noise_is_seeded_and_touches_slowed_views_only(monkeypatch):
    monkeypatch.setattr("fusible.training.modulate.coefficients", lambda *_: {"loud": 0.5, "soft": 1.0})
    ends = []
    for noise in (False, True, True):
        network, feeds, target = problem()
        run(network, feeds, target, Modulated(network, TASK, 1.0, noise=noise), epochs=1, batch=100)
        ends.append({name: p.detach().clone() for name, p in network.named_parameters()})
    for name in ends[0]:
        assert torch.equal(ends[1][name], ends[2][name])
        assert torch.equal(ends[0][name], ends[1][name]) == (not name.startswith("encoders.0.")), name


def test_an_encoder_rate_holds_for_encoders_only():
    moved = []
    for rate in (1.0, 0.1):
        network, feeds, target = problem()
        before = {name: p.detach().clone() for name, p in network.named_parameters()}
        run(network, feeds, target, epochs=1, batch=100, weight_decay=0.0, encoder_rate=rate)
        moved.append({name: p.detach() - before[name] for name, p in network.named_parameters()})
    for name, step in moved[0].items():
        factor = 0.1 if name.startswith("encoders.") else 1.0
        torch.testing.assert_close(moved[1][name], factor * step, atol=1e-6, rtol=1e-3, msg=name)


def test_a_step_before_any_forward_is_an_error():
    with pytest.raises(RuntimeError, match="after a forward pass"):
        Modulated(problem()[0], TASK, 1.0).modulate(None, torch.zeros(1))
