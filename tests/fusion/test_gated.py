"""The gated multimodal unit against its formula."""

import torch
from _encodings import WIDTHS, drawn, shaken, tokens

from fusible.fusion.gated import Gated


def test_equals_the_formula():
    built = shaken(Gated(WIDTHS, width=6))
    vectors, present = drawn()
    hidden = torch.tanh(tokens(built, vectors, present))
    rows = []
    for row in hidden:
        raw = built.gate.weight @ torch.cat(list(row)) + built.gate.bias
        gates = 1 / (1 + torch.exp(-raw))
        assert ((gates > 0) & (gates < 1)).all()
        rows.append(sum(gates[6 * i : 6 * (i + 1)] * h for i, h in enumerate(row)))
    torch.testing.assert_close(built.fuse(vectors, present), built.mix(torch.stack(rows)), atol=1e-8, rtol=1e-8)


def test_open_gates_add_hidden_vectors_and_closed_ones_hide_a_view():
    built = shaken(Gated({"a": 20, "b": 20}, width=6))
    torch.nn.init.zeros_(built.gate.weight)
    with torch.no_grad():
        built.gate.bias[:6], built.gate.bias[6:] = 60.0, -60.0
    vectors, _ = drawn(widths={"a": 20, "b": 20}, rows=1)
    both = torch.ones(1, 2, dtype=torch.bool)
    hidden = torch.tanh(tokens(built, vectors, both))
    torch.testing.assert_close(built.fuse(vectors, both), built.mix(hidden[:, 0]))


def test_an_untrained_gate_adds_nothing_for_an_absent_view():
    built = Gated({"a": 20, "b": 20}, width=6)
    hidden = torch.tanh(torch.cat([torch.randn(1, 1, 6), built.absent[1:].unsqueeze(0)], dim=1))
    assert (built.gates(hidden)[:, 1] * hidden[:, 1] == 0).all()
