"""Contrastive alignment: it finds partners, takes equal rows for partners, and any view may be absent."""

import numpy as np
import pytest
import torch

from fusible.alignment._gather import Batch, contents
from fusible.alignment._losses import info_nce, sigmoid_loss
from fusible.alignment.contrastive import LARGEST_SCALE, START, Contrastive, ContrastiveObjective
from fusible.errors import ConfigError

SMALL = {"hidden": (32,), "epochs": 80, "batch": 100, "learning_rate": 1e-2, "dropout": 0.0}
BOTH = pytest.mark.parametrize("loss", ["infonce", "sigmoid"])


def views(rows=500, seed=0, names=("text", "image")):
    """Views that are turned and bent copies of one hidden space."""
    rng, turns = np.random.default_rng(seed), np.random.default_rng(99)
    hidden = rng.normal(size=(rows, 3))
    made = {}
    for name in names:
        bent = np.tanh(hidden @ turns.normal(size=(3, 6)))
        made[name] = bent + 0.05 * rng.normal(size=bent.shape)
    return made


def found(one, other):
    """Share of rows whose nearest row of the other view, by cosine, is their partner."""
    one, other = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (one, other))
    return float(((one @ other.T).argmax(axis=1) == np.arange(len(one))).mean())


@BOTH
@pytest.mark.parametrize("space", ["cosine", "correlation"])
def test_new_rows_find_their_partners(loss, space):
    fitted = Contrastive(8, loss=loss, space=space, **SMALL).fit(views())
    scores = fitted.transform(views(100, seed=1))
    assert found(scores["text"], scores["image"]) > (0.6 if space == "cosine" else 0.4)  # by chance .01
    assert fitted.correlations_.shape == (8,)
    assert fitted.temperature_ * 1.0001 >= 1 / LARGEST_SCALE


def test_spaces():
    given = views()
    cosine = Contrastive(3, space="cosine", **{**SMALL, "epochs": 10}).fit(given)
    scores = cosine.transform(given)["text"]
    np.testing.assert_allclose(np.linalg.norm(scores, axis=1), 1.0, atol=1e-6)
    module = cosine.projection("text")
    np.testing.assert_allclose(module(torch.from_numpy(given["text"])).detach().numpy(), scores, atol=1e-6)
    assert module.spec["unit"] is True
    ordered = Contrastive(3, **{**SMALL, "epochs": 10}).fit(given)
    kept = np.setdiff1d(np.arange(500), ordered.validation_rows_)
    covariance = np.cov(ordered.transform(given)["text"][kept].T, bias=True)
    np.testing.assert_allclose(covariance, np.eye(3), atol=1e-4)
    assert (np.diff(ordered.linear_.correlations_) <= 0).all()


@BOTH
def test_three_views_of_which_any_is_absent(loss):
    given = views(names=("text", "image", "sound"))
    presence = np.random.default_rng(2).random((500, 3)) > 0.25
    fits = []
    for filling in (np.nan, 1e9):
        holes = {name: np.where(presence[:, [i]], rows, filling) for i, (name, rows) in enumerate(given.items())}
        fits.append(Contrastive(8, loss=loss, space="cosine", **{**SMALL, "epochs": 40}).fit(holes, presence=presence))
    new = views(100, seed=1, names=("text", "image", "sound"))
    scores = [fit.transform(new) for fit in fits]
    np.testing.assert_array_equal(scores[0]["text"], scores[1]["text"])
    assert found(scores[0]["text"], scores[0]["sound"]) > 0.25
    assert found(scores[0]["image"], scores[0]["sound"]) > 0.25


@BOTH
def test_equal_rows_of_a_batch_are_partners(loss):
    """Rows 0 and 2 are equal in the second view: they belong together, in both directions."""
    torch.manual_seed(0)
    outputs = [torch.randn(4, 3), torch.randn(4, 3)]
    numbers = [np.array([10, 11, 12, 13]), np.array([7, 8, 7, 9])]
    objective = ContrastiveObjective(loss, numbers)
    partners = torch.eye(4, dtype=torch.bool)
    partners[0, 2] = partners[2, 0] = True
    scale, bias = (torch.tensor(value) for value in START[loss])
    one, other = outputs
    expected = (
        info_nce(one, other, scale, partners) if loss == "infonce" else sigmoid_loss(one, other, scale, bias, partners)
    )
    got = objective(outputs, Batch(np.arange(4), outputs, None))
    assert float(got.detach()) == pytest.approx(float(expected), rel=1e-6)
    strangers = ContrastiveObjective(loss, [np.arange(4), np.arange(4)])(outputs, Batch(np.arange(4), outputs, None))
    assert float(strangers.detach()) != pytest.approx(float(expected), rel=1e-3)


def test_pairs_of_views_that_share_no_rows_count_for_nothing():
    outputs = [torch.randn(4, 3, requires_grad=True) for _ in range(2)]
    presence = torch.tensor([[True, False]] * 2 + [[False, True]] * 2)
    objective = ContrastiveObjective("infonce", [np.arange(4), np.arange(4)])
    loss = objective(outputs, Batch(np.arange(4), outputs, presence))
    loss.backward()
    assert float(loss.detach()) == 0.0


def test_the_temperature_is_clamped():
    objective = ContrastiveObjective("infonce", [np.arange(2)] * 2)
    with torch.no_grad():
        objective.log_scale.fill_(50.0)
    assert float(objective.scale.detach()) == pytest.approx(LARGEST_SCALE)


def test_contents_are_the_same_for_equal_rows_alone():
    rows = np.array([[0.0, 1.0], [1.0, 0.0], [-0.0, 1.0], [0.0, 1.0 + 1e-15]])
    numbers = contents(rows, 4)
    assert numbers[0] == numbers[2]
    assert len(set(numbers.tolist())) == 3


def test_few_images_of_many_captions_are_learned():
    """Each image has five captions: without shared partners, the loss would push a caption from its own image."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(60, 4))
    captions = np.repeat(images, 5, axis=0) @ rng.normal(size=(4, 6)) + 0.3 * rng.normal(size=(300, 6))
    given = {"image": np.repeat(images, 5, axis=0), "caption": captions}
    fitted = Contrastive(8, space="cosine", **SMALL).fit(given)
    image, caption = fitted.transform_view(images, "image"), fitted.transform_view(captions, "caption")
    nearest = (caption @ image.T).argmax(axis=1)
    assert (nearest == np.repeat(np.arange(60), 5)).mean() > 0.6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "triplet"}, "loss: expected one of infonce, sigmoid, got 'triplet'"),
        ({"space": "sphere"}, "space: expected correlation or cosine, got 'sphere'"),
        ({"batch": 1}, "batch: expected at least 2, got 1"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        Contrastive(**{**SMALL, **settings}).fit(views())
