"""Sounds whose kind is known, to fit and to judge weights of `fusible.tasks.video.sounds`: speech, music, other.

Needs GRID and FSDD in the data folder, and the packages tinysoundfont, pretty_midi (for its sound font) and
espeakng-loader, which are no dependencies of Fusible.
"""

from __future__ import annotations

import csv
import ctypes
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from _harness import DATA

from fusible.data.audio import decode_audio
from fusible.types import Media

RATE = 16_000
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10, 12, 15))
SENTENCES = {
    "en": (
        "The quick brown fox jumps over the lazy dog, while the committee discussed the budget for the coming year.",
        "Good evening. Tonight we look at the weather, and what farmers in the north expect of the summer.",
        "I never said that she stole the money; you must have misunderstood what he told you.",
    ),
    "de": ("Guten Abend, meine Damen und Herren, heute sprechen wir über das Wetter und die Ernte im Norden.",),
    "fr": ("Bonsoir, ce soir nous parlons de la météo et de ce que les agriculteurs attendent de cet été.",),
    "es": ("Buenas noches, hoy hablamos del tiempo y de lo que esperan los agricultores del norte este verano.",),
    "it": ("Buonasera, oggi parliamo del tempo e di quello che gli agricoltori si aspettano da questa estate.",),
    "pl": ("Dobry wieczór, dzisiaj mówimy o pogodzie i o tym, czego rolnicy oczekują tego lata.",),
    "cmn": ("晚上好，今天我们谈谈天气，以及北方的农民对今年夏天的期待。",),
    "hi": ("नमस्ते, आज हम मौसम के बारे में बात करेंगे और किसान क्या उम्मीद करते हैं।",),
    "sw": ("Habari za jioni, leo tunazungumzia hali ya hewa na wakulima wanatarajia nini.",),
}
VOICES = ("", "+f2", "+m3", "+f4")


def grid(part: str, clips: int) -> Iterator[np.ndarray]:
    """Speech of GRID: four clips at a time."""
    with (DATA / "grid_s1" / "clips.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == part][:clips]
    waves = [_decode(DATA / "grid_s1" / row["video"]) for row in rows]
    for first in range(0, len(waves), 4):
        yield np.concatenate(waves[first : first + 4])


def fsdd(talkers: slice, number: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Speech of FSDD: twenty digits of some of its talkers at a time, with short pauses."""
    with (DATA / "fsdd" / "recordings.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = sorted({row["speaker"] for row in rows})[talkers]
    rows = [row for row in rows if row["speaker"] in chosen]
    picked = rng.choice(len(rows), number, replace=False).tolist()
    for first in range(0, number, 20):
        waves = [_decode(DATA / "fsdd" / rows[place]["audio"]) for place in picked[first : first + 20]]
        pauses = [np.zeros(int(RATE * rng.uniform(0.05, 0.25)), np.float32) for _ in waves]
        yield np.concatenate([part for pair in zip(waves, pauses, strict=True) for part in pair])


def espeak() -> Iterator[np.ndarray]:
    """Speech of eSpeak NG in nine languages and four voices."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0)
    blocks: list[np.ndarray] = []

    def keep(wave: Any, count: int, _: Any) -> int:
        if wave and count > 0:
            blocks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    callback = kind(keep)
    library.espeak_SetSynthCallback(callback)
    for number, (language, sentences) in enumerate(SENTENCES.items()):
        for place, voice in enumerate(VOICES):
            library.espeak_SetVoiceByName((language + voice).encode())
            library.espeak_SetParameter(1, 140 + (37 * (number + place)) % 90, 0)  # words a minute
            library.espeak_SetParameter(3, 30 + (23 * (number + place)) % 50, 0)  # pitch
            for sentence in sentences:
                blocks.clear()
                data = sentence.encode()
                library.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1, None, None)
                library.espeak_Synchronize()
                wave = np.concatenate(blocks).astype(np.float32) / 32768
                yield np.asarray(soxr.resample(wave, rate, RATE), np.float32)


def music(seed: int, seconds: float = 12.0) -> np.ndarray:
    """Random notes and chords of one scale by up to four instruments of a sound font, with drums every other time."""
    import tinysoundfont

    found = find_spec("pretty_midi")
    assert found is not None
    assert found.origin is not None
    rng = np.random.default_rng(seed)
    synth = tinysoundfont.Synth(samplerate=RATE)
    font = synth.sfload(str(Path(found.origin).parent / "TimGM6mb.sf2"))
    scale, root = np.array(SCALES[rng.integers(len(SCALES))]), int(rng.integers(48, 64))
    beat = 60 / rng.uniform(60, 170)
    events: list[tuple[float, int, int, int, int]] = []
    for channel in range(int(rng.integers(1, 5))):
        synth.program_select(channel, font, 0, int(rng.integers(0, 104)))
        events += _part(rng, channel, scale, root, beat, seconds)
    if rng.random() < 0.5:
        synth.program_select(9, font, 128, 0)
        for place, time in enumerate(np.arange(0.0, seconds, beat / 2).tolist()):
            drums = [42, *([36] if place % 4 == 0 else []), *([38] if place % 4 == 2 else [])]
            events += [(time, 1, 9, drum, 90) for drum in drums] + [(time + 0.1, 0, 9, drum, 0) for drum in drums]
    return _played(synth, sorted(events), seconds)


def _part(
    rng: np.random.Generator, channel: int, scale: np.ndarray, root: int, beat: float, seconds: float
) -> list[tuple[float, int, int, int, int]]:
    """Events (time, on, channel, note, force) of one instrument: a melody, or chords one time in three."""
    chords, time, events = rng.integers(3) == 2, 0.0, []
    while time < seconds:
        length = beat * float(rng.choice([0.5, 1, 1, 2, 4]))
        first = int(rng.integers(len(scale)))
        notes = [root + int(scale[(first + up) % len(scale)]) for up in ((0, 2, 4) if chords else (0,))]
        shift = 0 if chords else 12 * int(rng.integers(-1, 2))
        if rng.random() < 0.85:
            for note in notes:
                events.append((time, 1, channel, note + shift, int(rng.integers(60, 120))))
                events.append((time + length * 0.95, 0, channel, note + shift, 0))
        time += length
    return events


def _played(synth: Any, events: Sequence[tuple[float, int, int, int, int]], seconds: float) -> np.ndarray:
    blocks, done = [], 0
    for time, on, channel, note, force in events:
        count = int(min(time, seconds) * RATE) - done
        if count > 0:
            blocks.append(np.frombuffer(bytes(synth.generate(count)), np.float32).reshape(-1, 2).mean(axis=1))
            done += count
        if on:
            synth.noteon(channel, note, force)
        else:
            synth.noteoff(channel, note)
    return np.concatenate(blocks)


def noise(seed: int, seconds: float = 8.0) -> np.ndarray:
    """White, pink, brown or band noise, knocks, or wind with an engine, by the seed in turn."""
    rng = np.random.default_rng(seed)
    count, kind = int(seconds * RATE), seed % 6
    rates = np.fft.rfftfreq(count, 1 / RATE)
    spectrum = np.fft.rfft(rng.normal(size=count))
    if kind < 3:
        return np.asarray(np.fft.irfft(spectrum * np.maximum(rates, 20) ** (-0.5 * kind), count))
    if kind == 3:
        shape = np.exp(-(((rates - rng.uniform(300, 5000)) / rng.uniform(200, 1500)) ** 2))
        return np.asarray(np.fft.irfft(spectrum * shape, count))
    if kind == 4:
        wave = 0.003 * rng.normal(size=count)
        for place in rng.uniform(0, count - 4000, rng.integers(5, 40)).astype(int):
            decay = np.exp(-np.arange(4000) / rng.uniform(50, 900)) * rng.uniform(0.2, 1.0)
            wave[place : place + 4000] += rng.normal(size=4000) * decay
        return wave
    swell = np.interp(np.arange(count), np.linspace(0, count, 20), rng.uniform(0.1, 1.0, 20))
    wave = np.fft.irfft(spectrum * np.maximum(rates, 50) ** -0.7, count) * swell
    wander = 0.01 * np.cumsum(rng.normal(size=count))
    engine = np.sign(np.sin(2 * np.pi * rng.uniform(25, 60) * np.arange(count) / RATE + wander))
    return np.asarray(wave / wave.std() + (0.7 * engine if rng.random() < 0.5 else 0.0))


def varied(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of another loudness, with hiss, and now and then with an echo or of narrow bandwidth."""
    wave = loud(wave, float(rng.uniform(-38, -14)))
    wave = wave + rng.normal(size=len(wave)) * 10 ** (rng.uniform(-75, -45) / 20)
    if rng.random() < 0.3:
        echo = rng.normal(size=6400) * np.exp(-np.arange(6400) / rng.uniform(500, 2000))
        echo[0] = 6.0
        shape = 1 << int(np.ceil(np.log2(len(wave) + 6400)))
        wave = np.fft.irfft(np.fft.rfft(wave, shape) * np.fft.rfft(echo, shape), shape)[: len(wave)]
        wave = loud(wave, -22.0)
    if rng.random() < 0.25:
        spectrum, rates = np.fft.rfft(wave), np.fft.rfftfreq(len(wave), 1 / RATE)
        spectrum[(rates > rng.uniform(3000, 6000)) | (rates < rng.uniform(50, 250))] *= 0.01
        wave = np.fft.irfft(spectrum, len(wave))
    return np.clip(wave, -1.0, 1.0)


def loud(wave: np.ndarray, level: float) -> np.ndarray:
    """The same at a level in dB of full scale."""
    return np.asarray(wave * (10 ** (level / 20) / (np.sqrt(np.mean(np.square(wave))) + 1e-9)))


def _decode(path: Path) -> np.ndarray:
    return decode_audio(Media("sound", 0, path=str(path)), RATE)
