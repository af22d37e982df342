"""Localisers: absent views are never seen, padding changes nothing, and points stand where they should."""

import pytest
import torch

from fusible import registry
from fusible.errors import ConfigError
from fusible.networks._localiser import Localiser, margin, points

WIDTHS = {"sound": 8, "video": 3}
POISON = (float("nan"), float("inf"), 1e30)


def network(operator="concat", levels=2, seed=0, **options):
    """A localiser whose learned vectors for absent views are not zero."""
    torch.manual_seed(seed)
    fusing = registry.build("fusion", operator, widths=dict.fromkeys(WIDTHS, 16), width=16)
    built = Localiser(WIDTHS, fusing, 4, width=16, levels=levels, **options)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return built.eval()


def tracks(films=2, steps=40, seed=1):
    torch.manual_seed(seed)
    return {view: torch.randn(films, steps, width) for view, width in WIDTHS.items()}


def parts(dense):
    return dense.logits, dense.sides, dense.quality


@pytest.mark.parametrize("operator", ["concat", "gated", "attention", "sum"])
@pytest.mark.parametrize("poison", POISON)
def test_what_an_absent_view_holds_is_never_seen(operator, poison):
    presence = torch.ones(2, 40, 2, dtype=torch.bool)
    presence[0, 10:25, 1] = False
    presence[1, :, 0] = False
    presence[1, 30:, 1] = False
    clean = tracks()
    spoilt = {
        view: values.masked_fill(~presence[:, :, i : i + 1], poison) for i, (view, values) in enumerate(clean.items())
    }
    built = network(operator, bands={"sound": 4})
    for one, other in zip(parts(built(clean, presence)), parts(built(spoilt, presence)), strict=True):
        assert torch.isfinite(one).all()
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_an_absent_view_is_not_a_view_of_zeros():
    built, given = network(), tracks()
    there = torch.ones(2, 40, 2, dtype=torch.bool)
    gone = there.clone()
    gone[:, :, 1] = False
    given["video"] = torch.zeros_like(given["video"])
    assert (built(given, there).logits - built(given, gone).logits).abs().max() > 1e-3


@pytest.mark.parametrize("levels", [1, 3])
def test_how_far_films_are_padded_changes_nothing(levels):
    built, given = network(levels=levels), tracks(steps=40)
    there = torch.ones(2, 40, 2, dtype=torch.bool)
    padded = {view: torch.nn.functional.pad(values, (0, 0, 0, 24), value=7.0) for view, values in given.items()}
    short, long = built(given, there), built(padded, torch.nn.functional.pad(there, (0, 0, 0, 24)))
    at_short, at_long = 0, 0
    for level in range(levels):
        number = 40 >> level
        for one, other in zip(parts(short), parts(long), strict=True):
            torch.testing.assert_close(
                one[:, at_short : at_short + number], other[:, at_long : at_long + number], rtol=1e-4, atol=1e-4
            )
        at_short, at_long = at_short + number, at_long + (64 >> level)


def test_no_step_sees_further_than_the_margin():
    built, levels, steps = network(levels=2), 2, 400
    given = tracks(films=1, steps=steps)
    there = torch.ones(1, steps, 2, dtype=torch.bool)
    changed = {view: values.clone() for view, values in given.items()}
    for values in changed.values():
        values[:, 200] += 10.0
    places, _ = points(steps, levels)
    moved = (built(given, there).logits - built(changed, there).logits).abs().sum(dim=(0, 2)) > 1e-6
    assert moved.any()
    assert (places[moved] - 200.5).abs().max() < margin(levels)


def test_training_learns_from_every_parameter_but_hides_views_at_times():
    built = network(modality_dropout=0.9).train()
    given, there = tracks(films=8), torch.ones(8, 40, 2, dtype=torch.bool)
    dense = built(given, there)
    (dense.logits.sum() + dense.sides.sum() + dense.quality.sum()).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in built.parameters())
    assert built.operator.absent.grad.abs().sum() > 0  # some view was hidden


def test_points_stand_in_the_middle_of_what_they_stand_for():
    places, strides = points(5, 3)
    assert places.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 1.0, 3.0, 5.0, 2.0, 6.0]
    assert strides.tolist() == [1.0] * 5 + [2.0] * 3 + [4.0] * 2
    dense = network(levels=3)(tracks(steps=5), torch.ones(2, 5, 2, dtype=torch.bool))
    assert dense.logits.shape == (2, len(places), 4)
    assert dense.sides.shape == (2, len(places), 2)
    assert (dense.sides >= 0).all()


def test_one_step_is_enough_also_in_training():
    built = network(levels=1).train()
    presence = torch.zeros(1, 4, 2, dtype=torch.bool)
    presence[0, 0, 0] = True
    assert torch.isfinite(built(tracks(films=1, steps=4), presence).logits).all()


def test_settings_that_cannot_be_used_are_refused():
    operator = registry.build("fusion", "concat", widths={"sound": 16}, width=16)
    with pytest.raises(ConfigError, match=r"above 0, got 0, 1 and 4\.0"):
        Localiser({"sound": 3}, operator, 0, width=16)
