"""What networks of deep aligners are made of and fed with: dropout, standard columns, averaged weights."""

import numpy as np
import pytest
import torch
from torch import nn

from fusible.alignment._branches import ByteDropout, Standardise
from fusible.alignment._gather import standards_of
from fusible.alignment._optimise import AVERAGE, _average
from fusible.alignment._views import as_views


def test_byte_dropout_keeps_the_expectation():
    torch.manual_seed(0)
    drop = ByteDropout(0.2)
    rows = torch.ones(1000, 333)
    there = drop(rows)
    assert float((there == 0).float().mean()) == pytest.approx(0.2, abs=5e-3)
    assert float(there.mean()) == pytest.approx(1.0, abs=5e-3)
    assert torch.equal(drop.eval()(rows), rows)
    assert torch.equal(ByteDropout(0.0).train()(rows), rows)


def test_standardise_takes_whole_numbers():
    module = Standardise(2)
    module.mean.fill_(1.0)
    module.factor.fill_(0.5)
    assert module(torch.tensor([[1, 3]])).tolist() == [[0.0, 1.0]]


def test_columns_are_divided_by_deviation_or_half_their_reach():
    rng = np.random.default_rng(0)
    signs = np.where(np.arange(3000) % 2, 1.0, -1.0)
    rare = (np.arange(3000) == 7).astype(float)
    rows = np.stack([signs * 1e3 + 5, rare, np.full(3000, 7.0), rng.normal(size=3000)], axis=1)
    (module,) = standards_of(as_views({"a": rows, "b": rows[:, :1]}), np.arange(3000))[:1]
    scaled = module(torch.from_numpy(rows)).double().numpy()
    variance = scaled.var(axis=0)
    assert variance[[0, 1, 3]].mean() == pytest.approx(1.0, abs=1e-6)
    assert variance[2] == 0.0
    assert np.abs(scaled[:, 1]).max() / np.abs(scaled[:, 0]).max() == pytest.approx(2.0, rel=1e-3)
    np.testing.assert_allclose(scaled[:, [0, 1, 3]].mean(axis=0), 0.0, atol=1e-6)


def test_columns_of_one_unit_are_divided_by_one_number():
    rows = np.random.default_rng(0).normal(size=(500, 3)) * [1.0, 10.0, 0.0] + 5
    views = as_views({"a": rows, "b": rows})
    module = standards_of(views, np.arange(500), "view")[0]
    variance = rows[:, :2].var(axis=0).mean()
    np.testing.assert_allclose(module.factor.numpy(), [variance**-0.5, variance**-0.5, 0.0])


def test_statistics_are_of_given_rows_and_do_not_depend_on_chunks():
    rows = np.random.default_rng(0).normal(size=(5000, 3)) * 1e-3 + 1e6
    views = as_views({"a": rows, "b": rows})
    module = standards_of(views, np.arange(0, 5000, 2))[0]
    some = rows[::2]
    size = np.maximum(some.std(0), np.abs(some - some.mean(0)).max(0) / 2)
    size *= np.sqrt(np.mean((some.std(0) / size) ** 2))
    np.testing.assert_allclose(module.mean.numpy(), some.mean(0), rtol=1e-14)
    np.testing.assert_allclose(module.factor.numpy(), 1 / size, rtol=1e-5)


def test_averaged_weights_forget_how_they_began():
    old, new = nn.Linear(2, 2), nn.Linear(2, 2)
    start, end = old.weight.detach().clone(), new.weight.detach().clone()
    _average(old, new, 0)
    np.testing.assert_allclose(old.weight.detach(), 0.1 * start + 0.9 * end, atol=1e-6)
    old.weight.data.copy_(start)
    _average(old, new, 10**6)
    np.testing.assert_allclose(old.weight.detach(), AVERAGE * start + (1 - AVERAGE) * end, atol=1e-6)
