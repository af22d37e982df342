"""Novelty, diversity and representativeness against their definitions, and importance learned from people."""

import itertools

import numpy as np
import pytest
from scipy.stats import spearmanr

from fusible.errors import ArrayError, ConfigError
from fusible.tasks.video.importance import (
    directions,
    diversity,
    importance,
    nearness,
    novelty,
    ranks,
    representativeness,
    toward,
)
from fusible.tasks.video.learned import LearnedImportance


def test_novelty_is_the_cosine_to_the_mean_of_the_past(rng):
    encodings = rng.normal(size=(30, 5)) * rng.uniform(0.1, 9, (30, 1))
    found = novelty(encodings, past=4)
    unit = encodings / np.linalg.norm(encodings, axis=1, keepdims=True)
    assert found[0] == 0
    for i in range(1, 30):
        before = unit[max(0, i - 4) : i].mean(axis=0)
        assert found[i] == pytest.approx(1 - unit[i] @ before / np.linalg.norm(before))


@pytest.mark.parametrize(("steps", "width"), [(6, 9), (8, 3)])
def test_diversity_is_the_marginal_of_the_determinantal_process(rng, steps, width):
    unit = directions(rng.normal(size=(steps, width)))
    found = diversity(unit, 0.3)
    assert found.sum() == pytest.approx(min(0.3 * steps, 0.9 * width))
    # The scale of the kernel is what makes the expected size so; with it every subset is weighed by its determinant.
    low, high = 1e-6, 1e6
    for _ in range(200):
        scale = np.sqrt(low * high)
        values = scale * np.linalg.eigvalsh(unit @ unit.T)
        low, high = (scale, high) if (values / (1 + values)).sum() < found.sum() else (low, scale)
    kernel = scale * unit @ unit.T
    chances, total = np.zeros(steps), 0.0
    for size in range(steps + 1):
        for subset in itertools.combinations(range(steps), size):
            weight = np.linalg.det(kernel[np.ix_(subset, subset)]) if subset else 1.0
            total += weight
            chances[list(subset)] += weight
    np.testing.assert_allclose(found, chances / total, atol=1e-8)


def test_copies_share_their_chance():
    encodings = np.repeat(np.eye(4), [7, 1, 1, 1], axis=0)
    found = diversity(encodings, 0.3)
    assert found[:7].max() < found[7:].min()


def test_representativeness_is_the_mean_similarity(rng):
    encodings = rng.normal(size=(40, 6))
    unit = directions(encodings)
    centred = directions(unit - unit.mean(axis=0))
    np.testing.assert_allclose(
        representativeness(encodings), [np.mean([max(0, a @ b) for b in centred]) for a in centred]
    )


def test_importance_is_the_mean_of_ranks(rng):
    encodings = rng.normal(size=(50, 8))
    found = importance(encodings)
    parts = [ranks(measure(encodings)) for measure in (novelty, diversity, representativeness)]
    np.testing.assert_allclose(found, np.mean(parts, axis=0))
    assert found.min() >= 0
    assert found.max() <= 1
    np.testing.assert_allclose(importance(encodings, weights={"novelty": 2.0}), parts[0])
    np.testing.assert_allclose(importance(encodings * 7.0), found)


@pytest.mark.parametrize("encodings", [np.zeros((5, 3)), np.ones((5, 3)), np.ones((1, 3)), np.eye(2)])
def test_films_that_never_change_have_importance(encodings):
    found = importance(encodings)
    assert found.shape == (len(encodings),)
    assert np.isfinite(found).all()
    if len(np.unique(encodings, axis=0)) == 1 and len(encodings) > 1:
        assert np.ptp(importance(encodings, weights={"diversity": 1, "representativeness": 1})) == 0


def test_a_query_draws_importance_toward_it(rng):
    encodings, query = rng.normal(size=(60, 8)), rng.normal(size=8)
    important = importance(encodings)
    near = nearness(encodings, query)
    assert spearmanr(toward(important, encodings, query, 1.0), near).statistic == pytest.approx(1.0)
    np.testing.assert_array_equal(toward(important, encodings, query, 0.0), important)
    mixed = toward(important, encodings, query)
    assert spearmanr(mixed, near).statistic > spearmanr(important, near).statistic + 0.3


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: importance(np.zeros((0, 3))), ArrayError),
        (lambda x: importance(x * np.nan), ArrayError),
        (lambda x: importance(x, weights={"beauty": 1.0}), ConfigError),
        (lambda x: importance(x, weights={"novelty": 0.0}), ConfigError),
        (lambda x: novelty(x, past=0), ConfigError),
        (lambda x: diversity(x, 0.0), ConfigError),
        (lambda x: nearness(x, np.zeros(3)), ArrayError),
        (lambda x: nearness(x, np.ones(4)), ArrayError),
        (lambda x: toward(np.ones(2), x, np.ones(3)), ArrayError),
        (lambda x: toward(np.ones(5), x, np.ones(3), 2.0), ConfigError),
    ],
)
def test_bad_input_is_refused(rng, call, error):
    with pytest.raises(error):
        call(rng.normal(size=(5, 3)))


def scored(rng, films, noise=0.5):
    """Films in which people like what points a hidden way for some time, each on a scale of their own."""
    way = np.random.default_rng(7).normal(size=12)
    made = []
    for _ in range(films):
        steps = rng.normal(size=(int(rng.integers(60, 120)), 12)) + np.repeat(rng.normal(size=(30, 12)), 4, axis=0)[0]
        liked = np.convolve(steps @ way, np.ones(5) / 5, mode="same")
        people = liked * rng.uniform(0.5, 2, (6, 1)) + rng.uniform(-9, 9, (6, 1))
        made.append((steps, people + noise * liked.std() * rng.normal(size=people.shape)))
    return made


def test_learned_importance_is_what_people_like(rng):
    films = scored(rng, 14)
    model = LearnedImportance().fit([steps for steps, _ in films[:10]], [people for _, people in films[:10]])
    new = [spearmanr(model.predict(steps), people.mean(axis=0)).statistic for steps, people in films[10:]]
    blind = [spearmanr(importance(steps), people.mean(axis=0)).statistic for steps, people in films[10:]]
    assert np.mean(new) > 0.6
    assert np.mean(blind) < 0.3
    assert model.rho_ == pytest.approx(np.mean(new), abs=0.15)
    saved = {name: value.copy() for name, value in model.arrays().items()}
    again = LearnedImportance.from_arrays(saved)
    np.testing.assert_array_equal(again.predict(films[10][0]), model.predict(films[10][0]))


def test_scores_of_noise_choose_a_strong_penalty(rng):
    films = [rng.normal(size=(50, 6)) for _ in range(6)]
    model = LearnedImportance().fit(films, [rng.random(50) for _ in films])
    assert abs(model.rho_) < 0.3
    assert np.isfinite(model.predict(films[0])).all()


def test_one_film_and_people_without_opinion(rng):
    steps = rng.normal(size=(50, 6))
    one = LearnedImportance().fit([steps], [np.stack([steps[:, 0], np.ones(50)])])
    assert np.isnan(one.rho_)
    assert spearmanr(one.predict(steps), steps[:, 0]).statistic > 0.7
    with pytest.raises(ArrayError, match="whose scores differ"):
        LearnedImportance().fit([steps], [np.ones(50)])
    with pytest.raises(ArrayError, match="finite scores"):
        LearnedImportance().fit([steps], [np.ones(49)])
    with pytest.raises(ArrayError, match="as learned from"):
        one.predict(np.ones((5, 7)))
    with pytest.raises(ConfigError, match="not been fitted"):
        LearnedImportance().predict(steps)
    with pytest.raises(ConfigError, match="at least 1"):
        LearnedImportance(components=0).fit([steps], [steps[:, 0]])
