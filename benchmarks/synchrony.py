"""Offset between sound and picture of GRID clips, shifted by up to a second, found within 80 ms.

Of every test clip 1.9 s of picture are kept, and 1.9 s of sound that begin at another moment, up to one second earlier
or later. Both are cut out of the clip: there is sound and picture from end to end, nothing is put in, and all are of
one length. A sentence of GRID begins at about the same moment of every clip, so that sound or picture alone say a
little about where they were cut: how much, the row with the sound of another test clip shows, which was cut likewise.
The model sees training clips as they are, and validation clips to choose its ridge and how sure it is.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from _harness import Benchmark, arguments, data_folder

from fusible.tasks.video.synchrony import Offset, Pair, PairFiles, Synchroniser, motion_offset
from fusible.types import Media

SECONDS, MOST, TOLERANCE = 1.9, 1.0, 0.08
SHORTER = 1.3
"""Seconds of a harder case: of clips so short, little is common to sound and picture, or nothing."""

Trial = tuple[Pair, float]


def main() -> None:
    """Learn, shift, and judge the share that is found."""
    benchmark = Benchmark("synchrony", arguments(__doc__))
    args = benchmark.arguments
    folder = data_folder("grid_s1")
    clips = {part: files(folder, part, 12 if args.quick else None) for part in ("train", "valid", "test")}
    begun = time.perf_counter()
    model = Synchroniser(most=MOST).fit(clips["train"], clips["valid"])
    seconds = time.perf_counter() - begun
    test = list(clips["test"])
    found: list[float] = []
    for seed in args.seeds:
        for length in (SECONDS, SHORTER):
            own, others = shifted(test, seed, length), shifted(test, seed, length, others=True)
            ways: dict[str, tuple[Callable[[Pair], Offset | None], Sequence[Trial]]] = {
                "learned (CCA)": (model.offset, own),
                "learned, another clip's sound": (model.offset, others),
                "motion and change of sound": (motion_offset, own),
                "motion, another clip's sound": (motion_offset, others),
                "always zero": (lambda _: None, own),
            }
            for name, (way, trials) in ways.items():
                share = judge(benchmark, name, way, trials, seed=seed, seconds=length)
                if name.startswith("learned (") and length == SECONDS:
                    found.append(share)
    print(f"learned from {model.clips_} clips in {seconds:.0f} s, decoding included; ridge {model.ridge_:g}")
    benchmark.claim("offsets of test clips found within 80 ms, worst of seeds", min(found), at_least=0.9)
    benchmark.finish()


def files(folder: Path, part: str, most: int | None) -> PairFiles:
    """Clips of one part of the data's own split."""
    with (folder / "clips.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == part]
    return PairFiles([Media("video", n, path=str(folder / row["video"])) for n, row in enumerate(rows[:most])])


def shifted(clips: Sequence[Pair], seed: int, length: float, *, others: bool = False) -> list[Trial]:
    """Clips of one length whose sound is late by a known number of seconds, their own or that of the next clip."""
    rng = np.random.default_rng(seed)
    trials = []
    for number, clip in enumerate(clips):
        end = float(clip.times[-1])
        late = float(rng.uniform(-MOST, MOST))
        first = float(rng.uniform(max(0.0, late), end - length + min(0.0, late)))
        heard = clips[(number + 1) % len(clips)] if others else clip
        pair = Pair(clip.frames, clip.times, heard.wave, heard.start, clip.where)
        trials.append((pair.moved(late).cut(first, first + length), late))
    return trials


def judge(
    benchmark: Benchmark, name: str, way: Callable[[Pair], Offset | None], trials: Sequence[Trial], **cells: float
) -> float:
    """Add a row of one way; the share that it finds."""
    begun = time.process_time()
    offsets = [way(pair) for pair, _ in trials]
    spent = time.process_time() - begun
    errors = np.array([(0.0 if o is None else o.seconds) - late for o, (_, late) in zip(offsets, trials, strict=True)])
    sure = [one.confidence for one in offsets if one is not None]
    share = float((np.abs(errors) <= TOLERANCE).mean())
    benchmark.row(
        way=name,
        **cells,
        clips=len(trials),
        found=share,
        median_error_ms=float(np.median(np.abs(errors))) * 1000,
        mean_confidence=float(np.mean(sure)) if sure else None,
        cpu_ms_per_clip=spent / len(trials) * 1000,
    )
    return share


if __name__ == "__main__":
    main()
