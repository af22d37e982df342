"""The loop learns, keeps the best epoch, stops early, and is seeded."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from fusible.fusion.concat import Concat
from fusible.networks.joint import Joint
from fusible.training.feed import Feed
from fusible.training.loop import TrainSettings, evaluate_loss, outputs, seeded, train

ROWS = 80


def study(seed=0, *, absent=()):
    """A network, feeds, target and rows of a problem that a line solves."""
    draw = np.random.default_rng(7)
    features = draw.normal(size=(ROWS, 4)).astype(np.float32)
    ids = np.arange(ROWS)[:, None]
    ids[list(absent)] = -1
    target = torch.from_numpy((features[:, 0] - features[:, 1] > 0).astype(np.int64))
    with seeded(seed):
        network = Joint({}, Concat({"v": 4}, width=8), outputs=2)
    return network, {"v": Feed(ids, features=features)}, target, np.arange(50), np.arange(50, ROWS)


def run(network, feeds, target, rows, valid, seed=0, **changes):
    settings = TrainSettings(**{"epochs": 6, "batch": 16, "peak_rate": 2e-2, **changes})
    return train(network, feeds, target, rows, valid, nn.functional.cross_entropy, settings, seed=seed)


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_learns():
    network, feeds, target, rows, valid = study()
    history = run(network, feeds, target, rows, valid, epochs=40, patience=40)
    right = outputs(network, feeds, valid).argmax(axis=1) == target[valid].numpy()
    assert right.mean() > 0.85  # 50 rows to learn from, 30 to judge by
    assert history.valid[history.best] == min(history.valid)
    assert history.train[-1] < history.train[0]
    assert history.seconds > 0


def test_same_seed_same_weights():
    nets = []
    for seed in (3, 3, 4):
        network, *rest = study()
        run(network, *rest, seed=seed)
        nets.append(weights(network))
    assert torch.equal(nets[0], nets[1])
    assert not torch.equal(nets[0], nets[2])


def test_leaves_torchs_generator_as_it_was():
    torch.manual_seed(11)
    state = torch.get_rng_state()
    run(*study())
    assert torch.equal(torch.get_rng_state(), state)


def test_keeps_the_weights_of_the_best_epoch(monkeypatch):
    network, feeds, target, rows, valid = study()
    seen, losses = [], iter([0.9, 0.5, 0.7, 0.6, 0.8])

    def scripted(network, *_):
        seen.append(weights(network))
        return next(losses)

    monkeypatch.setattr("fusible.training.loop.evaluate_loss", scripted)
    history = run(network, feeds, target, rows, valid, epochs=5)
    assert history.best == 1
    assert history.valid == [0.9, 0.5, 0.7, 0.6, 0.8]
    assert torch.equal(weights(network), seen[1])
    assert not torch.equal(seen[1], seen[4])


def test_patience_ends_training(monkeypatch):
    losses, epochs = iter([0.5, 0.6, 0.7, 0.8, 0.4]), []
    monkeypatch.setattr("fusible.training.loop.evaluate_loss", lambda *_: next(losses))
    network, *rest = study()
    settings = TrainSettings(epochs=5, batch=16, patience=3)
    history = train(network, *rest, nn.functional.cross_entropy, settings, on_epoch=lambda _: epochs.append(1))
    assert (history.best, len(history.valid), len(epochs)) == (0, 4, 4)


def test_a_loss_that_is_not_a_number_never_wins(monkeypatch):
    losses = iter([float("nan"), 0.7, float("nan"), 0.9])
    monkeypatch.setattr("fusible.training.loop.evaluate_loss", lambda *_: next(losses))
    network, *rest = study()
    assert run(network, *rest, epochs=4).best == 1


def test_without_validation_rows_the_last_epoch_is_kept():
    network, feeds, target, rows, _ = study()
    history = run(network, feeds, target, rows, np.array([], np.int64), epochs=30, patience=3)
    assert history.best == 29
    right = outputs(network, feeds, rows).argmax(axis=1) == target[rows].numpy()
    assert right.mean() > 0.85  # 50 rows to learn from, 30 to judge by


def test_validation_loss_is_the_mean_over_rows(monkeypatch):
    network, feeds, target, _, valid = study()
    loss = nn.functional.cross_entropy
    raw = torch.from_numpy(outputs(network, feeds, valid))
    assert evaluate_loss(network, feeds, target, valid, loss, "cpu") == pytest.approx(loss(raw, target[valid]).item())


def test_outputs_do_not_depend_on_the_size_of_batches():
    network, feeds, *_ = study()
    whole = outputs(network, feeds, np.arange(ROWS))
    np.testing.assert_allclose(outputs(network, feeds, np.arange(ROWS), size=7), whole, atol=1e-6)
    assert outputs(network, feeds, np.array([], np.int64)).shape == (0, 2)


def test_frozen_weights_stay():
    network, *rest = study()
    network.operator.requires_grad_(False)
    before = network.operator.state_dict()["projections.0.weight"].clone()
    head = network.head.linear.weight.detach().clone()
    run(network, *rest)
    assert torch.equal(network.operator.state_dict()["projections.0.weight"], before)
    assert not torch.equal(network.head.linear.weight, head)


def test_biases_and_norms_are_not_decayed():
    network, feeds, _, rows, valid = study()
    with torch.no_grad():
        network.head.linear.bias.fill_(1.0)
        network.head.linear.weight.fill_(1.0)

    def constant(raw, _):
        return 0.0 * raw.sum()

    train(network, feeds, torch.zeros(ROWS), rows, valid, constant, TrainSettings(epochs=3, weight_decay=0.5), seed=0)
    assert torch.equal(network.head.linear.bias, torch.ones(2))
    assert (network.head.linear.weight < 1.0).all()


def test_grouped_batches_reach_every_row_once_per_epoch():
    network, feeds, target, rows, valid = study()
    shared = Feed(np.arange(ROWS)[:, None] // 5, features=feeds["v"].features[: ROWS // 5])
    sizes = []

    def loss(raw, wanted):
        if raw.requires_grad:
            sizes.append(len(wanted))
        return nn.functional.cross_entropy(raw, wanted)

    settings = TrainSettings(epochs=2, batch=4)
    train(network, {"v": shared}, target, rows, valid, loss, settings, group_by="v")
    assert sizes == [20, 20, 10] * 2 or sorted(sizes) == sorted([20, 20, 10] * 2)


def test_absent_rows_train_without_harm():
    network, feeds, target, rows, valid = study(absent=range(0, ROWS, 3))
    history = run(network, feeds, target, rows, valid)
    assert np.isfinite([*history.train, *history.valid]).all()
    assert torch.isfinite(weights(network)).all()


def test_an_error_in_a_batch_reaches_the_caller():
    network, _, target, rows, valid = study()
    broken = SimpleNamespace(batch=lambda *_: (_ for _ in ()).throw(OSError("disk gone")))
    with pytest.raises(OSError, match="disk gone"):
        run(network, {"v": broken}, target, rows, valid)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_training_of_a_few_steps_has_a_schedule(epochs):
    """Four steps and a warm-up of a quarter ended in a division by zero."""
    network, feeds, target, rows, valid = study()
    history = run(network, feeds, target, rows[:32], valid, epochs=epochs, warmup=0.25)
    assert len(history.train) == epochs
    assert np.isfinite(history.train).all()
