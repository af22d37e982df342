"""The contract of every network (design, section 4), over everything registered."""

import pytest
import torch
from torch import nn

from fusible import registry
from fusible.types import Encoded, ViewBatch

NETWORKS = registry.names("networks")
WIDTHS = {"photo": 4, "note": 3, "table": 5}
ROWS = 6
POISON = (float("nan"), float("inf"), 1e30)

pytestmark = pytest.mark.parametrize("name", NETWORKS)


class Counting(nn.Module):
    """An encoder that counts the items it sees."""

    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(2, width)
        self.items = 0

    def forward(self, tensors):
        self.items += len(tensors["x"])
        vectors = torch.tanh(self.linear(tensors["x"]))
        return Encoded(vectors.unsqueeze(1), torch.ones(len(vectors), 1, dtype=torch.bool), vectors)


def network(name, seed=0, operator="concat"):
    """A network that encodes `photo` by itself and takes `note` and `table` encoded."""
    torch.manual_seed(seed)
    fusing = registry.build("fusion", operator, widths=WIDTHS, width=6)
    with torch.no_grad():
        fusing.absent.normal_()
    return registry.build(
        "networks", name, encoders={"photo": Counting(WIDTHS["photo"])}, operator=fusing, outputs=2
    ).eval()


def encoded(vectors):
    """Encoded items, one token each."""
    return Encoded(vectors.unsqueeze(1), torch.ones(len(vectors), 1, dtype=torch.bool), vectors)


def batch():
    """Six rows: photos shared and in two slots, notes and table rows absent here and there; row 5 holds nothing."""
    draw = torch.Generator().manual_seed(1)
    photo = torch.tensor([[0, 1], [1, -1], [-1, 2], [0, 0], [-1, -1], [-1, -1]])
    note, table = torch.tensor([[0], [1], [-1], [0], [2], [-1]]), torch.tensor([[0], [1], [2], [-1], [3], [-1]])
    return {
        "photo": ViewBatch(photo, tensors={"x": torch.randn(3, 2, generator=draw)}),
        "note": ViewBatch(note, encoded=encoded(torch.randn(3, 3, generator=draw))),
        "table": ViewBatch(table, encoded=encoded(torch.randn(4, 5, generator=draw))),
    }


def take(views, rows):
    """The same items, other rows."""
    return {view: ViewBatch(one.index[rows], one.tensors, one.encoded) for view, one in views.items()}


@pytest.mark.parametrize("operator", registry.names("fusion"))
def test_outputs_are_finite_and_rows_do_not_mix(name, operator):
    built, views = network(name, operator=operator), batch()
    outputs = built(views)
    assert outputs.shape == (ROWS, 2)
    assert torch.isfinite(outputs).all()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(built(take(views, order)), outputs[order])
    for row in range(ROWS):
        torch.testing.assert_close(built(take(views, torch.tensor([row]))), outputs[row : row + 1])


def test_each_distinct_item_is_encoded_once(name):
    built = network(name)
    built(batch())
    assert built.encoders[0].items == 3


def test_the_order_and_number_of_slots_are_a_mean(name):
    built, views = network(name), batch()
    outputs = built(views)
    swapped = {**views, "photo": ViewBatch(views["photo"].index.flip(1), views["photo"].tensors)}
    torch.testing.assert_close(built(swapped), outputs)
    wider = torch.cat([views["photo"].index, torch.full((ROWS, 1), -1)], dim=1)
    torch.testing.assert_close(built({**views, "photo": ViewBatch(wider, views["photo"].tensors)}), outputs)
    once = views["photo"].index.clone()
    once[3, 1] = -1  # row 3 holds the same photo twice: the mean is that of one
    torch.testing.assert_close(built({**views, "photo": ViewBatch(once, views["photo"].tensors)}), outputs)


def test_encoding_inside_equals_encoding_before(name):
    built, views = network(name), batch()
    before = {**views, "photo": ViewBatch(views["photo"].index, encoded=built.encoders[0](views["photo"].tensors))}
    assert torch.equal(built(before), built(views))


@pytest.mark.parametrize("value", POISON)
def test_items_that_no_row_holds_change_nothing(name, value):
    built, views = network(name), batch()
    outputs = built(views)
    more = {
        view: ViewBatch(
            one.index,
            None if one.tensors is None else {"x": torch.cat([one.tensors["x"], torch.full((1, 2), value)])},
            None if one.encoded is None else encoded(_with(one.encoded.vector, value)),
        )
        for view, one in views.items()
    }
    torch.testing.assert_close(built(more), outputs)
    built.zero_grad()
    built(more).square().sum().backward()
    plain = network(name)
    plain(views).square().sum().backward()
    for (key, one), (_, other) in zip(built.named_parameters(), plain.named_parameters(), strict=True):
        if "encoders" not in key or abs(value) < float("inf"):
            torch.testing.assert_close(one.grad, other.grad, msg=key)


def _with(vectors, value):
    return torch.cat([vectors, torch.full((1, vectors.shape[1]), value)])


def test_a_view_without_any_item_is_absent(name):
    built, views = network(name), batch()
    gone = torch.full((ROWS, 1), -1)
    without = {**views, "note": ViewBatch(gone, encoded=encoded(torch.zeros(0, 3)))}
    same = {**views, "note": ViewBatch(gone, encoded=views["note"].encoded)}
    outputs = built(without)
    assert torch.isfinite(outputs).all()
    assert torch.equal(outputs, built(same))
    outputs.sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in built.parameters())


def test_state_round_trip_and_seed(name):
    built, other = network(name, seed=1), network(name, seed=2)
    views = batch()
    assert not torch.equal(built(views), other(views))
    other.load_state_dict(built.state_dict())
    assert torch.equal(built(views), other(views))
    assert torch.equal(network(name, seed=1)(views), built(views))


@pytest.mark.parametrize("odd", ["a.b", "two words", "items", "keys", "forward"])
def test_view_names_are_free(name, odd):
    torch.manual_seed(0)
    fusing = registry.build("fusion", "concat", widths={odd: 4}, width=6)
    built = registry.build("networks", name, encoders={odd: Counting(4)}, operator=fusing, outputs=2).eval()
    view = ViewBatch(torch.tensor([[0], [-1]]), tensors={"x": torch.ones(1, 2)})
    assert torch.isfinite(built({odd: view})).all()
