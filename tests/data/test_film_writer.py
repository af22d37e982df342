"""Written films show every frame of their spans at its own time, and sound what was heard with it."""

import os
import subprocess
import sys

import av
import numpy as np
import pytest
from _counted import counted, heard, picture, seen

from fusible.data.audio import decode_audio
from fusible.data.film_writer import write_film
from fusible.errors import ConfigError, DataError
from fusible.types import Media

EVEN = np.arange(250) / 25
UNEVEN = np.round(np.cumsum(np.random.default_rng(0).uniform(0.01, 0.11, 170)) - 0.01, 3)
UNEVEN -= UNEVEN[0]
SPANS = [(0.41, 1.3), (1.7, 3.13), (5.0, 7.77)]
FRAME = 0.04


def check(path, written, times, late=0.0, sound=True):
    """Every frame and every beep of the new film is where the source has it."""
    found = seen(path)
    assert len(found) == written.frames
    for time, shown in found:
        span = np.searchsorted(written.starts, time + 1e-4, side="right") - 1
        begin = written.spans[span][0]
        source = begin + time - written.starts[span]
        assert shown == np.searchsorted(times, source + 2e-4, side="right") - 1
        assert max(times[shown], begin) == pytest.approx(source, abs=1e-4)
    assert written.seconds == pytest.approx(sum(end - start for start, end in written.spans))
    with av.open(str(path)) as container:
        screen = container.streams.video[0]
        assert float(screen.duration * screen.time_base) == pytest.approx(written.seconds, abs=2e-3)
    if sound:
        beats = np.arange(0.5, 60.0)
        wanted = [
            at + beat - start
            for at, (start, end) in zip(written.starts, written.spans, strict=True)
            for beat in beats[(beats >= start) & (beats < end) & (beats >= late)]
        ]
        np.testing.assert_allclose(heard(path), wanted, atol=0.005)


@pytest.mark.parametrize(
    ("times", "options"),
    [
        (EVEN, {}),
        (UNEVEN, {}),
        (EVEN, {"rate": 44_100, "channels": 2}),
        (EVEN, {"rate": 48_000, "channels": 6}),
        (EVEN, {"late": 2.0}),
        (UNEVEN, {"late": 5.2, "form": "matroska"}),
        (EVEN, {"form": "mpegts", "start": 7.0, "rate": 48_000}),
        (EVEN, {"form": "matroska", "voice": "pcm_s16le", "rate": 6_000}),
        (EVEN, {"sound": 4.0}),
    ],
    ids=["even", "uneven", "stereo", "surround", "late", "late uneven", "mpegts", "odd rate", "short sound"],
)
def test_frames_and_beeps_stay_together(tmp_path, times, options):
    media = counted(tmp_path / "source", times, **options)
    out = tmp_path / "out.mp4"
    written = write_film(media, SPANS, out)
    assert written.sound
    np.testing.assert_allclose(written.spans, SPANS)
    length = options.get("sound")
    if length is None:
        check(out, written, times, options.get("late", 0.0))
    else:
        check(out, written, times, sound=False)
        np.testing.assert_allclose(heard(out), [0.09, 1.69], atol=0.005)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_new_film_is_h264_and_aac_and_seeks_to_its_joints(tmp_path):
    out = tmp_path / "out.mp4"
    written = write_film(counted(tmp_path / "a.mkv", EVEN, form="matroska"), SPANS, out)
    with av.open(str(out)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        keys = [frame.time for frame in container.decode(video=0) if frame.key_frame]
    assert {round(start, 3) for start in written.starts} <= {round(key, 3) for key in keys}
    head = out.read_bytes()
    assert head.index(b"moov") < head.index(b"mdat")  # plays before it is there in full


def test_a_film_without_sound_stays_without(tmp_path):
    written = write_film(counted(tmp_path / "a.mp4", EVEN, sound=0.0), SPANS, tmp_path / "out.mp4")
    assert not written.sound
    check(tmp_path / "out.mp4", written, EVEN, sound=False)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_films_are_written_upright(tmp_path, turn):
    media = counted(tmp_path / "a.mp4", EVEN[:30], width=288, height=128, turn=turn)
    out = tmp_path / "out.mp4"
    written = write_film(media, [(0.2, 0.8)], out)
    assert (written.width, written.height) == ((288, 128) if turn == 180 else (128, 288))
    with av.open(media.path) as container:
        frames = list(container.decode(video=0))
        turns = round(frames[0].rotation / 90) % 4
        upright = [np.rot90(frame.to_ndarray(format="rgb24"), turns) for frame in frames[5:20]]
    assert turns
    with av.open(str(out)) as container:
        new = list(container.decode(video=0))
    assert new[0].rotation == 0
    assert len(new) == len(upright)
    for ours, theirs in zip(new, upright, strict=True):
        assert np.abs(ours.to_ndarray(format="rgb24").astype(int) - theirs).mean() < 4


@pytest.mark.parametrize(("width", "height"), [(18, 12), (146, 66), (34, 3000), (2400, 2)])
def test_any_size_is_written(tmp_path, width, height):
    media = counted(tmp_path / "a.mkv", EVEN[:12], form="matroska", codec="ffv1", width=width, height=height)
    written = write_film(media, [(0.0, 1.0)], tmp_path / "out.mp4")
    assert written.frames == 12
    assert min(written.width, written.height) >= 16
    assert seen(tmp_path / "out.mp4")[0][0] == 0


def test_one_pixel_odd_sides_and_height(tmp_path):
    one = counted(tmp_path / "a.mkv", EVEN[:3], form="matroska", codec="ffv1", width=1, height=1, pix_fmt="yuv444p")
    assert write_film(one, [(0.0, 1.0)], tmp_path / "one.mp4").width == 16
    odd = counted(tmp_path / "b.mkv", EVEN[:9], form="matroska", codec="ffv1", width=163, height=91, pix_fmt="yuv444p")
    written = write_film(odd, [(0.0, 1.0)], tmp_path / "odd.mp4", height=50)
    assert (written.width, written.height) == (90, 50)
    assert [shown for _, shown in seen(tmp_path / "odd.mp4")] == list(range(9))


def test_brightness_of_full_range_is_kept(tmp_path):
    media = counted(tmp_path / "a.avi", EVEN[:20], form="avi", codec="mjpeg", pix_fmt="yuvj420p", sound=0.0)
    write_film(media, [(0.0, 1.0)], tmp_path / "out.mp4", quality=4)
    with av.open(str(tmp_path / "out.mp4")) as new, av.open(media.path) as old:
        for ours, theirs in zip(new.decode(video=0), old.decode(video=0), strict=True):
            mine, wanted = (frame.to_ndarray(format="rgb24").astype(int) for frame in (ours, theirs))
            assert np.abs(mine - wanted).mean() < 4


def test_a_frame_that_stands_long_is_shown_as_long(tmp_path):
    times = np.array([0.0, 0.04, 20.0, 20.04])
    written = write_film(counted(tmp_path / "a.mp4", times), [(3.0, 5.5), (19.0, 30.0)], tmp_path / "out.mp4")
    assert written.spans[1][1] == pytest.approx(20.08, abs=0.002)
    check(tmp_path / "out.mp4", written, times)
    assert [(round(time, 2), shown) for time, shown in seen(tmp_path / "out.mp4")][:2] == [(0.0, 1), (2.5, 1)]


def test_spans_in_any_order_touching_or_twice(tmp_path):
    spans = [(4.0, 5.0), (5.0, 6.0), (1.0, 2.2), (4.5, 5.5)]
    written = write_film(counted(tmp_path / "a.mp4", EVEN), spans, tmp_path / "out.mp4")
    check(tmp_path / "out.mp4", written, EVEN)
    assert written.starts == pytest.approx([0.0, 1.0, 2.0, 3.2])


def test_spans_past_the_end_are_cut_off_and_left_out(tmp_path):
    media = counted(tmp_path / "a.mp4", EVEN, sound=30.0)
    written = write_film(media, [(-1.0, 0.5), (9.0, 99.0), (20.0, 21.0)], tmp_path / "out.mp4")
    np.testing.assert_allclose(written.spans, [(0.0, 0.5), (9.0, 10.0)], atol=1e-3)
    check(tmp_path / "out.mp4", written, EVEN)
    with pytest.raises(DataError, match="nothing of the film is in the spans"):
        write_film(media, [(20.0, 21.0)], tmp_path / "none.mp4")
    assert not (tmp_path / "none.mp4").exists()
    assert not list(tmp_path.glob(".*"))


def test_bytes_are_written_as_files_are(tmp_path):
    media = counted(tmp_path / "a.mp4", EVEN[:100])
    inside = Media("film", 3, data=(tmp_path / "a.mp4").read_bytes())
    for name, source in (("a", media), ("b", inside)):
        write_film(source, [(0.5, 2.5)], tmp_path / f"{name}-out.mp4")
    assert seen(tmp_path / "a-out.mp4") == seen(tmp_path / "b-out.mp4")
    np.testing.assert_array_equal(heard(tmp_path / "a-out.mp4"), heard(tmp_path / "b-out.mp4"))


def test_the_file_there_before_stays_when_writing_fails(tmp_path):
    out = tmp_path / "out.mp4"
    out.write_bytes(b"before")
    with pytest.raises(DataError, match="nothing of the film"):
        write_film(counted(tmp_path / "a.mp4", EVEN[:10]), [(20.0, 21.0)], out)
    assert out.read_bytes() == b"before"


@pytest.mark.parametrize(
    ("spans", "name", "says"),
    [
        ([], "out.mp4", "no spans"),
        ([(2.0, 1.0)], "out.mp4", "start < end"),
        ([(0.0, float("nan"))], "out.mp4", "start < end"),
        ([(0.0, 1.0)], "out.avi", r"\.mp4"),
        ([(0.0, 1.0)], "a.mp4", "the film itself"),
        ([(0.0, 1.0)], "nowhere/out.mp4", "is not there"),
    ],
)
def test_what_cannot_be_asked_is_said(tmp_path, spans, name, says):
    media = counted(tmp_path / "a.mp4", EVEN[:10])
    with pytest.raises(ConfigError, match=says):
        write_film(media, spans, tmp_path / name)


def test_settings_out_of_range_are_refused(tmp_path):
    media = counted(tmp_path / "a.mp4", EVEN[:10])
    for options in ({"height": 3}, {"quality": 52}):
        with pytest.raises(ConfigError, match="height must be"):
            write_film(media, [(0.0, 1.0)], tmp_path / "out.mp4", **options)


def test_what_is_no_film_is_said(tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film at all" * 100)
    with pytest.raises(DataError, match="not a readable film"):
        write_film(Media("film", 0, path=str(broken)), [(0.0, 1.0)], tmp_path / "out.mp4")
    with pytest.raises(DataError, match="no such file"):
        write_film(Media("film", 0, path=str(tmp_path / "nowhere.mp4")), [(0.0, 1.0)], tmp_path / "out.mp4")
    (tmp_path / "out.mp4").write_bytes(b"an earlier one")
    with pytest.raises(DataError, match="no such file"):
        write_film(Media("film", 0, path=str(tmp_path / "nowhere.mp4")), [(0.0, 1.0)], tmp_path / "out.mp4")
    with av.open(str(tmp_path / "voice.m4a"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16_000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(DataError, match="no video stream"):
        write_film(Media("film", 0, path=str(tmp_path / "voice.m4a")), [(0.0, 0.5)], tmp_path / "out.mp4")


def test_a_truncated_film_is_written_as_far_as_it_goes(tmp_path):
    media = counted(tmp_path / "a.mkv", EVEN, form="matroska")
    whole = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(whole[: len(whole) // 2])
    written = write_film(media, [(0.5, 1.5), (1.0, 9.0)], tmp_path / "out.mp4")
    assert 1.5 < written.spans[1][1] < 9.0
    check(tmp_path / "out.mp4", written, EVEN, sound=False)


def test_a_real_film_looks_and_sounds_as_before(clips, tmp_path):
    media = Media("film", 0, path=str(clips / "bigbuckbunny.mp4"))
    spans = [(0.33, 1.5), (3.01, 4.2)]
    written = write_film(media, spans, tmp_path / "out.mp4", quality=12)
    with av.open(media.path) as old, av.open(str(tmp_path / "out.mp4")) as new:
        source = [(frame.time, frame.to_ndarray(format="gray")) for frame in old.decode(video=0)]
        frames = [(frame.time, frame.to_ndarray(format="gray")) for frame in new.decode(video=0)]
    begun = np.array([time for time, _ in source]) - source[0][0]
    assert len(frames) == written.frames
    for time, pixels in frames[::5]:
        span = np.searchsorted(written.starts, time + 1e-4, side="right") - 1
        then = np.searchsorted(begun, spans[span][0] + time - written.starts[span] + 2e-4, side="right") - 1
        assert np.abs(pixels.astype(float) - source[then][1]).mean() < 2.5
    rate = 16_000
    before, after = (decode_audio(m, rate) for m in (media, Media("new", 0, path=str(tmp_path / "out.mp4"))))
    for (start, end), at in zip(spans, written.starts, strict=True):
        ours = after[round(at * rate) : round((at + end - start) * rate)]
        lags = range(-rate // 50, rate // 50 + 1, 8)
        alike = [np.corrcoef(ours, before[(s := round(start * rate) + lag) : s + len(ours)])[0, 1] for lag in lags]
        assert max(alike) > 0.95
        assert abs(lags[int(np.argmax(alike))]) / rate < 0.01


def test_a_film_of_one_frame(tmp_path):
    media = counted(tmp_path / "a.mp4", [0.0], sound=3.0)
    written = write_film(media, [(0.0, 9.0)], tmp_path / "out.mp4")
    assert written.frames == 1
    assert 0 < written.seconds < 1
    assert seen(tmp_path / "out.mp4") == [(0.0, 0)]


def test_a_damaged_film_goes_on_behind_the_damage(tmp_path):
    media = counted(tmp_path / "a.mkv", EVEN, form="matroska")
    whole = bytearray((tmp_path / "a.mkv").read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    (tmp_path / "a.mkv").write_bytes(whole)
    written = write_film(media, [(0.5, 1.5), (9.0, 9.5)], tmp_path / "out.mp4")
    assert written.seconds == pytest.approx(1.5)
    shown = [number for time, number in seen(tmp_path / "out.mp4") if time < 1]
    assert shown == list(range(12, 38))


def test_a_cover_is_no_film(tmp_path):
    with av.open(str(tmp_path / "song.m4a"), "w", format="mp4") as container:
        voice, cover = container.add_stream("aac", rate=16_000), container.add_stream("png", rate=1)
        voice.layout, cover.width, cover.height, cover.pix_fmt = "mono", 144, 64, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux(voice.encode(frame))
        container.mux(voice.encode())
        container.mux(cover.encode(av.VideoFrame.from_ndarray(picture(3))))
        container.mux(cover.encode())
    with pytest.raises(DataError, match="no video stream"):
        write_film(Media("film", 0, path=str(tmp_path / "song.m4a")), [(0.0, 0.5)], tmp_path / "out.mp4")


MEMORY = """
import resource, sys
from fusible.data.audio import decode_audio
from fusible.data.film_writer import write_film
from fusible.types import Media
write_film(Media("film", 0, path=sys.argv[1]), [(0.0, float(sys.argv[2]))], sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_length(tmp_path):
    media = counted(tmp_path / "a.mp4", np.arange(151) * 4.0, sound=604.0)
    used = []
    for seconds in (10, 600):
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, media.path, str(seconds), str(tmp_path / "out.mp4")],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ,
        )
        used.append(int(done.stdout) / 1024)
    assert used[1] < used[0] + 15  # MB; the sound alone would be 38
