"""One pass over a film in a process of its own: `python _video_child.py WAY FILM SHORT FOLDER` prints what it took.

WAY is "analyze" (`fusible.analyze_video`, which writes its files to FOLDER), "alone" (decoding and encoding and nothing
else) or "decode". Wall and processor seconds are those of the pass over FILM; one over SHORT goes before, so that the
loading of libraries and weights does not count. The peak is that of the whole process.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

import fusible
from fusible.encoders._base import Encoder
from fusible.encoders._resolve import resolve
from fusible.types import Media, Modality

STEP, SIDE, BATCH, THREADS = 0.5, 224, 32, 2
"""Seconds between pictures, their short side, pictures per batch, and threads that decode, as `analyze_video` has."""


def run(way: str, film: Path, short: Path, folder: Path) -> dict[str, float]:
    """Measure one pass in a fresh process."""
    line = [sys.executable, __file__, way, *map(str, (film, short, folder))]
    done = subprocess.run(line, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def alone(film: Path, encoder: Encoder | None) -> int:
    """Decode every frame and all sound, and encode the frames shown at the points of the grid; nothing else is kept."""
    waiting: list[Media] = []
    steps = 0
    with av.open(str(film)) as container:
        screen, speaker = container.streams.video[0], container.streams.audio[0]
        screen.thread_type, screen.codec_context.thread_count = "AUTO", THREADS
        high, wide = screen.height, screen.width
        scale = SIDE / min(high, wide)
        size = {"width": round(wide * scale), "height": round(high * scale)}
        for packet in container.demux(screen, speaker):
            for frame in packet.decode():
                if packet.stream is screen and frame.time >= steps * STEP - 1e-6 and encoder is not None:
                    picture = frame.reformat(**size, format="rgb24", interpolation="AREA", threads=1).to_ndarray()
                    waiting.append(Media("frame", steps, pixels=picture))
                    steps += 1
                    if len(waiting) == BATCH:
                        _encode(encoder, waiting)
    if encoder is not None and waiting:
        _encode(encoder, waiting)
    return steps


@torch.inference_mode()
def _encode(encoder: Encoder, waiting: list[Media]) -> np.ndarray:
    found: np.ndarray = encoder(encoder.collate(waiting)).pooled.numpy()
    waiting.clear()
    return found


def pass_over(way: str, film: Path, folder: Path, encoder: Encoder) -> int:
    """Take one pass; the number of shots, where they are looked for."""
    if way != "analyze":
        alone(film, encoder if way == "alone" else None)
        return 0
    found = fusible.analyze_video(film, folder)
    if found.failures:
        raise SystemExit(str(found.failures))
    return sum(len(timeline.lane("shot")) for timeline in found.timelines.values())


def main(way: str, film: Path, short: Path, folder: Path) -> dict[str, Any]:
    """Say what a pass took."""
    encoder = resolve("image_efficientnet", Modality.IMAGE)
    pass_over(way, short, folder, encoder)
    wall, processor = time.perf_counter(), time.process_time()
    shots = pass_over(way, film, folder, encoder)
    return {
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - processor,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "shots": shots,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], *map(Path, sys.argv[2:5]))))
