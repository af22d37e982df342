"""Attention bottlenecks against their formula."""

import pytest
import torch
from _encodings import WIDTHS, block, sequence, sequences, shaken

from fusible.errors import ConfigError
from fusible.fusion.bottleneck import Bottleneck


def test_equals_the_formula():
    built = shaken(Bottleneck(WIDTHS, width=8, layers=2, bottlenecks=3))
    encoded, present = sequences()
    rows = []
    for row, seen in enumerate(present):
        found = [sequence(built, i, one, present, row) for i, one in enumerate(encoded.values())]
        summaries, shared = [one[:1] for one in found], built.shared
        for layer in range(2):
            after = []
            for i, one in enumerate(found):
                answer = block(built.blocks[3 * layer + i], torch.cat([summaries[i], shared]), one)
                summaries[i] = answer[:1]
                if seen[i]:
                    after.append(answer[1:])
            shared = torch.stack(after).mean(dim=0) if after else shared
        rows.append(torch.cat([*(s[0] for s in summaries), shared.mean(dim=0)]))
    torch.testing.assert_close(built(encoded, present), built.mix(torch.stack(rows)), atol=1e-8, rtol=1e-8)


def test_views_meet_in_the_shared_tokens_only():
    built = shaken(Bottleneck({"a": 5, "b": 5}, width=4, layers=1))
    built.mix = torch.nn.Identity()
    first, second = sequences(0, {"a": 5, "b": 5}, rows=1), sequences(1, {"a": 5, "b": 5}, rows=1)
    plain = built(first[0], first[1])
    other = built({"a": first[0]["a"], "b": second[0]["b"]}, first[1])
    torch.testing.assert_close(other[:, :4], plain[:, :4])
    assert (other[:, 4:8] != plain[:, 4:8]).all()
    assert (other[:, 8:] != plain[:, 8:]).all()


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="bottleneck: layers must be at least 1, got 0"):
        Bottleneck(WIDTHS, layers=0)
    with pytest.raises(ConfigError, match="bottleneck: bottlenecks must be at least 1, got 0"):
        Bottleneck(WIDTHS, bottlenecks=0)
