import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusible.alignment._projections import build_projection
from fusible.alignment._steps import filtered, windows
from fusible.alignment.cca import Cca
from fusible.alignment.mcca import Mcca
from fusible.alignment.sequence_cca import SequenceCca
from fusible.errors import ArrayError, ConfigError, ModelFormatError

STEPS = 12


def clips(rng, rows=80, lag=0, names=("mouth", "voice"), noise=0.5):
    """Views of two shared courses through mixings of their own, the later views by `lag` steps late."""
    course = rng.normal(size=(rows, STEPS + 2 * abs(lag), 2))
    views = {}
    for place, name in enumerate(names):
        start = abs(lag) - lag * min(place, 1)
        seen = course[:, start : start + STEPS] @ rng.normal(size=(2, 3 + place))
        views[name] = (seen + noise * rng.normal(size=seen.shape)).reshape(rows, -1)
    return views


def matched(scores):
    """Share of rows whose partner is the nearest by cosine, in both directions."""
    one, other = (array / np.linalg.norm(array, axis=1, keepdims=True) for array in scores.values())
    similar, own = one @ other.T, np.arange(len(one))
    return ((similar.argmax(axis=1) == own).mean() + (similar.argmax(axis=0) == own).mean()) / 2


def stepwise(fitted, scores):
    """Scores (rows, steps × components) step by step."""
    found = np.empty_like(scores)
    found[:, fitted.order_] = scores
    return found


@given(st.integers(1, 6), st.integers(0, 3))
def test_windows_and_filters_agree(steps, reach):
    rng = np.random.default_rng(steps)
    rows, weights = rng.normal(size=(3, steps * 2)), rng.normal(size=(2 * reach + 1, 2, 4))
    expected = windows(rows, steps, reach) @ weights.reshape(-1, 4)
    np.testing.assert_allclose(filtered(rows, weights, steps), expected.reshape(3, -1), atol=1e-12)


def test_it_is_cca_of_all_windows_less_the_mean_of_each_step(rng):
    views = clips(rng)
    fitted = SequenceCca(2, steps=STEPS, reach=1, ridge=0.1).fit(views)
    frames = {name: windows(array, STEPS, 1) for name, array in views.items()}
    plain = Cca(2, ridge=0.1).fit(frames)
    for name, sorted_scores in fitted.transform(views).items():
        scores = stepwise(fitted, sorted_scores)
        expected = plain.transform_view(frames[name], name).reshape(80, -1)
        assert scores.shape == (80, 2 * STEPS)
        variance = expected.reshape(-1, 2).var(axis=0)
        expected = expected - expected.mean(axis=0)
        # MCCA shares the unit variance among views; CCA gives it to each.
        ratio = scores.reshape(-1, 2).std(axis=0) / expected.reshape(-1, 2).std(axis=0)
        np.testing.assert_allclose(np.abs(scores), np.abs(expected) * np.tile(ratio, STEPS), atol=1e-8)
        np.testing.assert_allclose(variance, 1.0, atol=1e-9)


def test_it_is_mcca_of_all_windows_for_three_views(rng):
    views = clips(rng, names=("mouth", "voice", "hands"))
    fitted = SequenceCca(2, steps=STEPS, reach=0).fit(views)
    plain = Mcca(2).fit({name: windows(array, STEPS, 0) for name, array in views.items()})
    for place, filters in enumerate(fitted.filters_):
        np.testing.assert_allclose(filters[0], plain.weights_[place], atol=1e-9)


@pytest.mark.parametrize("lag", [1, -2])
def test_reach_finds_what_comes_late(rng, lag):
    both = clips(rng, rows=160, lag=lag)
    learn = {name: array[:80] for name, array in both.items()}
    new = {name: array[80:] for name, array in both.items()}
    here = SequenceCca(2, steps=STEPS, reach=0).fit(learn).transform(new)
    wide = SequenceCca(2, steps=STEPS, reach=2).fit(learn).transform(new)
    assert matched(here) < 0.3
    assert matched(wide) > 0.85


def test_shared_weights_need_fewer_rows_than_cca_of_the_whole(rng):
    both = clips(rng, rows=120, noise=1.5)
    learn = {name: array[:40] for name, array in both.items()}
    new = {name: array[40:] for name, array in both.items()}
    shared = SequenceCca(2, steps=STEPS, reach=0).fit(learn).transform(new)
    whole = max((Cca(20, ridge=ridge).fit(learn).transform(new) for ridge in (0.1, 1.0, 10.0)), key=matched)
    assert matched(shared) > matched(whole) + 0.2


def test_columns_that_correlate_most_come_first_and_say_most(rng):
    views = clips(rng, rows=160)
    for array in views.values():  # nothing happens in the first half: noise alone
        array[:, : array.shape[1] // 2] = rng.normal(size=(160, array.shape[1] // 2))
    fitted = SequenceCca(2, steps=STEPS, reach=0).fit({name: array[:80] for name, array in views.items()})
    assert (np.diff(fitted.correlations_) <= 1e-8).all()
    assert set(fitted.order_[: STEPS // 2] // 2) <= set(range(STEPS // 2, STEPS))
    new = fitted.transform({name: array[80:] for name, array in views.items()})
    assert matched({name: scores[:, :STEPS] for name, scores in new.items()}) > matched(new) - 0.05


def test_the_projection_is_rebuilt_from_its_spec(rng):
    views = clips(rng)
    fitted = SequenceCca(2, steps=STEPS, reach=2).fit(views)
    module = fitted.projection("voice")
    assert module.spec == {"kind": "sequence", "inputs": 48, "outputs": 24, "steps": STEPS, "reach": 2}
    with torch.device("meta"):
        build_projection(module.spec)
    again = build_projection(module.spec)
    again.load_state_dict(module.state_dict())
    scores = again(torch.from_numpy(views["voice"])).numpy()
    np.testing.assert_allclose(scores, fitted.transform_view(views["voice"], "voice"), atol=1e-5)
    for wrong in ({"steps": 5}, {"steps": 0}, {"reach": STEPS}, {"outputs": 25}):
        with pytest.raises(ModelFormatError, match="multiples of steps"):
            build_projection({**module.spec, **wrong})


def test_absent_rows_and_weights_of_zero_take_no_part(rng):
    views = clips(rng)
    plain = SequenceCca(2, steps=STEPS).fit({name: array[:60] for name, array in views.items()})
    there = np.ones((80, 2), bool)
    there[60:] = False
    holed = {name: np.where(there[:, i : i + 1], array, np.nan) for i, (name, array) in enumerate(views.items())}
    marked = SequenceCca(2, steps=STEPS).fit(holed, presence=there)
    weighed = SequenceCca(2, steps=STEPS).fit(views, sample_weight=there[:, 0].astype(float))
    for other in (marked, weighed):
        for name in views:
            np.testing.assert_allclose(
                other.transform_view(views[name], name), plain.transform_view(views[name], name), atol=1e-8
            )


def test_many_rows_are_read_in_pieces(rng, monkeypatch):
    views = clips(rng)
    whole = SequenceCca(2, steps=STEPS).fit(views).transform(views)
    monkeypatch.setattr("fusible.alignment.sequence_cca.FRAMES", 5 * STEPS)
    for name, scores in SequenceCca(2, steps=STEPS).fit(views).transform(views).items():
        np.testing.assert_allclose(scores, whole[name], atol=1e-9)


def test_settings_that_do_not_fit_are_refused(rng):
    views = clips(rng)
    with pytest.raises(ArrayError, match=r"view 'mouth': expected columns for each of steps=7, got 36"):
        SequenceCca(steps=7).fit(views)
    for wrong in ({"steps": 0}, {"steps": 2.0}, {"steps": True}, {"reach": -1}, {"reach": "2"}):
        with pytest.raises(ConfigError, match=f"SequenceCca: {next(iter(wrong))} must be a whole number"):
            SequenceCca(**wrong).fit(views)
    views["voice"][3, 1] = np.nan
    with pytest.raises(ArrayError, match=r"'voice'.*NaN \(row 3, column 1\)"):
        SequenceCca(steps=STEPS).fit(views)
