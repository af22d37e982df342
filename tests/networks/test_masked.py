"""Masked-view pretraining: what is hidden, the loss against its formula, and that it learns without labels."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusible.networks._masked import MaskedViews, hide
from fusible.networks.multimodal_transformer import MultimodalTransformer
from fusible.training.feed import Feed
from fusible.training.loop import TrainSettings, collate, seeded, train

ROWS = 300


def problem(shared=True):
    """Two views of six columns that share a latent of two, or nothing; every ninth row lacks one of them."""
    draw = np.random.default_rng(0)
    latent = draw.normal(size=(ROWS, 2))
    views = {}
    for view in ("a", "b"):
        source = latent if shared else draw.normal(size=(ROWS, 2))
        views[view] = (source @ draw.normal(size=(2, 6)) * 3 + 1).astype(np.float32)
    ids = {view: np.arange(ROWS)[:, None] for view in views}
    ids["a"][::9] = -1
    return {view: Feed(ids[view], features=features) for view, features in views.items()}


def masked(feeds, rows):
    with seeded(0):
        network = MultimodalTransformer({}, {"a": 6, "b": 6}, outputs=2, width=16, heads=2, dropout=0.0)
        return MaskedViews(network, collate(feeds, rows))


def run(feeds, epochs=25):
    whole = np.flatnonzero(np.arange(ROWS) % 9 != 0)
    wrapped = masked(feeds, whole[:200])
    settings = TrainSettings(epochs=epochs, batch=32, peak_rate=5e-3, patience=epochs)
    nothing = torch.zeros(ROWS, 1)
    history = train(wrapped, feeds, nothing, whole[:200], whole[200:], lambda error, _: error.mean(), settings)
    return wrapped, history


@given(seed=st.integers(0, 10_000), views=st.integers(2, 5))
def test_one_view_is_hidden_and_one_is_shown_wherever_two_are_there(seed, views):
    torch.manual_seed(seed)
    present = torch.rand(40, views) < 0.6
    shown = hide(present)
    assert not (shown & ~present).any()
    count, left = present.sum(dim=1), shown.sum(dim=1)
    assert (left[count >= 2] >= 1).all()
    assert (left[count >= 2] < count[count >= 2]).all()
    assert torch.equal(shown[count <= 1], present[count <= 1])


def test_every_view_is_hidden_at_times():
    torch.manual_seed(0)
    share = (~hide(torch.ones(4000, 2, dtype=torch.bool))).float().mean(dim=0)
    torch.testing.assert_close(share, torch.full((2,), 0.5), atol=0.03, rtol=0)


def test_the_loss_is_the_error_of_each_present_view_hidden_in_turn():
    feeds = problem()
    rows = np.array([0, 1, 2, 9])
    wrapped = masked(feeds, np.arange(1, 9)).eval()
    views = collate(feeds, rows)
    encoded, present = wrapped.network.encode(views)
    losses = []
    for i, view in enumerate(("a", "b")):
        shown = present.clone()
        shown[:, i] = False
        states = wrapped.network.view_states(encoded, shown)
        kept = feeds[view].features[1:9].astype(float)
        target = (feeds[view].features[rows] - kept.mean(axis=0)) / kept.std(axis=0, ddof=1)
        guess = wrapped.guesses[i](states[:, i]).detach().numpy()
        losses.append(((guess - target.clip(-5, 5)) ** 2).mean(axis=1) * present[:, i].numpy())
    expected = sum(losses) / present.sum(dim=1).clamp(min=1).numpy()
    np.testing.assert_allclose(wrapped(views)[:, 0].detach().numpy(), expected, rtol=1e-4)


def test_it_learns_what_views_share_without_labels():
    _, history = run(problem())
    assert min(history.valid) < 0.35 * history.valid[0]
    assert history.valid[history.best] == min(history.valid)


def test_views_that_share_nothing_are_guessed_by_their_mean():
    _, history = run(problem(shared=False), epochs=6)
    assert 0.85 < min(history.valid) < 1.2


def test_columns_that_never_vary_are_harmless():
    feeds = problem()
    feeds["a"].features[:, 0] = 7.0
    wrapped, history = run(feeds, epochs=2)
    assert wrapped.deviation[0] == 1.0
    assert np.isfinite(history.valid).all()
