"""Bad media: truncated, empty, missing and foreign files, and bombs, are absent cells, counted and named."""

import io
import struct
import wave
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fusible.data.read import read
from fusible.errors import DataError
from fusible.tasks.compare import compare, fit_strategies, prepare
from fusible.tasks.inspect import inspect


def picture(shade, kind="PNG"):
    stream = io.BytesIO()
    pixels = np.random.default_rng(int(shade)).integers(0, 60, (20, 20, 3)) + shade
    Image.fromarray(pixels.astype(np.uint8)).save(stream, kind)
    return stream.getvalue()


def bomb(width=60_000, height=60_000):
    """A PNG of a few bytes whose header promises 3.6 thousand million pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def tone(pitch, rate=8000, seconds=0.3):
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        samples = np.sin(2 * np.pi * pitch * np.arange(int(rate * seconds)) / rate)
        file.writeframes((samples * 20000).astype("<i2").tobytes())
    return stream.getvalue()


def media_table(place, label, bad_pictures=(), bad_sounds=()):
    """Files in a folder and their table; `bad` are (row, name, bytes or None for a missing file)."""
    place.mkdir(exist_ok=True)
    bad = {("photo", row): (name, data) for row, name, data in bad_pictures}
    bad |= {("sound", row): (name, data) for row, name, data in bad_sounds}
    cells = {"photo": [], "sound": []}
    for row, y in enumerate(label):
        good = {
            "photo": (f"p{row}.png", picture(30 + 120 * y)),
            "sound": (f"s{row}.wav", tone(300 + 900 * y + row)),
        }
        for column, column_cells in cells.items():
            name, data = bad.get((column, row), good[column])
            if data is not None:
                (place / name).write_bytes(data)
            column_cells.append(name)
    frame = pd.DataFrame({**cells, "y": np.where(label == 1, "bright", "dark")})
    frame.to_csv(place / "table.csv", index=False)
    return place / "table.csv"


@pytest.fixture(scope="module")
def media(tmp_path_factory, quick):
    """A study of pictures and sounds, some of them broken, and its stacked model."""
    place = tmp_path_factory.mktemp("media")
    label = np.random.default_rng(0).integers(0, 2, 50)
    jpeg = picture(90, "JPEG")
    path = media_table(
        place,
        label,
        [
            (2, "cut.jpg", jpeg[: len(jpeg) // 2]),
            (4, "bomb.png", bomb()),
            (6, "empty.png", b""),
            (8, "gone.png", None),
            (10, "text.png", b"this is no picture"),
        ],
        [(4, "empty.wav", b""), (6, "cut.wav", tone(500)[:30]), (8, "text.wav", b"no sound at all")],
    )
    with quick():
        context, views = prepare(path, "y", None, None, None, 0, cache=place / "cache")
        study = fit_strategies(
            context, views, {"photo": "image_cnn", "sound": "audio_stats"}, ["model:average", "end_to_end:joint"]
        )
    from fusible.tasks.results import study_result

    return path, study_result(study, command="test", keep="model:average")


def told(problems, column):
    """Problems of a column, as one text."""
    return " | ".join(p if isinstance(p, str) else f"{p.column}: {p.message}" for p in problems if column in str(p))


def test_broken_media_are_absent_counted_and_named_in_a_study(media):
    _, result = media
    photo = [p for p in result.problems if p.column == "photo"]
    sound = [p for p in result.problems if p.column == "sound"]
    assert sum(p.count for p in photo) == 5
    assert sum(p.count for p in sound) == 3
    text = told(photo, "photo")
    assert "2 cells without a readable file" in text
    assert "3 unreadable image item(s) are treated as absent" in text
    for words in ("row 2, column 'photo'", "cut.jpg", "bomb.png", "at most 50 million allowed", "text.png"):
        assert words in text
    text = told(sound, "sound")
    for words in ("row 4, column 'sound'", "empty.wav", "cut.wav", "text.wav"):
        assert words in text
    assert len({(p.kind, p.column, p.message) for p in result.problems}) == len(result.problems), "named once"
    coverage = {view["name"]: view["coverage"] for view in result.views}
    assert coverage == {"photo": pytest.approx(45 / 50), "sound": pytest.approx(47 / 50)}
    assert np.isfinite(result.predictions["end_to_end:joint"]).all()


def test_broken_media_are_absent_counted_and_named_in_predictions(media):
    path, result = media
    frame = result.best.predict(path)
    problems = frame.attrs["problems"]
    text = told(problems, "photo")
    assert "2 cells without a readable file, taken as empty" in text
    assert "3 unreadable image item(s)" in text
    assert "3 " in told(problems, "sound") or "2 " in told(problems, "sound")
    chance = frame[["probability_bright", "probability_dark"]].to_numpy()
    np.testing.assert_allclose(chance.sum(axis=1), 1)
    for row in (4, 6, 8):  # neither picture nor sound
        np.testing.assert_array_equal(chance[row], result.best.node.prior)
    assert not np.allclose(chance[2], result.best.node.prior)  # a sound without its picture


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    import tracemalloc

    from fusible.data.media import decode_image
    from fusible.types import Media

    assert len(bomb()) < 100
    tracemalloc.start()
    with pytest.raises(DataError, match=r"image of .*pixels, at most 50 million allowed; shrink it"):
        decode_image(Media("photo", 0, data=bomb()))
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_view_of_which_every_file_is_broken_is_a_structural_error(tmp_path):
    label = np.arange(20) % 2
    path = media_table(tmp_path / "all", label, [(r, f"p{r}.png", picture(50)[:60]) for r in range(20)])
    with pytest.raises(DataError, match="view 'photo': no training row has a readable cell") as error:
        compare(
            path, "y", encoders={"photo": "image_cnn", "sound": "audio_stats"}, strategies=["model:average"],
            cache=tmp_path / "cache",
        )  # fmt: skip
    assert "--column photo=:ignore" in str(error.value)


def silent_video(path):
    """An mp4 with a sound track and no picture."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def test_a_video_without_a_video_stream_is_named(tmp_path):
    from fusible.tasks.source import Source

    silent_video(tmp_path / "none.mp4")
    dataset = read(pd.DataFrame({"clip": [str(tmp_path / "none.mp4")] * 2, "y": ["a", "b"]}), columns={"clip": "video"})
    from fusible.encoders._resolve import resolve

    source, view = Source(dataset), dataset.views["clip"]
    feed = source.feed(view, resolve("video_frames"), encoded=False)
    assert not feed.presence.any()
    (problem,) = source.problems
    assert problem.count == 2
    assert "row 0, column 'clip'" in problem.message
    assert "none.mp4" in problem.message
    assert "no video" in problem.message
    found = inspect(dataset)
    assert any("none.mp4" in p.message for p in found.problems)
