"""Films that say when they are: every frame shows its number in stripes, and a beep begins at every half second."""

from fractions import Fraction

import av
import numpy as np

from fusible.types import Media

BITS = 9
FLAT = bytes.fromhex("00010000" + "00000000" * 3 + "00010000" + "00000000" * 3 + "40000000")
TURNED = {
    90: bytes.fromhex("000000000001000000000000ffff0000" + "00000000" * 4 + "40000000"),
    180: bytes.fromhex("ffff0000" + "00000000" * 3 + "ffff0000" + "00000000" * 3 + "40000000"),
    270: bytes.fromhex("00000000ffff00000000000000010000" + "00000000" * 4 + "40000000"),
}
"""Matrices of the first track of an mp4, as phones write them."""


def number(pixels):
    """The number that a picture (height, width) shows."""
    width = pixels.shape[1] / BITS
    stripes = [pixels[:, round((b + 0.25) * width) : round((b + 0.75) * width)].mean() for b in range(BITS)]
    return sum(int(bright > 128) << b for b, bright in enumerate(stripes))


def picture(index, width=144, height=64):
    """Pixels (height, width, 3) that show a number."""
    stripes = np.array([255 * (index >> b & 1) for b in range(BITS)], np.uint8)
    line = stripes[np.minimum(np.arange(width) * BITS // width, BITS - 1)]
    return np.repeat(np.repeat(line[None, :, None], height, axis=0), 3, axis=2)


def counted(
    path,
    times,
    *,
    rate=16_000,
    channels=1,
    late=0.0,
    sound=None,
    form="mp4",
    codec="libx264",
    voice="aac",
    start=0.0,
    width=144,
    height=64,
    turn=0,
    pix_fmt="yuv420p",
):
    """Write a film whose frame i is shown at times[i] s; `sound` is its seconds, 0 for none.

    The first picture is at `start` of the file's own clock. `turn` marks it as turned.
    """
    times = np.asarray(times, float)
    length = times[-1] + 0.04 if sound is None else sound
    with av.open(str(path), "w", format=form) as container:
        screen = container.add_stream(codec, rate=25, options={"crf": "4"} if codec == "libx264" else {})
        screen.width, screen.height, screen.pix_fmt = width, height, pix_fmt
        screen.codec_context.time_base = Fraction(1, 1000)
        speaker = container.add_stream(voice, rate=rate) if length > late else None
        if speaker is not None:
            speaker.layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(index, width, height))
            frame.pts, frame.time_base = round((time + start) * 1000), Fraction(1, 1000)
            container.mux(screen.encode(frame))
        container.mux(screen.encode())
        if speaker is not None:
            beep(container, speaker, late, length, rate, channels, start)
    if turn:
        data = path.read_bytes()
        path.write_bytes(data.replace(FLAT, TURNED[turn], 1))
    return Media("film", 0, path=str(path))


def beep(container, stream, late, length, rate, channels, start):
    """Write beeps of 0.1 s at 0.5 s, 1.5 s, …, from `late` on, in blocks of a second."""
    here = np.arange(round(late * rate), round(length * rate)) / rate
    wave = np.where(np.abs((here - 0.55) % 1.0 - 0.5) > 0.45, 0.5 * np.sin(2 * np.pi * 1000 * here), 0.0)
    for first in range(0, len(wave), rate):
        block = np.repeat(wave[None, first : first + rate], channels, axis=0).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=stream.layout.name)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(start * rate) + round(late * rate) + first
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def seen(path):
    """Times and numbers of all frames of a film."""
    with av.open(str(path)) as container:
        return [(frame.time, number(frame.to_ndarray(format="gray"))) for frame in container.decode(video=0)]


def heard(path):
    """Times at which a beep begins."""
    with av.open(str(path)) as container:
        track = container.streams.audio[0]
        rate = track.rate
        to_float = av.AudioResampler(format="fltp", layout="mono", rate=rate)
        blocks = [piece.to_ndarray()[0] for frame in container.decode(track) for piece in to_float.resample(frame)]
        begun = float(track.start_time * track.time_base)
    wave = np.concatenate(blocks)
    loud = np.flatnonzero(np.abs(wave) > 0.1)
    first = np.concatenate([[True], np.diff(loud) > rate // 5]) if len(loud) else np.zeros(0, bool)
    return begun + loud[first] / rate
