"""The contract of every feature-level operator (design, section 4), over everything registered."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusible import registry
from fusible.errors import ConfigError, SchemaError
from fusible.types import Encoded

OPERATORS = registry.names("fusion")
WIDTHS = {"text": 5, "image": 3, "table": 4}
POISON = (float("nan"), float("inf"), -float("inf"), 1e30, -1e30)
ROWS, STEPS = 7, 3

pytestmark = pytest.mark.parametrize("name", OPERATORS)


def operator(name, widths=WIDTHS, seed=0):
    """An operator with weights of its own, so that vectors learned for absence are not all zero."""
    torch.manual_seed(seed)
    built = registry.build("fusion", name, widths=widths, width=6)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return built.eval()


def views(seed=0, rows=ROWS, widths=WIDTHS, *, vectors=False):
    """Random tokens with the first token of every row real, and vectors of the encoders' own."""
    draw = torch.Generator().manual_seed(seed)
    encoded = {}
    for view, width in widths.items():
        mask = torch.rand(rows, STEPS, generator=draw) < 0.6
        mask[:, 0] = True
        tokens = torch.randn(rows, STEPS, width, generator=draw)
        encoded[view] = Encoded(tokens, mask, torch.randn(rows, width, generator=draw) if vectors else None)
    return encoded


def presence(seed=0, rows=ROWS, columns=3):
    """Every second row in a random pattern; row 0 is whole, row 1 holds nothing."""
    drawn = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < 0.5
    drawn[0], drawn[1] = True, False
    return drawn


def poisoned(encoded, present, value):
    """The same views, with `value` in everything that an absent cell holds."""
    changed = {}
    for column, (view, one) in enumerate(encoded.items()):
        gone = ~present[:, column]
        tokens = torch.where(gone[:, None, None], value, one.tokens)
        vector = None if one.vector is None else torch.where(gone[:, None], value, one.vector)
        changed[view] = Encoded(tokens, one.mask, vector)
    return changed


def gradients(built, encoded, present):
    """Gradients of all parameters and of all views' tokens or vectors, for a loss over all outputs."""
    leaves = {}
    for view, one in encoded.items():
        held = one.tokens if one.vector is None else one.vector
        leaves[view] = held.clone().requires_grad_(True)
    inputs = {
        view: Encoded(leaves[view], one.mask) if one.vector is None else Encoded(one.tokens, one.mask, leaves[view])
        for view, one in encoded.items()
    }
    built.zero_grad()
    built(inputs, present).square().sum().backward()
    own = {name: parameter.grad.clone() for name, parameter in built.named_parameters() if parameter.grad is not None}
    return own, {view: leaf.grad for view, leaf in leaves.items()}


@pytest.mark.parametrize("vectors", [False, True])
def test_output_has_the_declared_width_and_depends_on_every_present_view(name, vectors):
    built, encoded, present = operator(name), views(vectors=vectors), presence()
    fused = built(encoded, present)
    assert fused.shape == (ROWS, built.output_width)
    assert torch.isfinite(fused).all()
    for column, view in enumerate(WIDTHS):
        other = {**encoded, view: views(seed=9, vectors=vectors)[view]}
        moved = (built(other, present) - fused).abs().amax(dim=1) > 1e-6
        assert torch.equal(moved, present[:, column]), f"{view} must matter where it is present, and only there"


@pytest.mark.parametrize("value", POISON)
@pytest.mark.parametrize("vectors", [False, True])
def test_what_an_absent_view_holds_changes_no_output_and_no_gradient(name, value, vectors):
    built, encoded, present = operator(name), views(vectors=vectors), presence()
    changed = poisoned(encoded, present, value)
    assert torch.equal(built(changed, present), built(encoded, present))
    own, inputs = gradients(built, encoded, present)
    own_changed, inputs_changed = gradients(built, changed, present)
    for key, gradient in own.items():
        assert torch.isfinite(gradient).all()
        assert torch.equal(own_changed[key], gradient), key
    for column, view in enumerate(WIDTHS):
        gone = ~present[:, column]
        assert torch.isfinite(inputs_changed[view]).all()
        assert (inputs_changed[view][gone] == 0).all()
        assert torch.equal(inputs_changed[view], inputs[view])


@given(seed=st.integers(0, 10_000))
def test_rows_do_not_mix(name, seed):
    built, encoded, present = operator(name), views(seed), presence(seed)
    whole = built(encoded, present)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(ROWS))
    mixed = {view: Encoded(one.tokens[order], one.mask[order]) for view, one in encoded.items()}
    torch.testing.assert_close(built(mixed, present[order]), whole[order])
    row = seed % ROWS
    alone = {view: Encoded(one.tokens[row : row + 1], one.mask[row : row + 1]) for view, one in encoded.items()}
    torch.testing.assert_close(built(alone, present[row : row + 1]), whole[row : row + 1])


def test_no_gradient_flows_between_rows(name):
    built, encoded, present = operator(name), views(), torch.ones(ROWS, len(WIDTHS), dtype=torch.bool)
    leaves = {view: one.tokens.clone().requires_grad_(True) for view, one in encoded.items()}
    built({view: Encoded(leaves[view], one.mask) for view, one in encoded.items()}, present)[2].sum().backward()
    for leaf in leaves.values():
        others = [row for row in range(ROWS) if row != 2]
        assert leaf.grad[2].abs().sum() > 0
        assert (leaf.grad[others] == 0).all()


def test_a_row_with_every_view_absent_has_one_defined_output(name):
    built = operator(name)
    nothing = torch.zeros(ROWS, len(WIDTHS), dtype=torch.bool)
    outputs = [built(views(seed), nothing) for seed in (1, 2)]
    assert torch.isfinite(outputs[0]).all()
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(outputs[0], outputs[0][:1].expand(ROWS, -1))


def test_masked_tokens_do_not_matter(name):
    built, encoded, present = operator(name), views(), presence()
    noise = {
        view: Encoded(torch.where(one.mask[:, :, None], one.tokens, float("nan")), one.mask)
        for view, one in encoded.items()
    }
    assert torch.equal(built(noise, present), built(encoded, present))


@pytest.mark.parametrize("value", [0.0, 1e4])
def test_gradients_are_finite_for_constant_and_large_inputs(name, value):
    built = operator(name)
    encoded = {view: Encoded(torch.full_like(one.tokens, value), one.mask) for view, one in views().items()}
    own, inputs = gradients(built, encoded, presence())
    assert all(torch.isfinite(gradient).all() for gradient in (*own.values(), *inputs.values()))


def test_gradients_are_finite_where_rows_hold_nothing(name):
    built, nothing = operator(name), torch.zeros(ROWS, len(WIDTHS), dtype=torch.bool)
    own, inputs = gradients(built, poisoned(views(vectors=True), nothing, float("nan")), nothing)
    assert all(torch.isfinite(gradient).all() for gradient in own.values())
    assert all((gradient == 0).all() for gradient in inputs.values())


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize("value", [0.0, float("nan"), 1e30])
def test_how_far_a_batch_is_padded_does_not_matter(name, value, vectors):
    built, encoded, present = operator(name), views(vectors=vectors), presence()
    longer = {}
    for steps, (view, one) in enumerate(encoded.items(), start=1):
        tokens = torch.cat([one.tokens, torch.full((ROWS, steps, one.tokens.shape[2]), value)], dim=1)
        mask = torch.cat([one.mask, torch.zeros(ROWS, steps, dtype=torch.bool)], dim=1)
        longer[view] = Encoded(tokens, mask, one.vector)
    torch.testing.assert_close(built(longer, present), built(encoded, present))


def test_tokens_are_read_where_the_operator_says_so_and_only_there(name):
    built, encoded, present = operator(name), views(vectors=True), presence()
    fused = built(encoded, present)
    for column, view in enumerate(WIDTHS):
        one = encoded[view]
        tokens = one.tokens.clone()
        tokens[:, 0] = tokens[:, 0].flip(-1) + torch.randn(tokens.shape[2])
        moved = (built({**encoded, view: Encoded(tokens, one.mask, one.vector)}, present) - fused).abs().amax(dim=1)
        assert torch.equal(moved > 1e-6, present[:, column] & built.reads_tokens), view


def test_vectors_alone_are_fused(name):
    built, encoded, present = operator(name), views(vectors=True), presence()
    vectors = {v: torch.where(present[:, i : i + 1], one.vector, 0.0) for i, (v, one) in enumerate(encoded.items())}
    alone = {v: Encoded(one.tokens, torch.zeros_like(one.mask), one.vector) for v, one in encoded.items()}
    torch.testing.assert_close(built.fuse(vectors, present), built(alone, present))


def test_can_be_built_without_memory(name):
    with torch.device("meta"):
        light = registry.build("fusion", name, widths=WIDTHS, width=6)
    assert all(tensor.is_meta for tensor in light.state_dict().values())
    shapes = {key: tensor.shape for key, tensor in operator(name).state_dict().items()}
    assert {key: tensor.shape for key, tensor in light.state_dict().items()} == shapes


def test_nothing_is_drawn_at_prediction(name):
    built, encoded, present = operator(name), views(), presence()
    assert torch.equal(built(encoded, present), built(encoded, present))


@pytest.mark.parametrize("width", [1, 2, 7, 64])
def test_every_width_works(name, width):
    built = registry.build("fusion", name, widths={"a": 1, "b": 20}, width=width)
    fused = built(views(widths={"a": 1, "b": 20}), presence(columns=2))
    assert fused.shape == (ROWS, width)
    assert torch.isfinite(fused).all()


def test_state_round_trip_is_identical(name):
    built, encoded, present = operator(name), views(), presence()
    other = operator(name, seed=5)
    assert not torch.equal(other(encoded, present), built(encoded, present))
    other.load_state_dict(built.state_dict())
    assert torch.equal(other(encoded, present), built(encoded, present))


def test_same_seed_same_weights(name):
    first, second, other = operator(name, seed=3), operator(name, seed=3), operator(name, seed=4)
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key])
    assert any(not torch.equal(v, other.state_dict()[k]) for k, v in first.state_dict().items())


@pytest.mark.parametrize("odd", ["a.b", "two words", "items", "keys", "0", "forward", "größe", ""])
def test_view_names_are_free(name, odd):
    plain, named = {"first": 5, "second": 3}, {odd: 5, "second": 3}
    present = presence(columns=2)
    encoded = views(widths=plain)
    built, other = operator(name, plain), operator(name, named)
    assert built.state_dict().keys() == other.state_dict().keys()
    fused = other({odd: encoded["first"], "second": encoded["second"]}, present)
    assert torch.equal(fused, built(encoded, present))


def test_one_view_and_no_row_work(name):
    built = operator(name, {"only": 4})
    assert built(views(widths={"only": 4}), torch.ones(ROWS, 1, dtype=torch.bool)).shape == (ROWS, 6)
    assert built(views(rows=0, widths={"only": 4}), torch.ones(0, 1, dtype=torch.bool)).shape == (0, 6)


def test_what_cannot_work_is_refused(name):
    with pytest.raises(ConfigError, match="expected at least one view, got none"):
        registry.build("fusion", name, widths={})
    with pytest.raises(ConfigError, match="width must be at least 1, got 0"):
        registry.build("fusion", name, widths=WIDTHS, width=0)
    with pytest.raises(ConfigError, match="view 'image' has no column; leave it out"):
        registry.build("fusion", name, widths={**WIDTHS, "image": 0})
    encoded = views()
    del encoded["image"]
    with pytest.raises(SchemaError, match=r"missing \['image'\]"):
        operator(name)(encoded, presence())
