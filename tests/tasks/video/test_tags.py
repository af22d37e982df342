"""Tags of pictures: closed forms, photos, spans, and what is refused."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

import fusible
from fusible.encoders._imagenet import class_names, probabilities
from fusible.encoders.image_efficientnet import ImageEfficientnet
from fusible.errors import ArrayError, ConfigError
from fusible.tasks.video import tags
from fusible.tasks.video._tags_words import callings, class_texts, sentence_vectors, word_text
from fusible.tasks.video.tags import LEVEL, WORD_TEMPERATURE, Tag, Tagger
from fusible.types import Media

LABELS = ("coffee", "cat", "dog", "man", "drink", "zyzzyva")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("texts")


@pytest.fixture(scope="module")
def tagger(cache):
    return Tagger.of(LABELS, cache=cache)


@pytest.fixture(scope="module")
def seen(png):
    """Encodings of a cup of coffee, a cat, and noise-like gravel."""
    encoder = ImageEfficientnet()
    pictures = [Media("photo", 0, data=png(picture)) for picture in (data.coffee(), data.cat(), data.gravel())]
    return encoder(encoder.collate(pictures)).pooled.numpy()


def test_photos_are_told_by_words_that_are_no_class(tagger, seen):
    named = tagger.named(tagger.tags(seen))
    assert {tag.label for tag in named[0]} == {"coffee", "drink"}
    assert [tag.label for tag in named[1]] == ["cat"]
    assert named[2] == []


def test_words_that_no_class_is_like_are_blind(tagger):
    assert tagger.blind == ("man", "zyzzyva")


def test_evidence_is_what_classes_call_the_word_less_what_all_give(tagger, seen, cache):
    called = callings(LABELS, cache)
    expected = probabilities(seen, WORD_TEMPERATURE) @ (called - called.mean(axis=0))
    np.testing.assert_allclose(tagger.evidence(seen), expected, rtol=1e-4, atol=1e-6)
    place = class_texts().index("a photo of a beagle (dog)")
    vectors = sentence_vectors(["a photo of a beagle (dog)", word_text("dog")], cache)
    cosine = float(vectors[0] @ vectors[1])
    assert called[place, LABELS.index("dog")] == pytest.approx(1 / (1 + np.exp(-20 * (cosine - 0.7))), rel=1e-3)


def test_a_picture_that_says_nothing_has_no_evidence_for_any_word(tagger, monkeypatch):
    monkeypatch.setattr(tags._imagenet, "probabilities", lambda vectors, temperature: np.full((1, 1000), 1e-3))
    np.testing.assert_allclose(tagger.evidence(np.zeros((1, 1280))), 0.0, atol=1e-6)
    assert tagger.tags(np.zeros((1, 1280))).max() < 0.05


def test_classes_add_up_to_one_and_know_espresso(seen):
    tagger = Tagger.classes()
    chances = tagger.tags(seen)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-5)
    assert [tag.label for tag in tagger.named(chances)[0]] == ["espresso"]
    assert tagger.labels == class_names()
    assert tagger.blind == ()


@given(st.lists(st.floats(-0.2, 1), min_size=2, max_size=8, unique=True))
def test_chances_rise_with_the_evidence_and_lie_between_0_and_1(values):
    chances = tags._chance_of_word(np.sort(np.array(values)))
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (np.diff(chances) >= 0).all()


def test_the_level_is_where_captions_hold_the_word_as_often_as_not():
    level = np.exp(-tags.OFFSET / tags.SLOPE)
    assert tags._chance_of_word(np.array(level)) == pytest.approx(LEVEL, abs=1e-3)


def test_spans_have_the_chance_of_their_mean_evidence(tagger, seen):
    times = np.array([0.0, 0.5, 1.0])
    evidence = tagger.evidence(seen)
    found = tagger.over(seen, times, [(0.0, 1.0), (0.5, 2.0), (0.55, 0.6), (0.0, 9.0)])
    means = [evidence[:2].mean(axis=0), evidence[1:].mean(axis=0), evidence[1], evidence.mean(axis=0)]
    np.testing.assert_allclose(found, tagger.chance(np.stack(means)), rtol=1e-4, atol=1e-7)
    assert found.dtype == np.float32


def test_absent_pictures_have_no_tags_and_count_in_no_span(tagger, seen):
    gappy = seen.copy()
    gappy[1] = np.nan
    chances = tagger.tags(gappy)
    assert np.isnan(chances).all(axis=1).tolist() == [False, True, False]
    assert tagger.named(chances)[1] == []
    found = tagger.over(gappy, np.arange(3.0), [(0, 2), (1, 2)])
    np.testing.assert_allclose(found[0], chances[0], rtol=1e-5)
    assert np.isnan(found[1]).all()


def test_no_pictures_and_no_spans_give_empty_tables(tagger):
    nothing = np.zeros((0, 1280), np.float32)
    assert tagger.tags(nothing).shape == (0, len(LABELS))
    assert tagger.over(nothing, np.zeros(0), []).shape == (0, len(LABELS))
    assert np.isnan(tagger.over(nothing, np.zeros(0), [(0, 1)])).all()


def test_named_takes_the_likeliest_from_the_level_on(tagger):
    chances = np.array([[0.2, 0.9, 0.5, 0.7, 0.6, 0.0]])
    assert tagger.named(chances, most=2) == [[Tag("cat", 0.9), Tag("man", 0.7)]]
    assert [tag.label for tag in tagger.named(chances, level=0.6)[0]] == ["cat", "man", "drink"]


def test_a_time_per_picture_is_asked_for(tagger, seen):
    with pytest.raises(ArrayError, match=r"tags: expected a time per picture \(3,\), got shape \(2,\)"):
        tagger.over(seen, np.arange(2.0), [(0, 1)])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("dog", r"expected a list of words, got the text 'dog'"),
        ([], r"expected 1 to 10000 words, got 0"),
        (["dog", " "], r"label 1 is empty or no text: ' '"),
        (["dog", 3], r"label 1 is empty or no text: 3"),
        (["dog", "cat", " Dog"], r"labels 0 and 2 are both 'Dog'"),
    ],
)
def test_odd_labels_are_refused_in_one_line(labels, message):
    with pytest.raises(ConfigError, match=message):
        Tagger.of(labels)


def test_texts_are_encoded_once(cache, tagger, monkeypatch):
    from fusible.tasks.video import _tags_words

    monkeypatch.setattr(_tags_words, "encode_batch", lambda *_: pytest.fail("encoded again"))
    assert Tagger.of(LABELS[:2], cache=cache).labels == LABELS[:2]


COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def coloured(png):
    """Noisy pictures of three colours, and texts that name them."""
    rng, parts = np.random.default_rng(0), ["train", "train", "train", "valid", "test"]
    rows = []
    for number in range(75):
        pixels = rng.integers(0, 40, (24, 24, 3))
        pixels[..., number % 3] += 180
        said = f"{COLOURS[number % 3]} w{number}"
        rows.append({"photo": png(pixels), "said": said, "split": parts[number // 3 % 5]})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def retriever(coloured, tmp_path_factory):
    """The space of both, by the packaged encoder."""
    encoders = {"said": "text_tfidf", "photo": "image_efficientnet"}
    cache = tmp_path_factory.mktemp("cache")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fusible.fit_retrieval(coloured, encoders=encoders, methods=("cca",), cache=cache).retriever


@pytest.fixture(scope="module")
def pictures(coloured):
    """Encodings of the last six pictures."""
    encoder = ImageEfficientnet()
    return encoder(encoder.collate([Media("photo", 0, data=cell) for cell in coloured["photo"][-6:]])).pooled.numpy()


def test_a_retriever_tells_what_it_learned(retriever, coloured, pictures):
    tagger = Tagger.by(retriever, COLOURS, encoder=ImageEfficientnet())
    chances = tagger.tags(pictures)
    assert chances.argmax(axis=1).tolist() == [0, 1, 2, 0, 1, 2]
    photo = retriever.transform(coloured[-6:], ["photo"])["photo"]
    texts = [f"a photo of {colour}" for colour in COLOURS]
    said = retriever.transform(pd.DataFrame({"said": texts}), ["said"])["said"]
    np.testing.assert_allclose(chances, retriever.calibrate("photo", "said", photo @ said.T), rtol=1e-3, atol=1e-5)


def test_a_retriever_of_another_encoder_or_view_is_refused(retriever, pictures):
    with pytest.raises(ConfigError, match=r"view 'photo' is encoded by ImageEfficientnet .*160.* pictures by .*64"):
        Tagger.by(retriever, COLOURS, encoder=ImageEfficientnet(size=64))
    with pytest.raises(ConfigError, match=r"expected 'clip' as its view of images, it has 'photo'; name one"):
        Tagger.by(retriever, COLOURS, picture="clip")
    with pytest.raises(ConfigError, match=r"wording: expected a text with \{\} in the label's place, got 'photo'"):
        Tagger.by(retriever, COLOURS, wording="photo")
    with pytest.raises(ArrayError, match=r"expected encodings as of view 'photo' \(steps, 1280\), got shape \(6, 9\)"):
        Tagger.by(retriever, COLOURS).tags(pictures[:, :9])


def test_a_retriever_without_pictures_has_nothing_to_tag(retriever):
    alone = replace(retriever, views=(retriever.view("said"),))
    with pytest.raises(ConfigError, match="expected one as its view of images, it has none"):
        Tagger.by(alone, COLOURS)
