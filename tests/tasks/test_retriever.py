"""Heads, retrievers and their calibration: values against closed forms."""

import numpy as np
import pytest
import torch
import yaml
from _pairs import paired
from hypothesis import given
from hypothesis import strategies as st

import fusible
from fusible.alignment._projections import Affine
from fusible.errors import ModelFormatError, SchemaError
from fusible.tasks._retrieval_calibrate import _fit, _relations, calibrate
from fusible.tasks._retrieval_calibration import Calibration, Curve
from fusible.tasks._retrieval_head import Head, Part, build_head, fused, units
from fusible.tasks._retrieval_pairs import Rows


def affine(inputs, outputs, seed=0):
    module = Affine(inputs, outputs)
    module.weight.copy_(torch.from_numpy(np.random.default_rng(seed).normal(size=(inputs, outputs))))
    return module


def test_a_heads_inner_product_is_the_weighted_mean_of_cosines(rng):
    heads = [Head([Part(affine(3, 4, s), 4), Part(affine(3, 2, s + 9), 2)], [0.25, 0.75]).eval() for s in (0, 1)]
    one, other = rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    found = units(heads[0], one) @ units(heads[1], other).T
    cosines = []
    for place in range(2):
        sides = [rows @ heads[i].parts[place].projection.weight.numpy() for i, rows in enumerate((one, other))]
        sides = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides]
        cosines.append(sides[0] @ sides[1].T)
    np.testing.assert_allclose(found, 0.25 * cosines[0] + 0.75 * cosines[1], atol=1e-5)


def test_a_posterior_part_gives_centred_roots_of_probabilities():
    part = Part(affine(2, 2), 2, classes=3)
    rows = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    chances = part.logits(part.projection(rows)).softmax(dim=1)
    expected = chances.sqrt() - 3**-0.5
    torch.testing.assert_close(part(rows), expected / expected.norm(dim=1, keepdim=True))


def test_absent_rows_and_rows_that_say_nothing_are_nan():
    head = Head([Part(affine(2, 2), 2)]).eval()
    found = units(head, np.array([[1.0, 2.0], [np.nan, np.nan], [0.0, 0.0]], np.float32))
    assert np.isfinite(found).all(axis=1).tolist() == [True, False, False]


def test_heads_are_rebuilt_and_odd_ones_refused():
    head = Head([Part(affine(2, 3), 3, classes=4), Part(affine(2, 5), 5)])
    made = build_head(head.spec)
    assert made.spec == head.spec
    assert made.outputs == head.outputs == 9
    for odd in ([], "x", [{"projection": {}, "classes": 0, "path": "x"}], [{**head.spec[0], "classes": -1}]):
        with pytest.raises(ModelFormatError):
            build_head(odd)


def test_fusing_is_the_direction_of_the_mean():
    found = fused(
        [np.array([[1.0, 0.0], [1.0, 0.0], [np.nan] * 2]), np.array([[0.6, 0.8], [np.nan] * 2, [np.nan] * 2])]
    )
    np.testing.assert_allclose(found[0], np.array([1.6, 0.8]) / np.hypot(1.6, 0.8), rtol=1e-6)
    np.testing.assert_allclose(found[1], [1.0, 0.0])
    assert np.isnan(found[2]).all()


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.floats(0.01, 20), st.floats(-20, 20))
def test_chances_are_monotone(similarity, slope, offset):
    ordered = np.sort(similarity)
    found = Curve(0.1, 0.5, slope, offset, 3).chance(ordered)
    assert (np.diff(found) >= 0).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_the_curve_is_the_posterior_of_two_gaussians(rng):
    matched, strange = rng.normal(2, 1, 100_000), rng.normal(0, 1, 100_000)
    slope, offset = _fit(matched, strange, 0.01)  # log-odds of N(2, 1) against N(0, 1): 2x - 2, at a prior of .01
    assert slope == pytest.approx(2, abs=0.15)
    assert offset == pytest.approx(-2 + np.log(0.01 / 0.99), abs=0.35)


def mixed(rng, items=300, width=64, noise=0.3):
    """Two views of the same items: within a view all is alike, across views little is but what belongs together."""
    shared = rng.normal(size=(items, width))
    vectors = {}
    for name in ("photo", "text"):
        rows = shared + rng.normal(size=width) + noise * rng.normal(size=shared.shape)
        vectors[name] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    ids = {name: np.arange(items) for name in vectors}
    return Rows(np.arange(items), ids, vectors, np.arange(items)), vectors


def test_a_mixed_list_is_not_one_modality(rng):
    rows, vectors = mixed(rng)
    calibration = calibrate(rows, vectors)
    ask = vectors["text"][:100]
    similarity = {name: ask @ vectors[name][100:].T for name in vectors}  # strangers of both kinds
    raw = np.concatenate([similarity["photo"], similarity["text"]], axis=1)
    assert (np.argsort(-raw, axis=1)[:, :10] >= 200).mean() > 0.95  # uncalibrated: nothing but texts
    chance = np.concatenate([calibration.chance("text", name, similarity[name]) for name in similarity], axis=1)
    assert 0.3 < (np.argsort(-chance, axis=1)[:, :10] >= 200).mean() < 0.7


def test_a_match_of_any_kind_comes_before_strangers_of_all_kinds(rng):
    rows, vectors = mixed(rng)
    calibration = calibrate(rows, vectors)
    own = calibration.chance("text", "photo", (vectors["text"] * vectors["photo"]).sum(axis=1))
    texts = calibration.chance("text", "text", vectors["text"][:100] @ vectors["text"][100:].T)
    assert np.median(own) > np.quantile(texts, 0.99)
    assert calibration.curves["text", "photo"].matches == 300
    assert calibration.curves["text", "text"].matches == 0


def test_chances_hold_on_new_rows_at_the_stated_prior(rng):
    rows, vectors = mixed(rng, items=1000, noise=1.5)
    half = slice(0, 500)
    known = Rows(rows.table[half], {n: i[half] for n, i in rows.ids.items()}, {}, rows.blocks[half])
    known.vectors = {name: v[half] for name, v in vectors.items()}
    chance = calibrate(known, known.vectors).chance("text", "photo", vectors["text"][500:] @ vectors["photo"][500:].T)
    match = np.eye(500, dtype=bool)
    weight = np.where(match, 0.01 / 500, 0.99 / (500 * 499))
    assert (weight * chance).sum() == pytest.approx(0.01, rel=0.25)
    loss = -(weight * np.where(match, np.log(chance), np.log1p(-chance))).sum()
    assert loss < 0.8 * -(0.01 * np.log(0.01) + 0.99 * np.log(0.99))


@pytest.mark.parametrize("noise", [0.5, 0.8, 1.2])
def test_chances_of_first_hits_hold_in_collections_of_any_size(noise):
    calibration = calibrate(*drawn(300, 0, noise))
    _, vectors = drawn(2_000, 5, noise)
    similarity = vectors["a"] @ vectors["b"].T
    for rows in (100, 500, 2_000):
        chance = calibration.chance("a", "b", similarity[:rows, :rows], rows)
        right = (chance.argmax(axis=1) == np.arange(rows)).mean()
        assert chance.max(axis=1).mean() == pytest.approx(right, abs=0.1)


def drawn(rows, seed, noise):
    """Two views of the same things."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(rows, 16))
    vectors = {name: fused([shared + noise * rng.normal(size=shared.shape)]) for name in "ab"}
    return Rows(np.arange(rows), dict.fromkeys("ab", np.arange(rows)), {}, np.arange(rows)), vectors


def test_a_curve_knows_how_many_rows_belong_to_one(rng):
    things = np.repeat(np.arange(60), 5)
    vectors = {name: fused([rng.normal(size=(300, 8))]) for name in ("photo", "text")}
    vectors["photo"] = vectors["photo"][5 * things]
    rows = Rows(np.arange(300), {"photo": things, "text": np.arange(300)}, {}, things)
    curves = calibrate(rows, vectors).curves
    assert {pair: round(curve.each, 6) for pair, curve in curves.items() if curve.matches} == {
        ("photo", "text"): 5.0, ("text", "photo"): 5.0, ("text", "text"): 4.0, ("text", "fused"): 4.0,
        ("fused", "text"): 4.0,
    }  # fmt: skip
    assert curves["photo", "photo"].borrowed
    assert curves["photo", "photo"].each == 5.0
    rows.classes = things % 4
    assert {curve.each for curve in calibrate(rows, vectors).curves.values()} == {0.0}


def test_rows_of_a_block_that_share_nothing_are_neither_matches_nor_strangers():
    rows = Rows(np.arange(3), {"a": np.array([0, 1, 2]), "b": np.array([0, 1, 2])}, {}, np.array([0, 0, 1]))
    match, stranger = _relations(rows, np.arange(3), np.arange(3), "a", "b")
    np.testing.assert_array_equal(match, np.eye(3, dtype=bool))
    assert stranger.tolist() == [[False, False, True], [False, False, True], [True, True, False]]


def test_classes_set_the_prior(rng):
    rows, vectors = mixed(rng, items=200)
    rows.classes = np.arange(200) % 4
    assert calibrate(rows, vectors).prior == pytest.approx(0.25)


def test_what_was_never_calibrated_follows_the_rule_of_random_directions():
    calibration = Calibration(width=400)
    tail = 2.3263 / 20
    np.testing.assert_allclose(calibration.chance("a", "b", np.array([tail])), 0.5, atol=1e-6)
    np.testing.assert_allclose(calibration.chance("a", "b", np.array([0.0])), 0.01, atol=1e-6)


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    frame = paired()
    options = {"columns": {"kind": "category:ignore"}, "encoders": {"said": "text_tfidf"}, "workers": 1}
    folder = tmp_path_factory.mktemp("aligned")
    found = fusible.align(frame, ["table", "said"], **options, output=folder / "out")
    return frame, found.aligner, folder / "out"


def test_an_aligners_folder_loads(aligned):
    frame, aligner, folder = aligned
    retriever = fusible.load_retriever(folder)
    scores = aligner.transform(frame)
    for view, rows in retriever.transform(frame).items():
        expected = scores[view] / np.linalg.norm(scores[view], axis=1, keepdims=True)
        np.testing.assert_allclose(rows, expected, atol=1e-5)
    assert retriever.width == aligner.width


def test_saved_and_loaded_it_is_the_same(aligned, tmp_path):
    frame, _, folder = aligned
    retriever = fusible.load_retriever(folder)
    retriever.calibration = Calibration(
        {("said", "fused"): Curve(0.1, 0.4, 3.0, -2.0, 12, 5.0, 0.5)}, 0.02, retriever.width
    )
    retriever.save(tmp_path / "one")
    loaded = fusible.load_retriever(tmp_path / "one")
    assert loaded.fingerprint == retriever.fingerprint
    assert loaded.calibration == retriever.calibration
    np.testing.assert_array_equal(loaded.transform(frame)["said"], retriever.transform(frame)["said"])
    with pytest.raises(ModelFormatError, match="load_retriever"):
        fusible.load(tmp_path / "one")


def test_the_fingerprint_follows_weights(aligned):
    retriever, other = (fusible.load_retriever(aligned[2]) for _ in range(2))
    other.heads["said"].parts[0].scale.mul_(2.0)
    assert other.fingerprint != retriever.fingerprint


def test_one_view_needs_its_own_columns_only(aligned):
    frame, _, folder = aligned
    retriever = fusible.load_retriever(folder)
    alone = retriever.transform(frame[["said"]], ["said"])
    np.testing.assert_array_equal(alone["said"], retriever.transform(frame)["said"])


@pytest.mark.parametrize(
    "call",
    [
        lambda r, f: r.transform(f, ["sound"]),
        lambda r, f: r.calibrate("sound", "said", np.zeros(1)),
        lambda r, f: r.fuse({"sound": np.zeros((1, 2))}),
        lambda r, f: r.fuse({}),
    ],
)
def test_unknown_views_are_named(aligned, call):
    frame, _, folder = aligned
    with pytest.raises(SchemaError, match="'said'"):
        call(fusible.load_retriever(folder), frame)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["retriever"]["views"]["said"]["head"][0].update(path="/etc"), "projection and classes"),
        (lambda c: c["retriever"]["views"]["said"]["head"][0]["projection"].update(inputs=7), "expected .* inputs"),
        (lambda c: c["retriever"]["views"]["said"]["head"][0].update(classes=900_000), "expected shape|damaged"),
        (lambda c: c["retriever"]["calibration"]["curves"].append({"asked": "x"}), "damaged|finite"),
        (lambda c: c["retriever"]["calibration"].update(prior=2.0), "prior"),
        (lambda c: c.update(format=99), "newer"),
        (lambda c: c.pop("retriever"), "no retriever"),
    ],
)
def test_damaged_folders_are_refused(aligned, tmp_path, change, words):
    fusible.load_retriever(aligned[2]).save(tmp_path / "one")
    config = yaml.safe_load((tmp_path / "one" / "config.yaml").read_text())
    change(config)
    (tmp_path / "one" / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ModelFormatError, match=words) as caught:
        fusible.load_retriever(tmp_path / "one")
    assert "\n" not in str(caught.value)
