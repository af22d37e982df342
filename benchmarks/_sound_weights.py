"""Fit the weights of `fusible.tasks.video.sounds` again: writes `_sound_weights.py`, and prints how they do elsewhere.

    python benchmarks/_sound_weights.py [MUSIC FILE …]

Judged on GRID's test clips, talkers of FSDD and noises that were not learned from, and on the music that is named.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from _harness import ROOT
from _sound_material import RATE, espeak, fsdd, grid, loud, music, noise, varied
from sklearn.linear_model import LogisticRegression

from fusible.data.audio import decode_audio
from fusible.tasks.video._sound_frames import frames_of
from fusible.tasks.video._sound_measures import STEP, measures
from fusible.tasks.video.sounds import sound_events
from fusible.types import Media

TARGET = ROOT / "src" / "fusible" / "tasks" / "video" / "_sound_weights.py"
HEAD = '''"""Weights that tell music, other sounds and speech apart: a logistic regression on measures and squares.

Fitted to an hour of sound, loudness, noise, echo and bandwidth varied: speech of GRID (training clips), of four talkers
of FSDD, and of eSpeak in nine languages; music of random notes by 104 instruments and drums of a General MIDI sound
font; noises, knocks, wind and engines made by formula. `benchmarks/_sound_weights.py` fits them again.
"""

import numpy as np

'''


def main() -> None:
    """Fit, write, judge."""
    rng = np.random.default_rng(0)
    sounds: list[tuple[str, np.ndarray]] = []
    for label, waves in (
        ("speech", [*grid("train", 80), *fsdd(slice(4), 240, rng), *espeak()]),
        ("music", [music(seed) for seed in range(90)]),
        ("other", [noise(seed) for seed in range(60)]),
    ):
        sounds += [(label, varied(wave, rng)) for wave in (*waves, *waves)]
    found = [heard(wave) for _, wave in sounds]
    labels = np.repeat([label for label, _ in sounds], [len(rows) for rows in found])
    TARGET.write_text(HEAD + fitted(np.concatenate(found), labels), encoding="utf-8")
    print(f"wrote {TARGET}; judged with the weights that were imported: run it again to judge the new ones")
    judge("GRID test", grid("test", 40))
    judge("FSDD, other talkers", fsdd(slice(4, None), 160, rng))
    judge("noise", (noise(1000 + seed) for seed in range(18)))
    for name in sys.argv[1:]:
        judge(Path(name).name, [decode_audio(Media("music", 0, path=name), RATE)[: 150 * RATE]])


def heard(wave: np.ndarray) -> np.ndarray:
    """Measures of steps that are loud enough and not at the edges."""
    frames = frames_of(wave)
    rows = measures(frames)
    power = 10 ** (frames.level[: len(rows) * STEP].reshape(len(rows), STEP) / 10)
    level = 10 * np.log10(power.mean(axis=1))
    keep = level > max(-60.0, level.max() - 35)
    keep[:4] = keep[-4:] = False
    return rows[keep]


def fitted(rows: np.ndarray, labels: np.ndarray) -> str:
    """The weights as Python, all kinds of sound counting alike."""
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    standard = np.clip((rows - mean) / deviation, -4.0, 4.0)
    model = LogisticRegression(C=0.1, max_iter=500, class_weight="balanced")
    model.fit(np.hstack([standard, standard**2]), labels)
    half = rows.shape[1]
    names = ", ".join(f'"{name}"' for name in model.classes_)
    parts = [("MEAN", [mean]), ("DEVIATION", [deviation]), ("BIAS", [model.intercept_])]
    text = f"LABELS = ({names})\n" + "".join(f"{name} = np.array({numbers(array[0])})\n" for name, array in parts)
    for name, array in (("LINEAR", model.coef_[:, :half]), ("SQUARE", model.coef_[:, half:])):
        text += f"{name} = np.array(\n    [\n{''.join(f'        {numbers(row)},{chr(10)}' for row in array)}    ]\n)\n"
    return text + '"""Weights (labels, measures) of standardised measures, and of their squares."""\n'


def numbers(values: Iterable[float]) -> str:
    """A row of numbers."""
    return "[" + ", ".join(f"{value:.4g}" for value in values) + "]"


def judge(name: str, waves: Iterable[np.ndarray]) -> None:
    """Print the share of time of every label."""
    time: dict[str, float] = {}
    for wave in waves:
        for span in sound_events(loud(wave, -22.0).astype(np.float32), RATE).spans:
            time[span.label] = time.get(span.label, 0.0) + span.end - span.start
    total = sum(time.values())
    print(name, f"{total:.0f} s:", ", ".join(f"{label} {spent / total:.3f}" for label, spent in sorted(time.items())))


if __name__ == "__main__":
    main()
