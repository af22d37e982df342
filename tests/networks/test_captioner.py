"""The captioner: memory of all views, presence, slots, stems, and the loss of what is to be written."""

import numpy as np
import pytest
import torch
from torch import nn

from fusible import registry
from fusible.errors import ConfigError
from fusible.networks._captioner import TEXT, Captioner
from fusible.networks._stem import Stem
from fusible.types import Encoded, ViewBatch

WIDTHS = {"photo": 6, "tone": 4}
ROWS, STEPS, WORDS = 5, 3, 11


def batch(width, rows=ROWS, seed=0, steps=STEPS, pad=0, slots=1):
    draw = torch.Generator().manual_seed(seed)
    tokens = torch.randn(rows * slots, steps, width, generator=draw)
    tokens = nn.functional.pad(tokens, (0, 0, 0, pad), value=7.0)
    mask = torch.arange(steps + pad).expand(rows * slots, -1) < steps
    vector = torch.randn(rows * slots, width, generator=draw)
    return ViewBatch(torch.arange(rows * slots).reshape(rows, slots), encoded=Encoded(tokens, mask, vector))


def captioner(operator="concat", sequences=(), **options):
    torch.manual_seed(1)
    decoder = registry.build("decoders", "transformer", vocabulary=WORDS, memory=8, width=8, layers=1)
    part = None if operator is None else registry.build("fusion", operator, widths=WIDTHS, width=8)
    return Captioner({}, WIDTHS, decoder, part, sequences=sequences, width=8, heads=2, **options).eval()


def views(**options):
    return {name: batch(width, seed=i, **options) for i, (name, width) in enumerate(WIDTHS.items())}


def hidden(batches, view, rows):
    other = dict(batches)
    index = batches[view].index.clone()
    index[rows] = -1
    other[view] = ViewBatch(index, encoded=batches[view].encoded)
    return other


@pytest.mark.parametrize("operator", [None, "concat", "attention"])
def test_memory_holds_every_view_and_its_absence(operator):
    network = captioner(operator)
    memory = network.memory(hidden(views(), "tone", [0]))
    first = 0 if operator is None else 1
    assert memory.tokens.shape == (ROWS, first + 2 * (1 + STEPS), 8)
    assert memory.mask[1:].all()
    seen = memory.mask[0].tolist()
    assert seen == [True] * first + [True] * (1 + STEPS) + [True] + [False] * STEPS
    assert memory.places.tolist() == [0] * first + [0, 0, 1, 2] * 2


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 1e30])
def test_what_an_absent_view_holds_changes_nothing(odd):
    network = captioner(sequences=("tone",))
    plain = hidden(views(), "tone", [0, 3])
    other = views()["tone"].encoded
    tokens, vector = other.tokens.clone(), other.vector.clone()
    tokens[[0, 3]], vector[[0, 3]] = odd, odd
    spoilt = {**plain, "tone": ViewBatch(plain["tone"].index, encoded=Encoded(tokens, other.mask, vector))}
    one, two = network.memory(plain), network.memory(spoilt)
    torch.testing.assert_close(one.tokens[one.mask], two.tokens[two.mask])


def test_padding_and_neighbours_change_nothing():
    network = captioner(sequences=("tone",))
    plain, padded = network.memory(views()), network.memory(views(pad=4))
    torch.testing.assert_close(plain.tokens[plain.mask], padded.tokens[padded.mask], rtol=1e-4, atol=1e-5)
    for row in range(ROWS):
        alone = {name: ViewBatch(one.index[[row]], encoded=one.encoded) for name, one in views().items()}
        torch.testing.assert_close(network.memory(alone).tokens[0], plain.tokens[row], rtol=1e-4, atol=1e-5)


def test_all_views_absent_is_defined():
    network = captioner()
    batches = hidden(hidden(views(), "tone", [2]), "photo", [2])
    memory = network.memory(batches)
    assert memory.mask[2].sum() == 3
    assert torch.isfinite(memory.tokens[2][memory.mask[2]]).all()
    nothing = {
        name: ViewBatch(torch.full((2, 1), -1), encoded=Encoded(torch.zeros(0, 1, w), torch.ones(0, 1, dtype=bool)))
        for name, w in WIDTHS.items()
    }
    assert torch.isfinite(network.memory(nothing).tokens).all()


def test_slots_follow_one_another():
    network = captioner(None)
    memory = network.memory({"photo": batch(6, slots=2), "tone": batch(4, seed=1)})
    assert memory.tokens.shape[1] == (1 + 2 * STEPS) + (1 + STEPS)
    assert memory.places.tolist() == [0, 0, 1, 2, 0, 1, 2, 0, 0, 1, 2]


def test_each_distinct_item_is_encoded_once():
    class Counted(nn.Module):
        seen = 0

        def forward(self, tensors):
            self.seen += len(tensors["x"])
            return Encoded(tensors["x"].unsqueeze(1), torch.ones(len(tensors["x"]), 1, dtype=torch.bool), tensors["x"])

    encoder = Counted()
    decoder = registry.build("decoders", "lstm", vocabulary=WORDS, memory=8, width=8, layers=1)
    network = Captioner({"photo": encoder}, {"photo": 6}, decoder, width=8, heads=2).eval()
    index = torch.zeros(ROWS, 1, dtype=torch.int64)
    memory = network.memory({"photo": ViewBatch(index, tensors={"x": torch.randn(1, 6)})})
    assert encoder.seen == 1
    torch.testing.assert_close(memory.tokens[0], memory.tokens[-1])


def test_loss_is_the_mean_negative_log_likelihood_per_token():
    network = captioner()
    ids = torch.tensor([[1, 5, 6, 2], [1, 7, 2, 0]])
    rows = views(rows=2)
    told = ViewBatch(torch.tensor([[0], [1]]), tensors={"ids": ids, "lengths": torch.tensor([4, 3])})
    losses = network({**rows, TEXT: told}).detach()
    logits = network.decoder(ids[:, :-1], network.memory(rows)).detach().log_softmax(-1)
    for row, length in enumerate((3, 2)):
        said = [-float(logits[row, i, ids[row, i + 1]]) for i in range(length)]
        assert float(losses[row]) == pytest.approx(np.mean(said), rel=1e-5)
    again = ViewBatch(torch.tensor([[1], [0]]), tensors=told.tensors)
    swapped = network({**{n: ViewBatch(b.index.flip(0), encoded=b.encoded) for n, b in rows.items()}, TEXT: again})
    torch.testing.assert_close(swapped.detach(), losses.flip(0), rtol=1e-5, atol=1e-6)


def test_gradients_are_finite_with_views_missing():
    network = captioner("gated", sequences=("tone",), modality_dropout=0.5).train()
    told = ViewBatch(
        torch.arange(ROWS)[:, None],
        tensors={"ids": torch.tensor([[1, 4, 2]] * ROWS), "lengths": torch.tensor([3] * ROWS)},
    )
    network({**hidden(views(), "tone", [0, 1]), TEXT: told}).mean().backward()
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    assert len(grads) > 20
    assert all(torch.isfinite(grad).all() for grad in grads)


def test_a_width_may_be_odd():
    decoder = registry.build("decoders", "lstm", vocabulary=WORDS, memory=7, width=7, layers=1)
    part = registry.build("fusion", "concat", widths=WIDTHS, width=7)
    memory = Captioner({}, WIDTHS, decoder, part, sequences=("tone",), width=7, heads=7).eval().memory(views())
    assert memory.tokens.shape[2] == 7
    assert decoder(torch.tensor([[1, 5]] * ROWS), memory).shape == (ROWS, 2, WORDS)


def test_settings_out_of_range_are_refused():
    decoder = registry.build("decoders", "lstm", vocabulary=WORDS, memory=8, width=8, layers=1)
    for options in ({"width": 0}, {"heads": 3}, {"layers": -1}, {"layers": 65}):
        with pytest.raises(ConfigError, match="captioner: expected 0 to 64 layers"):
            Captioner({}, WIDTHS, decoder, **{"width": 8, "heads": 2, **options})
    with pytest.raises(ConfigError, match="views of one column at least"):
        Captioner({}, {"photo": 0}, decoder, width=8, heads=2)


def test_a_stem_sees_what_stands_around_and_no_further():
    torch.manual_seed(0)
    stem = Stem(3, 8).eval()
    tokens, mask = torch.randn(2, 20, 3), torch.ones(2, 20, dtype=torch.bool)
    plain, real = stem(tokens, mask)
    assert plain.shape == (2, 10, 8)
    assert real.all()
    moved = tokens.clone()
    moved[:, 10] += 1
    changed = (stem(moved, mask)[0] - plain).abs().amax(dim=(0, 2)) > 1e-6
    assert set(torch.nonzero(changed).flatten().tolist()) <= set(range(3, 8))
    assert changed[5]


def test_a_stem_averages_real_steps_only():
    stem = Stem(3, 8).eval()
    tokens, mask = torch.randn(2, 6, 3), torch.tensor([[True] * 3 + [False] * 3, [True] * 6])
    found, real = stem(tokens.masked_fill(~mask.unsqueeze(-1), 0.0), mask)
    alone, all_real = stem(tokens[:1, :3], mask[:1, :3])
    assert real.tolist() == [[True, True, False], [True, True, True]]
    assert all_real.all()
    torch.testing.assert_close(found[0, :2], alone[0], rtol=1e-4, atol=1e-5)


def test_a_stem_disturbs_in_training_only():
    stem, tokens, mask = Stem(3, 8), torch.randn(4, 40, 3), torch.ones(4, 40, dtype=torch.bool)
    torch.testing.assert_close(stem.eval()(tokens, mask), stem(tokens, mask))
    stem.train()
    assert not torch.equal(stem(tokens, mask)[0], stem(tokens, mask)[0])
