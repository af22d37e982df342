"""The contract of every aligner (design, section 4), over everything registered."""

import inspect
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from fusible import registry
from fusible.alignment._projections import build_projection
from fusible.errors import FusibleError, FusibleWarning

ALIGNERS = registry.names("alignment")
ROWS, WIDTHS = 120, {"text": 5, "image": 4}
QUICK = {"hidden": (8,), "dropout": 0.0, "epochs": 2, "batch": 64, "ridge": 0.01, "seed": 3}
"""Settings that make trained aligners quick and kernels exact; those of them that an aligner has."""
SKIPPED = {"check_array_api_input": "scikit-learn runs it only where SCIPY_ARRAY_API is set before scipy is imported"}


def signature(name):
    return inspect.signature(registry.get("alignment", name).__init__).parameters


def is_trained(name):
    return "epochs" in signature(name)


def is_linear(name):
    """A solution from moments: affine maps, exact, in closed form."""
    return not is_trained(name) and "kernel" not in signature(name)


TRAINED = [name for name in ALIGNERS if is_trained(name)]
LINEAR = [name for name in ALIGNERS if is_linear(name)]
EXACT = [name for name in ALIGNERS if not is_trained(name)]
every = pytest.mark.parametrize("name", ALIGNERS)


def aligner(name, components=2, **more):
    chosen = {key: value for key, value in QUICK.items() if key in signature(name) and not is_linear(name)}
    return registry.build("alignment", name, components=components, **{**chosen, **more})


def views(seed=0, rows=ROWS, widths=WIDTHS):
    """Views of three shared directions and noise of their own."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(rows, 3)) * [2.0, 1.5, 1.0]
    return {
        view: shared @ rng.normal(size=(3, width)) + 0.7 * rng.normal(size=(rows, width))
        for view, width in widths.items()
    }


def presence(seed=0, rows=ROWS, columns=2):
    """Most rows whole, in each of the others one view absent."""
    rng = np.random.default_rng(seed + 100)
    there = np.ones((rows, columns), bool)
    gone = rng.random(rows) < 0.25
    there[gone, rng.integers(0, columns, gone.sum())] = False
    return there


def blanked(given, there, value):
    """The same views with `value` in rows where they are absent."""
    return {view: np.where(there[:, i : i + 1], array, value) for i, (view, array) in enumerate(given.items())}


def refused(call, *words):
    """A call must fail with one line that holds these words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FusibleWarning)
        with pytest.raises(FusibleError) as error:
            call()
    said = str(error.value)
    assert "\n" not in said
    for word in words:
        assert word in said, said


def close(one, other, name):
    """Equal to the precision of the method."""
    np.testing.assert_allclose(one, other, atol=2e-4 if is_trained(name) else 1e-6, rtol=1e-4)


@every
def test_mapping_sequence_and_one_array_are_the_same(name):
    given = views()
    mapped = aligner(name).fit(given)
    listed = aligner(name).fit(list(given.values()))
    single = aligner(name, widths=tuple(WIDTHS.values())).fit(np.hstack(list(given.values())))
    assert mapped.view_names_ == tuple(WIDTHS)
    assert listed.view_names_ == ("view1", "view2")
    as_mapping, as_list = mapped.transform(given), listed.transform(list(given.values()))
    as_array = single.transform(np.hstack(list(given.values())))
    assert isinstance(as_list, list)
    assert list(as_mapping) == list(WIDTHS)
    for place, view in enumerate(WIDTHS):
        assert as_mapping[view].shape == (ROWS, 2)
        np.testing.assert_array_equal(as_list[place], as_mapping[view])
        np.testing.assert_array_equal(as_array[:, 2 * place : 2 * place + 2], as_mapping[view])
    np.testing.assert_array_equal(mapped.correlations_, single.correlations_)


@every
def test_one_view_alone_is_as_with_the_others(name):
    fitted, new = aligner(name).fit(views()), views(seed=1, rows=7)
    scores = fitted.transform(new)
    for place, view in enumerate(WIDTHS):
        np.testing.assert_array_equal(fitted.transform_view(new[view], view), scores[view])
        np.testing.assert_array_equal(fitted.transform_view(new[view], place), scores[view])


@every
def test_rows_do_not_depend_on_their_neighbours(name):
    fitted, new = aligner(name).fit(views()), views(seed=1, rows=20)
    some = [12, 0, 7]
    for view, scores in fitted.transform({view: array[some] for view, array in new.items()}).items():
        close(scores, fitted.transform_view(new[view], view)[some], name)


@every
def test_same_seed_same_result_and_the_generators_stay(name):
    given = views()
    before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()
    first, second = aligner(name).fit(given), aligner(name).fit(given)
    assert np.array_equal(np.random.get_state()[1], before)
    assert torch.equal(torch.get_rng_state(), torch_before)
    for view in WIDTHS:
        np.testing.assert_array_equal(first.transform(given)[view], second.transform(given)[view])


@every
def test_the_projection_does_what_transform_does(name):
    fitted, new = aligner(name).fit(views()), views(seed=1, rows=9)
    for view, width in WIDTHS.items():
        module = fitted.projection(view)
        scores = module(torch.from_numpy(new[view]).float()).detach().numpy()
        close(scores, fitted.transform_view(new[view].astype(np.float32), view), name)
        rebuilt = build_projection(module.spec)
        rebuilt.load_state_dict(module.state_dict())
        again = rebuilt.eval()(torch.from_numpy(new[view]).float()).detach().numpy()
        np.testing.assert_array_equal(again, scores)
        assert (module.spec["inputs"], module.spec["outputs"]) == (width, 2)


@every
def test_correlations_are_those_of_the_scores(name):
    given = views()
    fitted = aligner(name).fit(given)
    new = views(seed=1)
    scores = fitted.transform(new)
    expected = [np.corrcoef(scores["text"][:, k], scores["image"][:, k])[0, 1] for k in range(2)]
    np.testing.assert_allclose(fitted.correlations(new), expected, atol=1e-9)
    assert fitted.score(new) == pytest.approx(np.mean(expected))
    assert fitted.correlations_.shape == (2,)
    assert (np.abs(fitted.correlations_) <= 1 + 1e-9).all()


@pytest.mark.parametrize("name", LINEAR)
def test_closed_forms_know_their_training_correlations(name):
    given = views()
    fitted = aligner(name).fit(given)
    np.testing.assert_allclose(fitted.correlations_, fitted.correlations(given), atol=1e-9)
    assert (fitted.correlations_ >= 0).all()
    if name != "pls":  # it orders by covariance
        assert (np.diff(fitted.correlations_) <= 1e-9).all()
    for scores in fitted.transform(given).values():
        np.testing.assert_allclose(scores.mean(axis=0), 0.0, atol=1e-9)


@pytest.mark.parametrize("name", EXACT)
def test_a_view_and_itself_correlate_wholly(name):
    array = views()["text"]
    fitted = aligner(name).fit({"one": array, "other": array})
    np.testing.assert_allclose(fitted.correlations_, 1.0, atol=1e-8)


@every
def test_what_is_absent_never_matters(name):
    given, there = views(), presence()
    nothing = aligner(name).fit(blanked(given, there, np.nan), presence=there)
    scores = nothing.transform(blanked(given, there, np.nan), presence=there)
    for value in (np.inf, 1e30, -7.0):
        other = aligner(name).fit(blanked(given, there, value), presence=there)
        np.testing.assert_array_equal(other.correlations_, nothing.correlations_)
        for view, array in other.transform(blanked(given, there, value), presence=there).items():
            np.testing.assert_array_equal(array, scores[view])
    for i, view in enumerate(WIDTHS):
        np.testing.assert_array_equal(np.isnan(scores[view]).all(axis=1), ~there[:, i])
        assert np.isfinite(scores[view][there[:, i]]).all()


@every
def test_presence_of_all_rows_is_no_presence(name):
    given = views()
    plain = aligner(name).fit(given)
    marked = aligner(name).fit(given, presence=np.ones((ROWS, 2), bool))
    for view in WIDTHS:
        np.testing.assert_array_equal(plain.transform(given)[view], marked.transform(given)[view])


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=8)
@given(shift=st.floats(-1e3, 1e3), power=st.integers(-6, 6))
def test_units_of_a_view_do_not_matter(name, shift, power):
    given = views()
    moved = {**given, "text": given["text"] * 10.0**power + shift * 10.0**power}
    one, other = aligner(name).fit(given), aligner(name).fit(moved)
    np.testing.assert_allclose(other.correlations_, one.correlations_, atol=1e-7)


@pytest.mark.parametrize("name", TRAINED)
def test_units_of_a_view_do_not_matter_to_networks(name):
    given = views()
    moved = {**given, "text": given["text"] * 1e4 + 3e4}
    one, other = aligner(name).fit(given), aligner(name).fit(moved)
    np.testing.assert_allclose(other.correlations_, one.correlations_, atol=2e-2)


@pytest.mark.parametrize("name", LINEAR)
def test_affine_maps_of_a_view_do_not_matter(name):
    rng = np.random.default_rng(5)
    given = views()
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0] if name == "pls" else rng.normal(size=(5, 5))
    more = {"scale": False} if name == "pls" else {}
    mapped = {**given, "text": given["text"] @ turn + rng.normal(size=5)}
    one, other = aligner(name, **more).fit(given), aligner(name, **more).fit(mapped)
    np.testing.assert_allclose(other.correlations_, one.correlations_, atol=1e-8)
    np.testing.assert_allclose(
        np.abs(other.transform(mapped)["image"]), np.abs(one.transform(given)["image"]), atol=1e-6
    )


@pytest.mark.parametrize("name", [name for name in ALIGNERS if registry.get("alignment", name).most_views is None])
def test_more_views_than_two(name):
    widths = {**WIDTHS, "sound": 6}
    given, there = views(widths=widths), presence(columns=3)
    fitted = aligner(name).fit(blanked(given, there, np.nan), presence=there)
    scores = fitted.transform(given)
    assert [array.shape for array in scores.values()] == [(ROWS, 2)] * 3
    assert all(np.isfinite(array).all() for array in scores.values())


@pytest.mark.parametrize("name", [name for name in ALIGNERS if registry.get("alignment", name).most_views == 2])
def test_methods_for_two_views_refuse_three(name):
    given = views(widths={**WIDTHS, "sound": 6})
    refused(lambda: aligner(name).fit(given), "expected 2 views, got 3", "sound", "mcca")


BAD = {
    "NaN": (lambda v: {**v, "image": np.where(np.arange(ROWS)[:, None] == 3, np.nan, v["image"])}, "NaN", "row 3"),
    "infinity": (lambda v: {**v, "image": np.where(np.arange(ROWS)[:, None] == 3, np.inf, v["image"])}, "inf"),
    "unlike rows": (lambda v: {**v, "image": v["image"][:-1]}, f"expected {ROWS} rows", f"got {ROWS - 1}"),
    "no row": (lambda v: {**v, "image": v["image"][:0]}, "0 sample"),
    "no column": (lambda v: {**v, "image": v["image"][:, :0]}, "0 feature"),
    "complex": (lambda v: {**v, "image": v["image"] + 1j}, "Complex"),
    "objects": (lambda v: {**v, "image": np.full((ROWS, 4), object(), dtype=object)}, "objects"),
    "words": (lambda v: {**v, "image": np.full((ROWS, 4), "a")}, "numbers"),
    "one dimension": (lambda v: {**v, "image": v["image"][:, 0]}, "2D"),
    "zeros": (lambda v: {**v, "image": np.zeros((ROWS, 4))}, ""),
}


@every
@pytest.mark.parametrize("what", BAD)
def test_bad_arrays_are_named(name, what):
    change, *words = BAD[what]
    refused(lambda: aligner(name).fit(change(views())), "'image'", *words)


@every
def test_bad_arrays_are_named_when_a_fitted_aligner_sees_them(name):
    fitted, new = aligner(name).fit(views()), views(seed=1, rows=5)
    refused(lambda: fitted.transform({"text": new["text"]}), "missing image")
    refused(lambda: fitted.transform({**new, "image": new["image"][:, :2]}), "'image'", "expected 4 columns", "got 2")
    refused(lambda: fitted.transform_view(new["text"], "image"), "'image'", "expected 4 columns", "got 5")
    refused(lambda: fitted.transform_view(new["text"], "sound"), "'sound'", "text, image")
    new["text"][2, 1] = np.nan
    refused(lambda: fitted.transform(new), "'text'", "NaN", "row 2")


@every
def test_bad_presence_is_refused(name):
    refused(lambda: aligner(name).fit(views(), presence=np.ones((ROWS, 3), bool)), "presence", f"({ROWS}, 2)")
    refused(lambda: aligner(name).fit(views(), presence=np.ones((ROWS, 2))), "presence", "bool")
    gone = np.ones((ROWS, 2), bool)
    gone[:, 1] = False
    refused(lambda: aligner(name).fit(views(), presence=gone), "'image'", "present in no row")


@every
def test_one_view_is_too_few(name):
    refused(lambda: aligner(name).fit({"text": views()["text"]}), "at least two")


@every
@pytest.mark.parametrize("components", [0, -1])
def test_components_below_one_are_refused(name, components):
    refused(lambda: aligner(name, components).fit(views()), "components must be at least 1", str(components))


@every
def test_components_beyond_what_the_data_allow(name):
    """An error, or a warning and fewer components: trained aligners learn outputs of any width."""
    given = views(rows=40)
    if is_trained(name):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FusibleWarning)
            fitted = aligner(name, 9).fit(given)
        assert 1 <= fitted.n_components_ <= 9
        assert fitted.transform(given)["text"].shape == (40, fitted.n_components_)
        return
    refused(lambda: aligner(name, 41).fit(given), "components")


@pytest.mark.parametrize("name", [name for name in ALIGNERS if "ridge" in signature(name)])
def test_a_ridge_below_zero_is_refused(name):
    refused(lambda: aligner(name, ridge=-0.1).fit(views()), "ridge", "-0.1")


@pytest.mark.parametrize("name", [n for n in TRAINED if registry.get("alignment", n).least_batch])
def test_a_batch_smaller_than_the_dimensions_is_refused(name):
    refused(lambda: aligner(name, 4, batch=3).fit(views()), "batch", "4", "3")


@every
def test_parameters_come_back(name):
    built = aligner(name)
    copied = clone(built)
    assert {k: str(v) for k, v in copied.get_params().items()} == {k: str(v) for k, v in built.get_params().items()}
    assert copied.set_params(components=1) is copied
    assert copied.fit(views()).n_components_ == 1
    assert aligner(name).fit_transform(np.hstack(list(views().values()))).shape == (ROWS, 4)


def failing(estimator):
    """Names of scikit-learn's checks that an estimator fails, and why; only what is in `SKIPPED` may be skipped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FusibleWarning)
        results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert {r["check_name"] for r in results if r["status"] == "skipped"} <= set(SKIPPED)
    assert len(results) > 40
    return {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}


@pytest.mark.parametrize("name", EXACT)
def test_estimator_checks_of_scikit_learn(name):
    # All components of a linear aligner; kernels need fewer than the checks' smallest tables have.
    settings = {} if name in LINEAR else {"components": 1}
    assert failing(registry.build("alignment", name, **settings)) == {}


@pytest.mark.parametrize("name", [name for name in LINEAR if "ridge" in signature(name)])
def test_estimator_checks_all_pass_with_a_ridge(name):
    assert failing(registry.build("alignment", name, components=1, ridge=0.1)) == {}
