"""Joint against its formula, and the gathering of items."""

import torch
from torch import nn

from fusible.fusion.concat import Concat
from fusible.networks._base import gather
from fusible.networks.joint import Joint
from fusible.types import Encoded, ViewBatch


def items(vectors):
    return Encoded(vectors.unsqueeze(1), torch.ones(len(vectors), 1, dtype=torch.bool), vectors)


def test_gather_gives_every_row_the_mean_of_its_items():
    vectors = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    found = gather(items(vectors), torch.tensor([[0, 2], [1, -1], [-1, -1]]))
    assert found.mask.tolist() == [[True, True], [True, False], [False, False]]
    torch.testing.assert_close(found.pooled, torch.tensor([[3.0, 4.0], [3.0, 4.0], [0.0, 0.0]]))


def test_gather_of_nothing_is_zero():
    found = gather(items(torch.zeros(0, 2)), torch.tensor([[-1], [-1]]))
    assert torch.equal(found.pooled, torch.zeros(2, 2))
    assert not found.mask.any()


def test_equals_encoder_operator_and_head_in_turn():
    torch.manual_seed(0)
    encoder = nn.Linear(3, 4)
    operator = Concat({"a": 4, "b": 2}, width=5)

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = encoder

        def forward(self, tensors):
            return items(self.inner(tensors["x"]))

    joint = Joint({"a": Wrapped()}, operator, outputs=2).eval()
    x, b = torch.randn(2, 3), torch.randn(4, 2)
    index = torch.tensor([[1], [0], [1], [-1]])
    present = torch.tensor([[True, True], [True, True], [True, True], [False, True]])
    by_row = items(encoder(x)[index.clamp(min=0)[:, 0]])
    expected = joint.head.linear(operator({"a": by_row, "b": items(b)}, present))
    every = torch.arange(4).unsqueeze(1)
    given = joint({"a": ViewBatch(index, tensors={"x": x}), "b": ViewBatch(every, encoded=items(b))})
    torch.testing.assert_close(given, expected)


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    joint = Joint({}, Concat({"a": 2}, width=32), outputs=1, dropout=0.5)
    batch = {"a": ViewBatch(torch.tensor([[0]]), encoded=items(torch.tensor([[1.0, -1.0]])))}
    joint.eval()
    assert torch.equal(joint(batch), joint(batch))
    joint.train()
    assert not torch.equal(joint(batch), joint(batch))
