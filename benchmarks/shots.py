"""Cuts, fades and dissolves of 200 generated edits, found by Fusible and by every detector of PySceneDetect.

See `_edits` for the edits: GRID's test clips and the films in scikit-video, with flashes, pans and shakes as traps.
Fusible's weights were fitted (`_fit_shots`), and PySceneDetect's settings are chosen here, on edits of other clips. A
transition counts as found within two frames, one to one (`fusible.evaluation.cuts`). PySceneDetect does not tell kinds
apart; what it finds takes the kind of what it matches, and is a cut where it matches nothing, so that of gradual
transitions only its recall counts. Detectors together are the best one and that for fades.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from _edits import Clip, make, test_clips, training_clips, write
from _harness import Benchmark, arguments, data_folder
from _shot_peers import choose, detector, find

from fusible.data.film import FilmReader, Frame
from fusible.evaluation.cuts import CutScore, Transition, score_cuts, total
from fusible.tasks.video.shots import find_transitions
from fusible.types import Media

EDITS, TRAINING, TOLERANCE = 200, 12, 2
FIRST_TRAINING = 30_000
FUSIBLE = "fusible"

Film = tuple[Path, Sequence[Transition], int]


def main() -> None:
    """Write the edits, choose the peers' settings, and score everything on the same files."""
    for package in ("scenedetect", "skvideo"):
        if importlib.util.find_spec(package) is None:
            print(f"skipped: {package!r} is not installed; pip install 'fusible[bench]'")
            sys.exit(0)
    benchmark = Benchmark("shots", arguments(__doc__))
    quick = benchmark.arguments.quick
    grid, photos = data_folder("grid_s1"), data_folder("flickr8k_1k")
    with tempfile.TemporaryDirectory() as folder:
        known = _films(training_clips(grid, photos), FIRST_TRAINING, 1 if quick else TRAINING, Path(folder))
        settings = choose([film[:2] for film in known], TOLERANCE, quick)
        films = []
        for seed in benchmark.arguments.seeds:
            films += _films(test_clips(grid), 1_000_000 * seed, 2 if quick else EDITS, Path(folder))
        ways: dict[str, Callable[[Path], list[Transition]]] = {FUSIBLE: fusible}
        for name, at in settings.items():
            ways[name] = lambda path, name=name, at=at: find(path, [detector(name, at)])  # type: ignore[misc]
        ways["adaptive + threshold"] = lambda path: find(
            path, [detector(name, settings[name]) for name in ("adaptive", "threshold")]
        )
        scores = {name: _row(benchmark, name, way, films, settings.get(name)) for name, way in ways.items()}
    mine = scores.pop(FUSIBLE)
    benchmark.claim("F1 of cuts within 2 frames", mine["cut"].f1, at_least=0.98)
    benchmark.claim("F1 of fades and dissolves within 2 frames", mine["gradual"].f1, at_least=0.90)
    for kind, words in (("cut", "cuts"), ("gradual", "fades and dissolves"), ("any", "all transitions")):
        best = max(scores.values(), key=lambda score, kind=kind: score[kind].f1)  # type: ignore[misc]
        gain = mine[kind].f1 - best[kind].f1
        benchmark.claim(f"F1 of {words} above PySceneDetect's best detector for them", gain, at_least=0.0)
    benchmark.finish()


def fusible(path: Path) -> list[Transition]:
    """Transitions as Fusible finds them."""
    return find_transitions(part for part in FilmReader(Media("film", 0, str(path))) if isinstance(part, Frame))


def _films(clips: Sequence[Sequence[Clip]], first: int, count: int, folder: Path) -> list[Film]:
    films = []
    for seed in range(first, first + count):
        edit = make(clips, seed)
        path = folder / f"{seed}.mp4"
        write(edit, path, seed)
        films.append((path, edit.truth, len(edit.frames)))
    return films


def _row(
    benchmark: Benchmark,
    name: str,
    way: Callable[[Path], list[Transition]],
    films: Sequence[Film],
    settings: dict[str, object] | None,
) -> dict[str, CutScore]:
    """Score a way on all films; time includes decoding."""
    wall, processor = time.perf_counter(), time.process_time()
    found = [way(path) for path, _, _ in films]
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    score = total(score_cuts(film[1], mine, TOLERANCE) for film, mine in zip(films, found, strict=True))
    frames = sum(film[2] for film in films)
    kinds = ("cut", "gradual", "any")
    benchmark.row(
        detector=name,
        settings=None if settings is None else ", ".join(f"{key} {value}" for key, value in settings.items()),
        **{f"f1_{kind}": score[kind].f1 for kind in kinds},
        **{f"precision_{kind}": score[kind].precision for kind in kinds},
        **{f"recall_{kind}": score[kind].recall for kind in kinds},
        transitions=sum(len(film[1]) for film in films),
        frames=frames,
        frames_per_second=frames / wall,
        cpu_ms_per_frame=1000 * processor / frames,
    )
    return score


if __name__ == "__main__":
    main()
