"""Hard negatives in InfoNCE against the formula, written out."""

import numpy as np
import pytest
import torch

from fusible.alignment._losses import info_nce
from fusible.alignment.contrastive import Contrastive
from fusible.errors import ConfigError


def test_strangers_weigh_by_their_cosine(rng):
    one, other = (torch.from_numpy(rng.normal(size=(4, 3))) for _ in range(2))
    scale, hardness = 5.0, 3.0
    units = [rows.numpy() / np.linalg.norm(rows.numpy(), axis=1, keepdims=True) for rows in (one, other)]
    near = units[0] @ units[1].T
    losses = []
    for cosine in (near, near.T):
        for i in range(4):
            strange = np.delete(cosine[i], i)
            weight = np.exp(hardness * strange)
            rest = (weight / weight.mean() * np.exp(scale * strange)).sum()
            own = np.exp(scale * cosine[i, i])
            losses.append(-np.log(own / (own + rest)))
    found = info_nce(one, other, torch.tensor(scale), hardness=hardness)
    assert float(found) == pytest.approx(np.mean(losses))


def test_none_is_plain_and_a_batch_without_strangers_is_finite(rng):
    rows = torch.from_numpy(rng.normal(size=(5, 3))).requires_grad_()
    other, scale = torch.from_numpy(rng.normal(size=(5, 3))), torch.tensor(4.0)
    torch.testing.assert_close(info_nce(rows, other, scale), info_nce(rows, other, scale, hardness=0.0))
    loss = info_nce(rows, other, scale, torch.ones(5, 5, dtype=torch.bool), hardness=2.0)
    loss.backward()
    assert torch.isfinite(rows.grad).all()


def test_the_sigmoid_loss_has_no_hard_negatives(rng):
    views = {"a": rng.normal(size=(30, 3)), "b": rng.normal(size=(30, 3))}
    with pytest.raises(ConfigError, match="hardness"):
        Contrastive(components=2, loss="sigmoid", hardness=1.0, epochs=1).fit(views)
