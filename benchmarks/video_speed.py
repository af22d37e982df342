"""Speed and memory of `analyze`: against decoding and encoding alone, and against the film's length.

The film is ten minutes of real clips at 640x360, 25 frames per second, with sound, cut every 2 to 5 s (`_long_films`);
pictures are encoded by the packaged encoder, two a second. "Alone" is a plain PyAV loop, in one thread but for the
decoder's own: it decodes every frame and all sound, scales the frames shown at the points of the grid as `analyze`
does, and gives them to the same encoder in batches of the same size; nothing is compared, heard, kept or written.
`analyze` also writes all its files, the page with it. Both have the same threads for decoding and for the encoder, take
turns, each turn in a process of its own after a warm-up, and the best turn of each counts.

Ratios are of processor seconds, which other work on the machine touches least; the rows have wall seconds as well, and
real time is judged by these. Memory is the peak of a process that analyses one minute, and one that analyses an hour:
that minute's packets repeated. With `--cache DIR` the films are kept there.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path

import numpy as np
from _harness import Benchmark, arguments, data_folder
from _long_films import parts, repeat, write
from _video_child import run

TURNS = 3
MINUTES, LONG = 10, 60
FASTER, DEARER, GROWTH = 8.0, 1.25, 1.1


def main() -> None:
    """Take turns over the ten minutes, then measure memory."""
    if importlib.util.find_spec("skvideo") is None:
        print("skipped: 'skvideo' is not installed; pip install 'fusible[bench]'")
        sys.exit(0)
    benchmark = Benchmark("video_speed", arguments(__doc__))
    args = benchmark.arguments
    grid = data_folder("grid_s1")
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.cache or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        minutes, long, turns = (1 / 6, 1, 1) if args.quick else (MINUTES, LONG, TURNS)
        for seed in args.seeds:
            films = make(grid, folder, minutes, long, seed)
            speed(benchmark, films, Path(scratch), minutes, turns)
            memory(benchmark, films, Path(scratch), long)
    benchmark.finish()


def make(grid: Path, folder: Path, minutes: float, long: int, seed: int) -> dict[str, Path]:
    """Write the films that are not there yet: the one that is timed, a minute (shorter in a quick run), and an hour."""
    base = minutes if minutes < 1 else 1
    seconds = {"timed": round(60 * minutes), "minute": round(60 * base), "short": 4}
    films = {name: folder / f"{name}-{length}-{seed}.mp4" for name, length in seconds.items()}
    for number, (name, path) in enumerate(films.items()):
        if not path.exists():
            write(path, parts(grid), seconds[name], seed + number)
    films["long"] = folder / f"long-{round(60 * long)}-{seed}.mp4"
    if not films["long"].exists():
        repeat(films["minute"], films["long"], round(long / base))
    return films


def speed(benchmark: Benchmark, films: dict[str, Path], scratch: Path, minutes: float, turns: int) -> None:
    """Time both ways in turns; the best of each."""
    spent: dict[str, list[tuple[float, float]]] = {"alone": [], "analyze": []}
    shots = 0.0
    for _ in range(turns):
        for way, seconds in spent.items():
            took = run(way, films["timed"], films["short"], scratch / "out")
            seconds.append((took["wall_seconds"], took["cpu_seconds"]))
            shots = max(shots, took["shots"])
    best = {way: np.min(seconds, axis=0) for way, seconds in spent.items()}
    for way, (wall, processor) in best.items():
        times = 60 * minutes / float(wall)
        found = int(shots) if way == "analyze" else None
        cells = {"wall_seconds": float(wall), "cpu_seconds": float(processor), "times_real_time": times}
        benchmark.row(way=way, minutes=float(minutes), **cells, shots=found)
    wall, processor = (float(best["analyze"][i] / best["alone"][i]) for i in (0, 1))
    benchmark.row(way="analyze / alone", minutes=float(minutes), wall_seconds=wall, cpu_seconds=processor)
    times = 60 * minutes / float(best["analyze"][0])
    benchmark.claim(f"times real time, {MINUTES} minutes at 640x360", times, at_least=FASTER)
    benchmark.claim("processor seconds, times those of decoding and encoding alone", processor, at_most=DEARER)


def memory(benchmark: Benchmark, films: dict[str, Path], scratch: Path, long: int) -> None:
    """Compare the peaks of a short and a long film."""
    peaks = []
    for name, minutes in (("minute", min(1.0, long / 6)), ("long", float(long))):
        took = run("analyze", films[name], films["short"], scratch / "out")
        peaks.append(took["peak_mb"])
        wall, processor = took["wall_seconds"], took["cpu_seconds"]
        times = 60 * minutes / wall
        cells = {"wall_seconds": wall, "cpu_seconds": processor, "times_real_time": times}
        benchmark.row(way=f"analyze, {name}", minutes=minutes, **cells, shots=int(took["shots"]), peak_mb=peaks[-1])
    benchmark.claim(f"peak memory of {LONG} minutes, times that of one", peaks[1] / peaks[0], at_most=GROWTH)


if __name__ == "__main__":
    main()
