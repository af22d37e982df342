import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

from fusible.encoders.text_tfidf import TextTfidf
from fusible.errors import ConfigError
from fusible.types import Task

TEXTS = ["red dress", "blue dress, red hat", "a blue hat", "the red red dress", "green shoes", "green hat"]


def peer(texts=TEXTS, **settings):
    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b", **settings
    )
    return vectorizer.fit(texts)


def test_weights_are_those_of_scikit_learn():
    encoder = TextTfidf()
    encoder.fit(TEXTS)
    unseen = [*TEXTS, "red red blue unheard words", ""]
    np.testing.assert_allclose(encoder._sparse(unseen).toarray(), peer().transform(unseen).toarray(), atol=1e-6)


def test_the_vector_is_the_projection_on_singular_vectors():
    encoder = TextTfidf(width=3)
    encoder.fit(TEXTS)
    rows = peer().transform(TEXTS).toarray()
    axes = np.linalg.svd(rows, full_matrices=False)[2][:3]
    expected = rows @ axes.T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    ours = encoder(encoder.collate(TEXTS)).pooled.numpy()
    np.testing.assert_allclose(ours @ ours.T, expected @ expected.T, atol=1e-5)


def test_many_rows_take_the_randomised_projection():
    rng = np.random.default_rng(0)
    words = np.array([f"w{n}" for n in range(40)])
    texts = [" ".join(rng.choice(words, 6)) for _ in range(300)]
    encoder = TextTfidf(width=8)
    encoder.fit(texts)
    gram = (encoder.projection.T @ encoder.projection).numpy()
    np.testing.assert_allclose(gram, np.eye(8), atol=1e-4)


def test_predicts_as_logistic_regression_of_scikit_learn():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, 90)
    texts = [f"{('red', 'blue', 'green')[c]} {rng.choice(['hat', 'shoe', 'dress'])} {rng.integers(9)}" for c in target]
    encoder = TextTfidf()
    encoder.fit(texts)
    encoder.fit_target(texts, target, Task("multiclass", ("r", "b", "g")), ([], np.zeros(0)), 0)
    rows = peer(texts).transform(texts)
    expected = LogisticRegression(C=1.0, max_iter=1000, tol=1e-6).fit(rows, target).predict_proba(rows)
    np.testing.assert_allclose(encoder.predict_scores(texts), expected, atol=5e-3)


def test_predicts_as_ridge_regression_of_scikit_learn():
    target = np.array([1.0, 2.0, 3.0, 1.5, 9.0, 6.0])
    encoder = TextTfidf()
    encoder.fit(TEXTS)
    encoder.fit_target(TEXTS, target, Task("regression"), ([], np.zeros(0)), 0)
    rows = peer().transform(TEXTS)
    expected = Ridge(alpha=1.0).fit(rows, target).predict(rows)
    np.testing.assert_allclose(encoder.predict_scores(TEXTS)[:, 0], expected, atol=1e-4)


def test_validation_chooses_the_strength():
    rng = np.random.default_rng(1)
    target = rng.integers(0, 2, 200)
    texts = [f"{'yes' if t else 'no'} {rng.integers(50)}" for t in target]
    encoder = TextTfidf()
    encoder.fit(texts)
    losses = []
    for valid in (([], np.zeros(0)), (texts[150:], target[150:])):
        encoder.fit_target(texts[:150], target[:150], Task("binary", ("n", "y")), valid, 0)
        scores = encoder.predict_scores(texts[150:])
        losses.append(-np.log(scores[np.arange(50), target[150:]]).mean())
    assert losses[1] < losses[0]


def test_chinese_is_split_into_characters():
    encoder = TextTfidf(min_count=1)
    encoder.fit(["红色连衣裙", "蓝色连衣裙"])
    assert encoder.unit == "char"
    assert "连衣裙" in encoder.terms


@pytest.mark.parametrize("texts", [["same"], ["one", "two"], ["?!", "..."], ["word word", "word"]])
def test_tiny_vocabularies_encode_and_predict(texts):
    encoder = TextTfidf(width=4)
    encoder.fit(texts)
    pooled = encoder(encoder.collate([*texts, "unheard"])).pooled
    assert pooled.shape == (len(texts) + 1, 4)
    assert torch.equal(pooled[-1], torch.zeros(4))
    encoder.fit_target(texts, np.arange(len(texts)), Task("multiclass", ("a", "b", "c")), ([], np.zeros(0)), 0)
    np.testing.assert_allclose(encoder.predict_scores(texts).sum(axis=1), 1.0)


def test_the_vocabulary_is_capped_at_the_most_frequent_terms():
    encoder = TextTfidf(features=2)
    encoder.fit(TEXTS)
    assert len(encoder.terms) == 2
    assert "red" in encoder.terms


def test_predicting_before_fitting_is_an_error():
    with pytest.raises(ConfigError, match="fit_target"):
        TextTfidf().predict_scores(["a"])
