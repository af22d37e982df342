"""The perceiver against its formula."""

import pytest
import torch
from _encodings import WIDTHS, block, sequence, sequences, shaken

from fusible.errors import ConfigError
from fusible.fusion.perceiver import Perceiver


@pytest.mark.parametrize("layers", [1, 2])
def test_equals_the_formula(layers):
    built = shaken(Perceiver(WIDTHS, width=8, layers=layers, latents=3))
    encoded, present = sequences()
    rows = []
    for row in range(len(present)):
        context = torch.cat([sequence(built, i, one, present, row) for i, one in enumerate(encoded.values())])
        latents = built.latents
        for read, think in zip(built.reading, built.thinking, strict=True):
            latents = block(think, block(read, latents, context))
        rows.append(latents.mean(dim=0))
    torch.testing.assert_close(built(encoded, present), built.mix(torch.stack(rows)), atol=1e-8, rtol=1e-8)


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="perceiver: layers must be at least 1, got 0"):
        Perceiver(WIDTHS, layers=0)
    with pytest.raises(ConfigError, match="perceiver: latents must be at least 1, got 0"):
        Perceiver(WIDTHS, latents=0)
