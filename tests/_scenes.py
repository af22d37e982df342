"""A film of plain scenes, one after the other, with a beep at each cut: what an analysis is to find is known."""

import io

import av
import numpy as np
from PIL import Image

RATE = 16_000
FPS = 10


def scene(seed, height=96, width=128):
    """A picture of coarse coloured patches, unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR))


def scenes(path, seconds, seeds=None, sound=True):
    """Write a film whose scenes last so many seconds each; equal `seeds` are the same scene. Gives the path."""
    seeds = range(len(seconds)) if seeds is None else seeds
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        screen = container.add_stream("libx264", rate=FPS, options={"crf": "18"})
        screen.width, screen.height, screen.pix_fmt = 128, 96, "yuv420p"
        speaker = container.add_stream("aac", rate=RATE, layout="mono") if sound else None
        for seed, length in zip(seeds, seconds, strict=True):
            still = scene(seed).astype(np.int16)
            for _ in range(round(length * FPS)):
                noisy = np.clip(still + rng.integers(-2, 3, still.shape), 0, 255).astype(np.uint8)
                container.mux(screen.encode(av.VideoFrame.from_ndarray(noisy)))
            if speaker is not None:
                time = np.arange(round(length * RATE)) / RATE
                wave = np.where(time < 0.4, np.sin(2 * np.pi * (300 + 100 * seed) * time), 0.0)
                frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), format="fltp", layout="mono")
                frame.sample_rate = RATE
                container.mux(speaker.encode(frame))
        for stream in container.streams:
            container.mux(stream.encode())
    return path


def photo(jpeg):
    """Pixels of a JPEG."""
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
