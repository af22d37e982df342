"""Films with pictures and sound of chosen times, made in memory with PyAV."""

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np


def reel(
    frames=25, *, rate=25, size=(64, 48), stamps=None, sound=None, late=0.0, codec="libx264", form="mp4", options=None
):
    """Bytes of a film: `frames` a number or an array (frames, height, width, 3); `stamps` in 1/1000 s.

    `sound` are samples (length,) at 16 kHz, or seconds of a tone; it begins `late` seconds after the picture.
    """
    if isinstance(frames, int) and frames == 0:
        frames = np.zeros((0, size[1], size[0], 3), np.uint8)
    elif isinstance(frames, int):
        frames = np.stack([np.full((size[1], size[0], 3), 40 + 3 * (i % 60), np.uint8) for i in range(frames)])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "reel"
        with av.open(str(path), "w", format=form, options=options or {}) as container:
            _fill(container, frames, rate, stamps, sound, late, codec, form)
        return path.read_bytes()


def _fill(container, frames, rate, stamps, sound, late, codec, form):
    if len(frames):
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = {"ffv1": "bgr0", "png": "rgb24"}.get(codec, "yuv420p")
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        ticks = stamps if stamps is not None else [round(1000 * i / rate) for i in range(len(frames))]
    if sound is not None:
        voice = container.add_stream("aac" if form == "mp4" else "pcm_s16le", rate=16_000)
        voice.layout = "mono"
    if len(frames):
        for stamp, picture in zip(ticks, frames, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = int(stamp), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if sound is not None:
        for packet in _voice(voice, sound, late):
            container.mux(packet)


def _voice(stream, sound, late):
    if np.isscalar(sound):
        sound = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(sound * 16_000)) / 16_000)
    first = round(late * 16_000)
    for at in range(0, len(sound), 1024):
        piece = np.ascontiguousarray(sound[at : at + 1024], np.float32)[None]
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = 16_000, first + at, Fraction(1, 16_000)
        if stream.codec_context.name != "aac":
            whole = np.rint(piece * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
            frame.rate, frame.pts, frame.time_base = 16_000, first + at, Fraction(1, 16_000)
        yield from stream.encode(frame)
    yield from stream.encode()
