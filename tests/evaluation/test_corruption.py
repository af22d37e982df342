"""Corruption is seeded by content, farther from the original the more severe, and readable by every decoder."""

import io
import wave
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fusible.data.media import decode_audio, decode_image, decode_video
from fusible.errors import ConfigError, DataError
from fusible.evaluation._corrupt_image import OCCLUSION, write_video
from fusible.evaluation._corrupt_sound import DROPS, SNR_DB
from fusible.evaluation._corrupt_text import BESIDE, typos
from fusible.evaluation.corruption import CELLS, CORRUPTIONS, SEVERITIES, TYPOS, corrupt, corrupt_table
from fusible.types import Media, Modality

TEXT = "The quick brown fox jumps over the lazy dog, again and again, 1234 times. " * 8


def photo(size=(40, 30), seed=0):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(base).resize(size, Image.Resampling.BILINEAR).save(buffer, "PNG")
    return Media("photo", 0, data=buffer.getvalue())


def deep(seed=0):
    pixels = np.random.default_rng(seed).normal(size=(20, 24)).astype(np.float32)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "TIFF")
    return Media("photo", 0, data=buffer.getvalue())


def sound(seconds=0.8, rate=8000):
    samples = 0.4 * np.sin(2 * np.pi * 330 * np.arange(int(seconds * rate)) / rate)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return Media("sound", 0, data=buffer.getvalue())


ITEMS = {Modality.IMAGE: photo, Modality.AUDIO: sound}
CASES = [(modality, name) for modality in ITEMS for name in CORRUPTIONS[modality]]


def read(modality, media):
    return decode_image(media).astype(float) if modality == Modality.IMAGE else decode_audio(media, 8000).astype(float)


@pytest.mark.parametrize(("modality", "name"), CASES)
def test_the_same_item_and_seed_give_the_same_corruption(modality, name):
    one, again = ITEMS[modality](), ITEMS[modality]()
    first = corrupt(one, modality, name, 3)
    assert first.data == corrupt(again, modality, name, 3).data
    assert (first.column, first.row, first.path) == (one.column, one.row, None)
    if name != "blur":
        assert first.data != corrupt(one, modality, name, 3, seed=1).data


@pytest.mark.parametrize(("modality", "name"), CASES)
def test_more_severe_is_farther(modality, name):
    item = ITEMS[modality]()
    clean = read(modality, item)
    distances = [np.abs(read(modality, corrupt(item, modality, name, s)) - clean).mean() for s in SEVERITIES]
    assert distances[0] > 0
    assert all(near < far for near, far in pairwise(distances)), distances


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_ratio_of_signal_to_noise_is_as_said(severity):
    item = sound()
    clean = read("audio", item)
    noise = read("audio", corrupt(item, "audio", "noise", severity)) - clean
    measured = 10 * np.log10(np.mean(clean**2) / np.mean(noise**2))
    assert measured == pytest.approx(SNR_DB[severity - 1], abs=1e-3)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_silenced_share_is_as_said_and_grows(severity):
    item = sound(seconds=2.0)
    silent = read("audio", corrupt(item, "audio", "drops", severity)) == 0
    assert silent.mean() == pytest.approx(DROPS[severity - 1], abs=0.03)
    if severity > 1:
        before = read("audio", corrupt(item, "audio", "drops", severity - 1)) == 0
        assert (silent | ~before).all()


def test_a_silent_sound_stays_silent():
    item = sound(seconds=0.1)
    quiet = corrupt(item, "audio", "drops", 5)
    nothing = Media("sound", 0, data=_wav(np.zeros(800)))
    assert read("audio", corrupt(nothing, "audio", "noise", 5)).max() == 0
    assert len(read("audio", quiet)) == 800


def _wav(samples, rate=8000):
    from fusible.evaluation._corrupt_sound import write_sound

    return write_sound(samples, rate)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_blur_keeps_the_mean(severity):
    for item, room in ((photo(), 0.5), (deep(), 1e-5)):
        clean, blurred = decode_image(item), decode_image(corrupt(item, "image", "blur", severity))
        assert blurred.dtype == clean.dtype
        assert blurred.shape == clean.shape
        np.testing.assert_allclose(
            blurred.mean(axis=(0, 1), dtype=float), clean.mean(axis=(0, 1), dtype=float), atol=room
        )


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_covered_share_is_as_said_and_grows(severity):
    item = photo((64, 48))
    clean = decode_image(item)
    covered = decode_image(corrupt(item, "image", "occlusion", severity))
    changed = (covered != clean).any(axis=2)
    assert changed.mean() == pytest.approx(OCCLUSION[severity - 1], abs=0.04)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    inside = covered[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert np.ptp(inside.reshape(-1, 3), axis=0).max() == 0  # one rectangle of one colour
    if severity > 1:
        before = (decode_image(corrupt(item, "image", "occlusion", severity - 1)) != clean).any(axis=2)
        assert (changed | ~before).mean() > 0.999


def test_noise_has_the_deviation_that_it_says():
    item = Media("photo", 0, data=_grey(np.full((80, 80), 128)))
    noise = decode_image(corrupt(item, "image", "noise", 2)).astype(float) - 128
    assert noise.std() == pytest.approx(0.08 * 255, rel=0.05)
    assert abs(noise.mean()) < 1.0


def _grey(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_deep_pictures_stay_deep_and_grey():
    noisy = decode_image(corrupt(deep(), "image", "noise", 5))
    assert noisy.dtype == np.float32
    assert (noisy[:, :, 0] == noisy[:, :, 1]).all()
    assert noisy.min() < 0


def test_a_video_is_read_with_its_frames_corrupted():
    frames = np.random.default_rng(0).integers(0, 256, (6, 32, 48, 3)).astype(np.uint8)
    frames[:] = frames[:1]
    item = Media("clip", 0, data=write_video(frames))
    np.testing.assert_array_equal(decode_video(item, 6, 32), frames)  # FFV1 loses nothing
    near = decode_video(corrupt(item, "video", "noise", 1), 4, 32).astype(float)
    far = decode_video(corrupt(item, "video", "noise", 4), 4, 32).astype(float)
    assert near.shape == (4, 32, 48, 3)
    assert (near[0] != near[1]).any()  # each frame has noise of its own
    still = decode_video(item, 4, 32)
    assert np.abs(near - still).mean() < np.abs(far - still).mean()
    covered = decode_video(corrupt(item, "video", "occlusion", 2), 4, 32)
    np.testing.assert_array_equal(covered[0], covered[3])  # what covers does not jump


def distance(one, other):
    """Edit distance (Levenshtein)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row, last = [i, *row[1:]], row
        for j, b in enumerate(other, 1):
            row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
    return row[-1]


def test_typos_grow_with_severity():
    found = [distance(TEXT, corrupt(TEXT, "text", "typos", severity)) for severity in SEVERITIES]
    assert found == sorted(set(found))
    letters = sum(letter.isalnum() for letter in TEXT)
    for edits, rate in zip(found, TYPOS, strict=True):
        assert 0.5 * rate * letters < edits < 2.0 * rate * letters  # a swap counts twice


@given(text=st.text(max_size=80), rate=st.floats(0, 1), seed=st.integers(0, 20))
def test_typos_of_any_text(text, rate, seed):
    changed = typos(text, rate, np.random.default_rng(seed))
    assert bool(changed.strip()) == bool(text.strip())
    assert [c for c in changed if not c.isalnum()] == [c for c in text if not c.isalnum()] or changed == text
    allowed = {*text, *text.lower(), *text.upper(), *"".join(BESIDE), *"".join(BESIDE).upper()}
    assert set(changed) <= allowed
    if rate == 0:
        assert changed == text


def test_typos_keep_the_script():
    changed = corrupt("красная шапка и серый волк " * 6, "text", "typos", 5)
    assert changed != "красная шапка и серый волк " * 6
    assert set(changed) <= set("красная шапка и серый волк ")


def test_keys_beside_each_other_are_so_both_ways():
    assert BESIDE["g"] == "fhtyvb" or set(BESIDE["g"]) == set("fhtyvb")
    assert all(key in BESIDE[other] for key, near in BESIDE.items() for other in near)


def frame(rows=400):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"size": rng.normal(size=rows), "shop": pd.Series(rng.choice(["a", "b"], rows), dtype=object)})


@pytest.mark.parametrize("severity", SEVERITIES)
def test_cells_are_lost_in_the_share_that_is_said(severity):
    lost = corrupt_table(frame(), severity).isna().to_numpy()
    assert lost.mean() == pytest.approx(CELLS[severity - 1], abs=0.06)
    if severity > 1:
        assert (lost | ~corrupt_table(frame(), severity - 1).isna().to_numpy()).all()


def test_rows_of_a_table_are_corrupted_by_what_they_hold():
    whole = frame(60)
    changed = corrupt_table(whole, 4)
    order = np.random.default_rng(1).permutation(60)
    pd.testing.assert_frame_equal(corrupt_table(whole.iloc[order], 4), changed.iloc[order])
    kept = changed.notna()
    pd.testing.assert_frame_equal(changed[kept], whole[kept])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("text", "blur", 1), "'blur' of text: expected one of typos"),
        (("entity", "noise", 1), "of entity: expected one of none"),
        (("text", "typos", 6), "from 1 to 5, got 6"),
        (("text", "typos", 0), "from 1 to 5, got 0"),
    ],
)
def test_bad_settings(arguments, words):
    with pytest.raises(ConfigError, match=words):
        corrupt("text", *arguments)


@pytest.mark.parametrize("modality", ["image", "audio", "video"])
def test_unreadable_media_are_refused(modality):
    with pytest.raises(DataError, match="row 0, column 'm'"):
        corrupt(Media("m", 0, data=b"no media at all"), modality, CORRUPTIONS[modality][0], 1)
