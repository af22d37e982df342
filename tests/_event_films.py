"""Films made in memory whose events are seen and heard: a bar at the left or right, a low or a high tone."""

import av
import numpy as np
import pandas as pd

RATE, FPS, SIDE = 8_000, 12, 64
LABELS = ("left", "right")
TONES = {"left": 500.0, "right": 2_000.0}


def events_of(rng, seconds):
    """Spans of half a second to a second with pauses between, and a label each."""
    spans, at = [], 0.3
    while at + 1.1 < seconds:
        end = at + rng.uniform(0.5, 1.0)
        spans.append((round(at, 2), round(end, 2), LABELS[int(rng.integers(2))]))
        at = end + rng.uniform(0.3, 0.9)
    return spans


def write_film(path, spans, seconds, rng, *, seen=True, heard=True):
    """An mp4 of events; without `heard` it has no sound track, without `seen` nothing moves in it."""
    scene = np.kron(np.random.default_rng(7).integers(20, 200, (16, 16)), np.ones((4, 4))).astype(np.uint8)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"crf": "10"})
        video.width = video.height = SIDE
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=RATE) if heard else None
        for i in range(round(seconds * FPS)):
            grey = (scene + rng.integers(0, 6, scene.shape)).astype(np.uint8)
            for start, end, label in spans if seen else ():
                if start <= (i + 0.5) / FPS < end:
                    side = slice(20, 30) if label == "left" else slice(34, 44)
                    grey[24:40, side] = 255
            picture = av.VideoFrame.from_ndarray(np.repeat(grey[:, :, None], 3, axis=2), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode())
        if audio is not None:
            _sound(container, audio, wave_of(spans, seconds, rng))
    return str(path)


def wave_of(spans, seconds, rng):
    """Noise with a tone in each span."""
    times = np.arange(round(seconds * RATE)) / RATE
    wave = 0.01 * rng.standard_normal(len(times))
    for start, end, label in spans:
        wave += 0.3 * np.sin(2 * np.pi * TONES[label] * times) * ((times >= start) & (times < end))
    return wave.astype(np.float32)


def _sound(container, stream, wave):
    for first in range(0, len(wave), 1_024):
        frame = av.AudioFrame.from_ndarray(wave[None, first : first + 1_024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, first
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def films(folder, count, seconds=16.0, seed=0, **how):
    """A table of spans (file, start, end, label, split) of so many films, of which the last two are valid and test."""
    rng, rows = np.random.default_rng(seed), []
    for i in range(count):
        spans = events_of(rng, seconds)
        path = write_film(folder / f"film{i}.mp4", spans, seconds, rng, **how)
        part = "train" if i < count - 2 else ("valid", "test")[i - count + 2]
        rows += [{"file": path, "start": s, "end": e, "label": label, "split": part} for s, e, label in spans]
    return pd.DataFrame(rows)
