"""The contract of every network (design, section 4), over everything registered."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fusible import registry
from fusible.errors import ModelFormatError
from fusible.tasks.build import build_network
from fusible.tasks.nodes import NetworkNode
from fusible.tasks.pack import pack
from fusible.tasks.unpack import unpack
from fusible.training.feed import Feed
from fusible.training.loop import collate
from fusible.types import Encoded, Modality, Task, View, ViewBatch

NETWORKS = registry.names("networks")
WIDTHS = {"photo": 4, "note": 3, "table": 5}
ROWS, STEPS, ANCHORS = 6, 3, 20
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


def network(name, seed=0, operator="concat", widths=WIDTHS, **training):
    """A network of plain recipe: it encodes the first view by itself, if it trains encoders, and takes others encoded.

    What it learns for absent views is not zero, as it is before training.
    """
    torch.manual_seed(seed)
    recipe = {"network": name, "operator": operator, "width": 8}
    first, *_ = widths
    along = registry.get("networks", name).trains_encoders
    built = build_network(recipe, {first: Counting(widths[first])} if along else {}, widths, 2, **training)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    if not along:
        built.learn(anchors(widths))
    return built.eval()


def encoded(vectors, steps=STEPS):
    """Encoded items of several tokens, the first of them the vector."""
    more = [torch.roll(vectors, step, dims=1) * (0.5 + step) for step in range(1, steps)]
    return Encoded(torch.stack([vectors, *more], dim=1), torch.ones(len(vectors), steps, dtype=torch.bool), vectors)


def anchors(widths):
    """Rows to learn from, some views absent."""
    draw = torch.Generator().manual_seed(5)
    found = {}
    for view, width in widths.items():
        index = torch.arange(ANCHORS).unsqueeze(1)
        gone = torch.rand(ANCHORS, 1, generator=draw) < 0.3
        found[view] = ViewBatch(
            torch.where(gone, -1, index), encoded=encoded(torch.randn(ANCHORS, width, generator=draw))
        )
    return found


def batch(name):
    """Six rows: photos shared and in two slots, notes and table rows absent here and there; row 5 holds nothing."""
    draw = torch.Generator().manual_seed(1)
    photo = torch.tensor([[0, 1], [1, -1], [-1, 2], [0, 0], [-1, -1], [-1, -1]])
    note, table = torch.tensor([[0], [1], [-1], [0], [2], [-1]]), torch.tensor([[0], [1], [2], [-1], [3], [-1]])
    raw, vectors = torch.randn(3, 2, generator=draw), torch.randn(3, 4, generator=draw)
    along = registry.get("networks", name).trains_encoders
    return {
        "photo": ViewBatch(photo, tensors={"x": raw}) if along else ViewBatch(photo, encoded=encoded(vectors)),
        "note": ViewBatch(note, encoded=encoded(torch.randn(3, 3, generator=draw))),
        "table": ViewBatch(table, encoded=encoded(torch.randn(4, 5, generator=draw))),
    }


def take(views, rows):
    """The same items, other rows."""
    return {view: ViewBatch(one.index[rows], one.tensors, one.encoded) for view, one in views.items()}


def gradients(built, encode):
    """Gradients of all parameters for a loss over all outputs of `encode()`."""
    built.zero_grad()
    encode().square().sum().backward()
    return {key: p.grad.clone() for key, p in built.named_parameters() if p.grad is not None}


def rows_of(views, patterns):
    """One row per presence pattern, each with the first item of what it holds."""
    return {
        view: ViewBatch(torch.where(patterns[:, i : i + 1], 0, -1), one.tensors, one.encoded)
        for i, (view, one) in enumerate(views.items())
    }


def test_outputs_are_finite_and_rows_do_not_mix(name):
    for operator in registry.names("fusion") if name == "joint" else ("",):
        built, views = network(name, operator=operator or "concat"), batch(name)
        outputs = built(views)
        assert outputs.shape == (ROWS, 2)
        assert torch.isfinite(outputs).all()
        order = torch.tensor([3, 0, 5, 1, 4, 2])
        torch.testing.assert_close(built(take(views, order)), outputs[order])
        for row in range(ROWS):
            torch.testing.assert_close(built(take(views, torch.tensor([row]))), outputs[row : row + 1])
        assert built(take(views, torch.zeros(0, dtype=torch.int64))).shape == (0, 2)


@given(seed=st.integers(0, 10_000))
def test_any_presence_pattern_alone_or_in_a_batch(name, seed):
    built, views = network(name), batch(name)
    patterns = torch.rand(9, 3, generator=torch.Generator().manual_seed(seed)) < 0.5
    together = built(rows_of(views, patterns))
    assert torch.isfinite(together).all()
    row = seed % len(patterns)
    torch.testing.assert_close(built(rows_of(views, patterns[row : row + 1])), together[row : row + 1])


def test_every_present_view_matters(name):
    built, views = network(name), batch(name)
    patterns = torch.tensor([[True, True, True]])
    outputs = built(rows_of(views, patterns))
    for view in range(3):
        without = patterns.clone()
        without[0, view] = False
        assert (built(rows_of(views, without)) - outputs).abs().max() > 1e-5


def test_rows_that_hold_nothing_have_one_defined_output(name):
    built, views = network(name), batch(name)
    nothing = built(rows_of(views, torch.zeros(4, 3, dtype=torch.bool)))
    assert torch.isfinite(nothing).all()
    torch.testing.assert_close(nothing, built(views)[5:].expand(4, -1))


@pytest.mark.parametrize("value", POISON)
def test_what_an_absent_view_holds_changes_no_output_and_no_gradient(name, value):
    built = network(name)
    held, present = built.encode(batch(name))
    held = {view: Encoded(one.tokens.detach(), one.mask, one.pooled.detach()) for view, one in held.items()}
    poisoned = {}
    for i, (view, one) in enumerate(held.items()):
        gone = ~present[:, i]
        poisoned[view] = Encoded(
            torch.where(gone[:, None, None], value, one.tokens), one.mask, torch.where(gone[:, None], value, one.vector)
        )
    assert torch.equal(built.read(poisoned, present), built.read(held, present))
    clean = gradients(built, lambda: built.read(held, present))
    dirty = gradients(built, lambda: built.read(poisoned, present))
    assert clean.keys() == dirty.keys()
    for key, gradient in clean.items():
        assert torch.isfinite(gradient).all(), key
        assert torch.equal(dirty[key], gradient), key


def test_each_distinct_item_is_encoded_once(name):
    built = network(name)
    built(batch(name))
    assert [one.items for one in built.encoders] == [3] * len(built.encoders)


def test_the_order_and_number_of_slots_do_not_matter(name):
    built, views = network(name), batch(name)
    photo = views["photo"]
    outputs = built(views)

    def with_index(index):
        return built({**views, "photo": ViewBatch(index, photo.tensors, photo.encoded)})

    torch.testing.assert_close(with_index(photo.index.flip(1)), outputs)
    torch.testing.assert_close(with_index(torch.cat([photo.index, torch.full((ROWS, 1), -1)], dim=1)), outputs)
    if not built.reads_tokens:  # row 3 holds the same photo twice: the mean is that of one
        once = photo.index.clone()
        once[3, 1] = -1
        torch.testing.assert_close(with_index(once), outputs)


def test_encoding_inside_equals_encoding_before(name):
    built, views = network(name), batch(name)
    if not len(built.encoders):
        assert all(one.encoded is not None for one in views.values())
        return
    before = {**views, "photo": ViewBatch(views["photo"].index, encoded=built.encoders[0](views["photo"].tensors))}
    assert torch.equal(built(before), built(views))


@pytest.mark.parametrize("value", POISON)
def test_items_that_no_row_holds_change_nothing(name, value):
    built, views = network(name), batch(name)
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
    own, clean = gradients(built, lambda: built(more)), gradients(built, lambda: built(views))
    for key, gradient in clean.items():
        if "encoders" not in key or abs(value) < float("inf"):
            torch.testing.assert_close(own[key], gradient, msg=key)


def _with(vectors, value):
    return torch.cat([vectors, torch.full((1, vectors.shape[1]), value)])


def test_a_view_without_any_item_is_absent(name):
    built, views = network(name), batch(name)
    gone = torch.full((ROWS, 1), -1)
    without = {**views, "note": ViewBatch(gone, encoded=encoded(torch.zeros(0, 3)))}
    same = {**views, "note": ViewBatch(gone, encoded=views["note"].encoded)}
    outputs = built(without)
    assert torch.isfinite(outputs).all()
    torch.testing.assert_close(outputs, built(same))
    outputs.sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in built.parameters())


def test_training_reaches_every_weight_with_finite_gradients(name):
    built = network(name, modality_dropout=0.9).train()
    torch.manual_seed(0)
    views = batch(name)
    found = gradients(built, lambda: torch.stack([built(views) for _ in range(8)]))
    assert all(torch.isfinite(gradient).all() for gradient in found.values())
    assert found.keys() == dict(built.named_parameters()).keys()
    absent = [gradient for key, gradient in found.items() if "absent" in key]
    assert absent
    assert all((gradient.abs().sum(dim=-1) > 0).all() for gradient in absent)


def test_state_round_trip_and_seed(name):
    built, other = network(name, seed=1), network(name, seed=2)
    views = batch(name)
    assert not torch.equal(built(views), other(views))
    other.load_state_dict(built.state_dict())
    assert torch.equal(built(views), other(views))
    assert torch.equal(network(name, seed=1)(views), built(views))


@pytest.mark.parametrize("odd", ["a.b", "two words", "items", "keys", "forward", "0", "größe", ""])
def test_view_names_are_free(name, odd):
    plain, named = network(name, widths={"first": 4, "b": 3}), network(name, widths={odd: 4, "b": 3})
    assert plain.state_dict().keys() == named.state_dict().keys()
    index = torch.tensor([[0], [-1]])
    item = encoded(torch.ones(1, 4))
    rest = ViewBatch(torch.tensor([[-1], [0]]), encoded=encoded(torch.ones(1, 3)))
    outputs = named({odd: ViewBatch(index, encoded=item), "b": rest})
    assert torch.equal(outputs, plain({"first": ViewBatch(index, encoded=item), "b": rest}))


def test_one_view_works(name):
    built = network(name, widths={"only": 4})
    assert torch.isfinite(
        built({"only": ViewBatch(torch.tensor([[0], [-1]]), encoded=encoded(torch.ones(1, 4)))})
    ).all()


@pytest.fixture(scope="module")
def texts():
    """Two views of texts, their encoders, and what these make of six texts."""
    views = {view: View(view, Modality.TEXT, (view,)) for view in ("left", "right")}
    values = ["a red shape", "no", "is it blue ?", "red and blue", "a shape", "yes"]
    torch.manual_seed(0)
    encoders = {view: registry.build("encoders", "text_gru", width=4 + i, embedding=3) for i, view in enumerate(views)}
    for encoder in encoders.values():
        encoder.fit(values)
        encoder.eval().requires_grad_(False)
    return views, encoders, values


def _saved(name, texts):
    """A network node over two texts, and a batch of it."""
    views, encoders, values = texts
    along = registry.get("networks", name).trains_encoders
    widths = {view: encoder.output_width for view, encoder in encoders.items()}
    torch.manual_seed(3)
    inner = {"left": encoders["left"]} if along else {}
    built = build_network({"network": name, "operator": "concat", "width": 8}, inner, widths, 3)
    ids = np.arange(len(values))[:, None]
    feeds = {}
    for view, encoder in encoders.items():
        with torch.no_grad():
            vectors = encoder(encoder.collate(values)).pooled.numpy()
        items = [encoder.decode(value) for value in values]
        live = view in inner
        feeds[view] = Feed(ids, items=items, batcher=encoder.batch) if live else Feed(ids, features=vectors)
    gathered = collate(feeds, np.arange(len(values)))
    if not along:
        built.learn(gathered)
    recipe = {"network": name, "operator": "concat", "width": 8, **built.plain()}
    task = Task("multiclass", ("x", "y", "z"))
    node = NetworkNode(
        "n", task, np.full(3, 1 / 3), tuple(views.values()), encoders, built.eval(), recipe, tuple(inner)
    )
    return node, gathered


def test_a_saved_network_is_the_same(name, texts):
    node, gathered = _saved(name, texts)
    with torch.random.fork_rng():
        torch.manual_seed(99)
        again = unpack(pack(node), texts[0], node.task)
    assert again.network.plain() == node.network.plain()
    assert torch.equal(again.network(gathered), node.network(gathered))
    assert again.recipe == {key: value for key, value in node.recipe.items() if key in again.recipe}


def test_shapes_are_checked_without_memory(name, texts):
    node, _ = _saved(name, texts)
    packed = pack(node)
    packed.tree["width"] = 2**20  # some terabytes
    with pytest.raises(ModelFormatError, match="expected shape"):
        unpack(packed, texts[0], node.task)
    with torch.device("meta"):
        built = build_network(node.recipe, {}, {"left": 4, "right": 5}, 3)
    assert all(tensor.is_meta for tensor in built.state_dict().values())
    own = node.network.own_state()
    assert {key: tensor.shape for key, tensor in built.own_state().items()} == {k: t.shape for k, t in own.items()}
