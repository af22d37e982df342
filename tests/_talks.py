"""Clips of a mouth that opens as its voice sounds: in memory, and as files."""

from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np

from fusible.tasks.video.synchrony import Pair

RATE = 16_000


def talk(seed, seconds=4.0, fps=25.0, still=False):
    """A mouth that opens as its voice sounds, in a scene with some noise."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(seconds * fps)) / fps
    knots = np.arange(0.0, seconds + 1.0, 0.12)
    heights = np.clip(rng.normal(0.4, 0.5, len(knots)), 0.0, 1.0)
    scene = np.kron(np.random.default_rng(7).integers(30, 220, (12, 16)), np.ones((6, 6)))
    frames = np.repeat(scene[None], len(times), axis=0)
    for frame, opening in zip(frames, np.interp(times, knots, heights), strict=True):
        frame[44 : 46 + round((0.5 if still else float(opening)) * 16), 36:60] = 250
    frames = np.clip(frames + rng.normal(0, 1.0, frames.shape), 0, 255).astype(np.uint8)
    loud = np.interp(np.arange(int(seconds * RATE)) / RATE, knots, heights)
    wave = (0.002 + 0.3 * loud) * rng.uniform(-1, 1, len(loud))
    return Pair(frames, times, wave.astype(np.float32))


def encode(pair, late=0.0, sound=True, form="mp4", **options):
    """Bytes of a film, an MP4 if nothing else is said, with the sound so many seconds late."""
    with TemporaryDirectory() as folder:
        return _write(Path(folder) / "film", pair, late, sound, form, options)


def _write(path, pair, late, sound, form, options):
    with av.open(str(path), "w", format=form, options=options) as container:
        video = container.add_stream("libx264", rate=25, options={"crf": "10"})
        video.height, video.width, video.pix_fmt = *pair.frames.shape[1:], "yuv420p"
        if sound:
            audio = container.add_stream("aac", rate=RATE, layout="mono")
            block = av.AudioFrame.from_ndarray(pair.wave[None], format="fltp", layout="mono")
            block.rate, block.pts = RATE, round(late * RATE)
            container.mux([*audio.encode(block), *audio.encode()])
        for frame in pair.frames:
            picture = av.VideoFrame.from_ndarray(np.repeat(frame[:, :, None], 3, axis=2), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode())
    return path.read_bytes()
