"""Feature-wise modulation against its formula."""

import torch
from _encodings import WIDTHS, drawn, shaken, tokens
from torch.nn.functional import gelu

from fusible.fusion.concat import Concat
from fusible.fusion.film import Film


def test_equals_the_formula():
    built = shaken(Film(WIDTHS, width=6))
    vectors, present = drawn()
    rows = []
    for row, seen in zip(tokens(built, vectors, present), present, strict=True):
        parts = []
        for i, own in enumerate(row):
            codes = [gelu(built.codes[j](other)) for j, other in enumerate(row) if j != i]
            context = torch.stack(codes).mean(dim=0)
            scale, shift = built.modulations[i](context).split(6)
            parts.append((1 + scale) * own + shift if seen[i] else own)
        rows.append(torch.cat(parts))
    torch.testing.assert_close(built.fuse(vectors, present), built.mix(torch.stack(rows)), atol=1e-8, rtol=1e-8)


def test_without_modulation_it_is_concatenation():
    torch.manual_seed(0)
    widths = {"a": 20, "b": 17, "c": 30}
    built, plain = Film(widths, width=6).double(), Concat(widths, width=6).double()
    torch.nn.init.normal_(built.absent)
    plain.load_state_dict({k: v for k, v in built.state_dict().items() if not k.startswith(("codes", "modulations"))})
    vectors, present = drawn(widths=widths)
    torch.testing.assert_close(built.fuse(vectors, present), plain.fuse(vectors, present))


def test_a_single_view_is_modulated_by_a_constant_alone():
    built = shaken(Film({"a": 20}, width=6))
    vectors, present = drawn(widths={"a": 20}, rows=2)
    scale, shift = built.modulations[0].bias.split(6)
    expected = built.mix((1 + scale) * tokens(built, vectors, present)[:, 0] + shift)
    torch.testing.assert_close(built.fuse(vectors, present), expected)
