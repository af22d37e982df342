"""Pictures of one colour, sounds of one pitch, and sentences that say both: what captioning can be tested on."""

import io

import numpy as np
import pandas as pd
import soundfile
from PIL import Image

COLOURS = {"red": (220, 40, 40), "green": (40, 180, 60), "blue": (50, 60, 220), "white": (240, 240, 240)}
PITCHES = {"low": 300, "high": 1500}
RATE = 8000


def picture(colour, rng, side=24):
    """Bytes of a PNG of a colour with a little noise."""
    pixels = np.clip(np.array(COLOURS[colour]) + rng.normal(0, 6, (side, side, 3)), 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def sound(pitch, rng, seconds=0.5):
    """Bytes of a WAV of a tone with a little noise."""
    time = np.arange(int(RATE * seconds)) / RATE
    wave = 0.3 * np.sin(2 * np.pi * PITCHES[pitch] * time) + 0.01 * rng.normal(size=len(time))
    stream = io.BytesIO()
    soundfile.write(stream, wave.astype(np.float32), RATE, format="WAV", subtype="FLOAT")
    return stream.getvalue()


def told(rows=90, seed=0, references=1):
    """A table: `photo`, `tone`, `said` (several rows per item where there are several references), `split`."""
    rng = np.random.default_rng(seed)
    forms = ["a {} square with a {} tone", "there is a {} square and a {} tone"]
    lines = []
    for row in range(rows):
        colour, pitch = rng.choice(list(COLOURS)), rng.choice(list(PITCHES))
        shown, heard = picture(colour, rng), sound(pitch, rng)
        part = ["train", "train", "train", "train", "valid", "test"][row % 6]
        lines += [
            {"photo": shown, "tone": heard, "said": forms[i % 2].format(colour, pitch), "split": part}
            for i in range(references)
        ]
    return pd.DataFrame(lines)
