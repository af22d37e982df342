"""Asking: answers, abstaining, evidence, what is refused; a saved answerer answers the same."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import yaml
from _asked import COLOURS, brief, fitted
from PIL import Image

import fusible
from fusible.errors import ConfigError, DataError, ModelFormatError
from fusible.tasks.answerer import load_answerer


@pytest.fixture(scope="module")
def made(tmp_path_factory, png):
    return fitted(tmp_path_factory, png)


@pytest.fixture(scope="module")
def answerer(made):
    return made[1].answerer


@pytest.fixture(scope="module")
def few(made):
    """The first rows, of five pictures, one unreadable."""
    table = pd.read_csv(made[0]).head(15)
    return table.assign(picture=[f"{made[0].parent}/{name}" for name in table.picture])


@pytest.fixture
def folder(answerer, tmp_path):
    return answerer.save(tmp_path / "model")


def test_it_sees_the_picture_and_reads_the_question(made, answerer):
    for place, colour in enumerate(COLOURS):
        picture = str(made[0].parent / f"{place + 6}.png")
        assert answerer.ask(picture, "what colour is it?", abstain=0).answer.lower() == colour
        assert answerer.ask(picture, f"is it {colour}?", abstain=0).answer == "yes"


def test_top_answers_are_ordered_and_sum_to_at_most_one(made, answerer):
    found = answerer.ask(str(made[0].parent / "7.png"), "is it red?")
    chances = [chance for _, chance in found.top]
    assert chances == sorted(chances, reverse=True)
    assert len(chances) == 5
    assert sum(chances) == pytest.approx(answerer.rules.calibrated.known)
    assert (found.best, found.confidence) == found.top[0]
    assert found.question_type in {"is it", "is it red"}


def test_abstaining_is_monotone(few, answerer):
    frames = [answerer.predict(few, abstain=level) for level in (0, 0.3, 0.5, 0.9, 1.0)]
    held = [frame.abstained.to_numpy() for frame in frames]
    assert not held[0].any()
    assert all((more | less == more).all() for less, more in pairwise(held))
    for frame, level in zip(frames, (0, 0.3, 0.5, 0.9, 1.0), strict=True):
        assert (frame.abstained == (frame.confidence < level)).all()
        assert (frame.answer == "(no answer)").equals(frame.abstained)
        assert (frame.answer[~frame.abstained] == frame.best[~frame.abstained]).all()
        pd.testing.assert_series_equal(frame.confidence, frames[0].confidence)


def test_an_asked_answer_is_that_of_the_table(few, answerer):
    given = answerer.predict(few)
    row = 10
    one = answerer.ask(few.picture[row], few.question[row])
    assert one.confidence == pytest.approx(given.confidence[row], abs=1e-6)
    assert (one.answer, one.best) == (given.answer[row], given.best[row])
    assert one.question_type == given.question_type[row]


@pytest.mark.parametrize("kind", ["path", "bytes", "pil", "array"])
def test_pictures_in_any_form(made, answerer, kind):
    path = made[0].parent / "8.png"
    with Image.open(path) as image:
        forms = {"path": path, "bytes": path.read_bytes(), "pil": image.copy(), "array": np.asarray(image)}
    asked = answerer.ask(forms[kind], "what colour is it?")
    assert asked.confidence == answerer.ask(str(path), "what colour is it?").confidence


@pytest.mark.parametrize("mode", ["CMYK", "HSV", "LAB", "F", "YCbCr", "LA", "P", "1"])
def test_pictures_in_any_mode(made, answerer, mode):
    with Image.open(made[0].parent / "8.png") as image:
        plain = image.convert("RGB")
    turned = plain.convert("P" if mode == "P" else "L").convert(mode) if mode in {"P", "F", "LA"} else None
    turned = turned or (lab(plain) if mode == "LAB" else plain.convert(mode))
    assert answerer.ask(turned, "what colour is it?").best


def lab(image):
    from PIL import ImageCms

    return ImageCms.profileToProfile(
        image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )


@pytest.mark.parametrize("shape", [(4, 4, 5), (0, 4, 3), (4,), (4, 4, 3, 1)])
def test_arrays_that_are_no_pictures_are_refused(answerer, shape):
    with pytest.raises(DataError, match="picture: expected") as caught:
        answerer.ask(np.zeros(shape, np.uint8), "what colour is it?")
    assert "\n" not in str(caught.value)


def test_a_missing_picture_leaves_the_question(answerer):
    found = answerer.ask(None, "what colour is it?")
    assert found.best.lower() in COLOURS
    assert found.notes == ["'picture' is missing: the answer rests on what else there is"]


def test_words_never_seen_are_answered(made, answerer):
    for question in ("xyzzy plugh", "红色吗？", "هل هو أحمر؟", "🟥?", "is " * 10_000):
        found = answerer.ask(str(made[0].parent / "7.png"), question)
        assert 0.0 < found.confidence <= 1.0


def test_evidence_maps(made, answerer):
    with brief():
        found = answerer.ask(str(made[0].parent / "9.png"), "is it red?", evidence=True)
    kinds = {one.kind: one for one in found.evidence}
    assert set(kinds) == {"patches", "words"}
    assert np.shape(kinds["patches"].values) == (3, 3)
    words = dict(zip(kinds["words"].pieces, kinds["words"].values, strict=True))
    assert max(words, key=words.get) == "red?"
    assert found.pictures["picture"].startswith(b"\x89PNG")


@pytest.mark.parametrize("question", ["", "  ", None, 3])
def test_an_empty_question_is_refused(made, answerer, question):
    with pytest.raises(ConfigError, match="ask something"):
        answerer.ask(str(made[0].parent / "1.png"), question)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ("nowhere.png", "no such file"),
        (b"no picture", "not a readable image"),
        (b"", "zero bytes"),
        (3.5, "expected a path, bytes of an image file, a PIL image or a uint8 array"),
        (np.zeros((3, 3)), "got ndarray"),
    ],
)
def test_a_picture_that_cannot_be_read_is_refused(answerer, picture, words):
    with pytest.raises(DataError, match=words) as caught:
        answerer.ask(picture, "is it red?")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("level", [-0.1, 1.5, True, "much"])
def test_a_threshold_that_is_none_is_refused(answerer, level):
    with pytest.raises(ConfigError, match="expected a confidence from 0 to 1"):
        answerer.ask(None, "is it red?", abstain=level)


def test_a_saved_answerer_answers_the_same(few, answerer, folder):
    loaded = load_answerer(folder)
    assert loaded.rules == answerer.rules
    pd.testing.assert_frame_equal(loaded.predict(few), answerer.predict(few), check_exact=True)
    assert loaded.answers == answerer.answers


def test_the_folder_is_a_plain_model_too(few, answerer, folder):
    given = fusible.load(folder).predict(few)
    assert given.prediction.tolist() == answerer.predict(few).best.tolist()


def test_unreadable_pictures_of_a_table_are_absent_and_named(few, answerer):
    problems = answerer.predict(few).attrs["problems"]
    assert any("bad.png" in problem for problem in problems)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"temperature": 0.0}, "expected a temperature from 0.05 to 20.0"),
        ({"temperature": 1e-320}, "expected a temperature from 0.05 to 20.0"),
        ({"temperature": float("nan")}, "expected a temperature from 0.05 to 20.0"),
        ({"known": 2.0}, "shares from 0 to 1"),
        ({"threshold": -1.0}, "threshold -1.0"),
        ({"threshold": "high"}, "damaged"),
        ({"types": 4}, "damaged"),
        ({"images": "picture"}, "damaged"),
        ({"question": ["question"]}, "damaged"),
        ({"images": ["other"]}, "the model's columns are"),
    ],
)
def test_damaged_rules_are_refused(folder, change, words):
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text("utf-8"))
    config["info"]["answers"] |= change
    path.write_text(yaml.safe_dump(config, allow_unicode=True), "utf-8")
    with pytest.raises(ModelFormatError, match=words) as caught:
        load_answerer(folder)
    assert "\n" not in str(caught.value)


def test_a_model_that_answers_no_questions_is_refused(folder):
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text("utf-8"))
    del config["info"]["answers"]
    path.write_text(yaml.safe_dump(config, allow_unicode=True), "utf-8")
    with pytest.raises(ModelFormatError, match=r"use fusible\.load"):
        load_answerer(folder)
    with pytest.raises(ModelFormatError, match=r"expected a model folder"):
        load_answerer(folder / "nowhere")
