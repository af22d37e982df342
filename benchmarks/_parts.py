"""Benchmarks that are run part by part: each (name, seed) is kept as soon as it is done, and several run side by side.

A killed run goes on where it was. Each part has a process of its own, with its share of the cores as threads: small
networks keep one core busy better than many.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from _harness import ROOT, Benchmark, arguments, write

Measure = Callable[[str, int, argparse.Namespace], dict[str, Any]]
"""Measures one part: (name, seed, arguments) to what is kept of it. A function of a module, as processes find it."""


class Parts:
    """The parts of one benchmark: its arguments, `--jobs` and an option that names parts, and what they gave."""

    def __init__(self, name: str, description: str | None, option: str, names: Sequence[str]) -> None:
        parser = argparse.ArgumentParser(add_help=False)
        parser.add_argument(f"--{option}", nargs="+", choices=list(names), default=list(names), dest="names")
        parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
        own, rest = parser.parse_known_args()
        sys.argv = [sys.argv[0], *rest]
        self.names: list[str] = own.names
        self.benchmark = Benchmark(name, arguments(description, seeds=(0, 1, 2)))
        self.jobs = 1 if self.benchmark.arguments.quick else own.jobs
        self.benchmark.take(option, self.names)

    def run(self, measure: Measure) -> dict[str, list[dict[str, Any]]]:
        """What each part gave, by name, in the order of seeds; what is there from an earlier run is not run again.

        To what `measure` gives are added `seconds`, `cpu_seconds`, and `jobs`: how many ran side by side.
        """
        args = self.benchmark.arguments
        tasks = [(name, seed) for seed in args.seeds for name in self.names]  # seeds share encodings: first ones first
        lacking = [task for task in tasks if args.quick or not self._place(*task).is_file()]
        found = {task: json.loads(self._place(*task).read_text()) for task in tasks if task not in lacking}
        found |= dict(self._measured(measure, lacking))
        return {name: [found[name, seed] for seed in args.seeds] for name in self.names}

    def _measured(self, measure: Measure, tasks: list[tuple[str, int]]) -> list[tuple[tuple[str, int], dict[str, Any]]]:
        args = self.benchmark.arguments
        places = [None if args.quick else self._place(*task) for task in tasks]
        if self.jobs == 1:
            return [(task, kept(measure, *task, args, 1, place)) for task, place in zip(tasks, places, strict=True)]
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // self.jobs))
        with ProcessPoolExecutor(self.jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
            runs: list[Future[dict[str, Any]]] = [
                pool.submit(kept, measure, *task, args, self.jobs, place)
                for task, place in zip(tasks, places, strict=True)
            ]
            return [(task, run.result()) for task, run in zip(tasks, runs, strict=True)]

    def _place(self, name: str, seed: int) -> Path:
        result = self.benchmark.arguments.json or ROOT / "benchmarks" / "results" / f"{self.benchmark.name}.json"
        folder: Path = result.with_suffix(".parts")
        return folder / f"{name}-{seed}.json"


def kept(
    measure: Measure, name: str, seed: int, args: argparse.Namespace, jobs: int, place: Path | None
) -> dict[str, Any]:
    """Measure one part, and write it to `place`."""
    start, used = time.perf_counter(), time.process_time()
    part = measure(name, seed, args)
    part |= {
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - used, 1),
        "jobs": jobs,
    }
    if place is not None:
        write(place, part)
    return part
