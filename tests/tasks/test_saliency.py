"""Saliency finds planted words, patches and stretches of sound."""

import io
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
from _additive import brightness, class_model, loudness, regression_model
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fusible.data.media import decode_image
from fusible.errors import MissingExtraError
from fusible.tasks.explain import explain
from fusible.tasks.saliency import GRID, MOST_WORDS, ablated, image_pieces, shrunk, text_pieces
from fusible.types import Media


def test_the_word_that_decides_is_found():
    texts = [f"there is a {colour} shape, somewhere here" for colour in ("red", "blue")] * 4
    frame = pd.DataFrame({"note": texts})

    def likes_red(values):
        chance = np.array([0.9 if "red" in text else 0.3 for text in values])
        return np.stack([1 - chance, chance], axis=1)

    model = class_model(frame, likes_red, "note", columns={"note": "text"})
    (found,) = explain(model, frame, 0, target_class="yes", saliency=True).saliency
    assert (found.kind, found.column) == ("words", "note")
    assert "".join(found.pieces) == texts[0]
    assert found.pieces[int(np.argmax(found.values))] == "red "
    np.testing.assert_allclose(max(found.values), 0.6)
    assert np.count_nonzero(found.values) == 1


@given(st.text(max_size=80))
def test_pieces_of_a_text_are_the_text(text):
    pieces = text_pieces(text)
    assert "".join(pieces.names) == text
    assert pieces.shape == (len(pieces.names),)
    whole = pieces.make(np.ones(pieces.shape, bool))
    assert whole == (text if text.strip() else None)
    assert pieces.make(np.zeros(pieces.shape, bool)) is None


def test_long_texts_and_scripts_without_spaces():
    assert len(text_pieces("word " * 1000).names) == MOST_WORDS
    assert text_pieces("红色 shape").names == ("红", "色 ", "shape")
    assert text_pieces("!?").names == ("!?",)


def test_a_text_of_one_word_becomes_absent_without_it():
    frame = pd.DataFrame({"note": ["red", "blue"] * 3})
    model = regression_model(frame, {"note": lambda texts: [len(text) for text in texts]}, columns={"note": "text"})
    (found,) = explain(model, frame, 1, saliency=True).saliency
    assert (found.values, found.pieces) == ([4.0], ["blue"])


@pytest.mark.parametrize("side", [48, 500])
def test_the_patch_that_decides_is_found(png, rng, side):
    pixels = rng.integers(0, 40, (side, side, 3))
    cell = side // GRID
    pixels[6 * cell : 8 * cell, 2 * cell : 4 * cell] = 255
    frame = pd.DataFrame({"photo": pd.Series([png(pixels), png(pixels // 2)], dtype=object), "a": [1.0, 2.0]})

    def bright(items):
        return [decode_image(item).mean(axis=2).clip(100, 255).mean() for item in items]

    model = regression_model(frame, {"photo": bright, "table": lambda cells: cells.a})
    found = explain(model, frame, 0, saliency=True)
    (heat,) = found.saliency
    values = np.array(heat.values)
    assert values.shape == (GRID, GRID)
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert row in {6, 7}
    assert column in {2, 3}
    assert values[6:8, 2:4].min() > 3 * np.abs(values[9:, 9:]).max()


def test_deep_and_tiny_pictures_are_cut_without_loss(rng):
    stream = io.BytesIO()
    grey = rng.normal(size=(5, 30)).astype(np.float32)
    Image.fromarray(grey).save(stream, "TIFF")
    media = Media("photo", 0, data=stream.getvalue())
    pieces = image_pieces(media)
    assert pieces.shape == (5, 12)
    whole = decode_image(pieces.make(np.ones(pieces.shape, bool)))
    np.testing.assert_array_equal(whole[:, :, 0], grey)
    none = decode_image(pieces.make(np.zeros(pieces.shape, bool)))
    np.testing.assert_allclose(none, grey.mean(), atol=1e-6)
    assert shrunk(media, 10).shape == (2, 10, 3)


def test_each_slot_of_a_joined_view_has_its_own(png):
    dark, light = np.zeros((24, 24, 3)), np.full((24, 24, 3), 250)
    light[:, 12:] = 0
    columns = {"front": [png(dark), png(light)], "back": [png(light), png(dark)]}
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    corner = (slice(0, 24), slice(0, 12))

    # A predictor of its own reads the first slot; the second has no say.
    model = regression_model(frame, {"photos": brightness(corner)}, views={"photos": ["front", "back"]})
    found = {one.column: np.array(one.values) for one in explain(model, frame, 1, saliency=True).saliency}
    assert set(found) == {"front", "back"}
    assert found["front"][:, :5].min() > 0
    np.testing.assert_array_equal(found["back"], 0.0)


def test_the_stretch_that_sounds_is_found(rng):
    wave = np.zeros(16_000, np.float32)
    wave[8_000:10_000] = 0.5 * np.sin(np.arange(2_000) / 5)
    sounds = []
    for factor in (1.0, 0.5):
        stream = io.BytesIO()
        soundfile.write(stream, factor * wave, 16_000, format="WAV", subtype="FLOAT")
        sounds.append(stream.getvalue())
    frame = pd.DataFrame({"clip": pd.Series(sounds, dtype=object), "a": [1.0, 2.0]})
    model = regression_model(
        frame, {"clip": loudness(0.0, 1.0), "table": lambda cells: cells.a}, columns={"clip": "audio"}
    )
    (found,) = explain(model, frame, 0, saliency=True).saliency
    assert found.kind == "stretches"
    values = np.array(found.values)
    assert values.argmax() in {12, 13, 14}
    np.testing.assert_allclose(values[:11], 0.0, atol=1e-9)
    assert values[12:15].min() > 0
    assert found.pieces[12].startswith("0.50–")


def test_modalities_without_pieces_are_named(clips):
    frame = pd.DataFrame({"clip": [str(clips / "bikes.mp4")] * 2, "a": [1.0, 2.0]})
    functions = {"clip": lambda items: np.ones(len(items)), "table": lambda cells: cells.a}
    model = regression_model(frame, functions, columns={"clip": "video"})
    found = explain(model, frame, 0, saliency=True)
    assert found.saliency == []
    assert found.notes == ["clip: no saliency of video, or of sound over 120 s"]


@pytest.mark.parametrize(("size", "step"), [(1, 1), (2, 1), (3, 1), (4, 2)])
def test_a_piece_has_the_mean_of_the_windows_that_cover_it(rng, size, step):
    """Against a plain loop over all windows, those that reach over the border too."""
    weights = rng.normal(size=(4, 6))

    def answers(kept):
        return np.exp((kept * weights).sum(axis=(1, 2)))  # not additive: a window is not the sum of its pieces

    total, count = np.zeros((4, 6)), np.zeros((4, 6))
    for i in range(step - size, 4, step):
        for j in range(step - size, 6, step):
            covered = np.zeros((4, 6), bool)
            covered[max(i, 0) : i + size, max(j, 0) : j + size] = True
            drop = answers(np.ones((1, 4, 6), bool))[0] - answers(~covered[None])[0]
            total, count = total + drop * covered, count + covered
    assert len(np.unique(count)) == 1
    np.testing.assert_allclose(ablated(answers, (4, 6), [size]), total / count, rtol=1e-5)
    both = (total / count + ablated(answers, (4, 6), [1])) / 2
    np.testing.assert_allclose(ablated(answers, (4, 6), [size, 1]), both, rtol=1e-5)


def test_words_are_ablated_one_by_one(rng):
    weights = rng.normal(size=7)
    np.testing.assert_allclose(ablated(lambda kept: kept @ weights, (7,)), weights)


def test_without_captum_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(MissingExtraError, match="fusible\\[explain\\]"):
        ablated(lambda kept: np.zeros(len(kept)), (3,))
