import numpy as np
import pandas as pd
import pytest

from fusible.encoders import _default
from fusible.encoders._default import default_encoders
from fusible.encoders._language import is_english, unspaced_share, words
from fusible.errors import DataError
from fusible.types import Media, Modality, View, ViewData

ENGLISH = "I bought this dress for my sister and she says that it is the best gift she has had in all her life"
GERMAN = "Ich habe dieses Kleid für meine Schwester gekauft und sie sagt dass es das beste Geschenk ist"


def choose(modality, values, rows=None):
    view = View("v", modality, ("v",))
    ids = np.arange(len(values))[:, None]
    return default_encoders(view, ViewData(view, ids, values), np.arange(len(values)) if rows is None else rows)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["is it red?", "is it blue?"], ("text_gru",)),
        ([f"{ENGLISH} {n} times" for n in range(300)], ("text_minilm", "text_tfidf")),
        ([f"{GERMAN} {n} Mal" for n in range(300)], ("text_multilingual", "text_tfidf")),
        ([f"这件裙子很漂亮{chr(0x4E00 + n)}" for n in range(300)], ("text_multilingual", "text_tfidf")),
        ([f"Product{n} Blue Shirt" for n in range(300)], ("text_minilm", "text_tfidf")),
    ],
)
def test_text(texts, expected):
    names, reason = choose(Modality.TEXT, texts)
    assert names == expected
    assert reason


def test_only_training_rows_are_looked_at():
    texts = ["is it red?"] * 5 + [f"{ENGLISH} {n} times" for n in range(300)]
    assert choose(Modality.TEXT, texts, np.arange(5))[0] == ("text_gru",)


def test_where_a_package_is_absent_another_encoder_takes_its_place(monkeypatch, image):
    monkeypatch.setattr(_default, "find_spec", lambda name: None)
    names, reason = choose(Modality.TEXT, [f"{GERMAN} {n} Mal" for n in range(300)])
    assert names == ("text_tfidf",)
    assert "multilingual" in reason
    names, reason = choose(Modality.IMAGE, [image(np.zeros((99, 99, 3), np.uint8))])
    assert names == ("image_cnn",)
    assert "vision" in reason


@pytest.mark.parametrize(
    ("side", "count", "expected"),
    [(28, 1000, "image_cnn"), (28, 999, "image_efficientnet"), (65, 1000, "image_efficientnet")],
)
def test_image(side, count, expected, image):
    media = image(np.zeros((side, side + 9, 3), np.uint8))
    names, reason = choose(Modality.IMAGE, [media] * count)
    assert names == (expected,)
    assert f"{side} pixels" in reason


def test_unreadable_images_do_not_stop_it(image):
    names, _ = choose(Modality.IMAGE, [Media("v", 0, data=b"bad")] * 1000)
    assert names == ("image_cnn",)


@pytest.mark.parametrize(("count", "expected"), [(500, "audio_logmel_cnn"), (499, "audio_stats")])
def test_audio(count, expected, sound):
    assert choose(Modality.AUDIO, [sound(np.zeros(8))] * count)[0] == (expected,)


def test_video_table_and_what_has_none():
    assert choose(Modality.VIDEO, [])[0] == ("video_frames",)
    assert choose(Modality.VIDEO, [Media("v", 0, data=b"bad")] * 3)[0] == ("video_frames",)
    assert choose(Modality.TABLE, pd.DataFrame({"a": [1.0]}))[0] == ("table_mlp", "table_trees")
    with pytest.raises(DataError, match="entity"):
        choose(Modality.ENTITY, ["Q42"])


def test_words_of_any_script():
    assert words("Don't stop, 日本語 3.5") == ["don", "'", "t", "stop", ",", "日", "本", "語", "3", ".", "5"]
    assert unspaced_share(["hello", "世界"]) == pytest.approx(2 / 7)
    assert unspaced_share([]) == 0.0


def test_english_is_told_from_other_languages():
    assert is_english([ENGLISH])
    assert not is_english([GERMAN])
    assert not is_english(["Ça a été un très bon achat et je suis très contente de ma robe"])
    assert not is_english(["Это платье очень красивое"])
