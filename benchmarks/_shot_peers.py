"""PySceneDetect's detectors, each with the settings that do best on training edits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from fusible.evaluation.cuts import Transition, score_cuts, total

Settings = dict[str, Any]
Truth = Sequence[Transition]
GRIDS: dict[str, dict[str, Sequence[Any]]] = {
    "content": {"threshold": (8.0, 13.0, 20.0, 27.0, 34.0), "min_scene_len": (6, 15)},
    "adaptive": {"adaptive_threshold": (2.0, 3.0, 4.5), "min_content_val": (4.0, 10.0), "min_scene_len": (6, 15)},
    "hash": {"threshold": (0.2, 0.28, 0.35, 0.42)},
    "histogram": {"threshold": (0.02, 0.05, 0.1, 0.2, 0.3)},
    "threshold": {"threshold": (6, 12, 25), "method": ("FLOOR", "CEILING")},
}


def detector(name: str, settings: Settings) -> Any:
    """One of PySceneDetect's detectors."""
    import scenedetect

    given = dict(settings)
    kind = getattr(scenedetect, f"{name.capitalize()}Detector")
    if "method" in given:
        given["method"] = kind.Method[given["method"]]
    return kind(**given)


def choose(films: Sequence[tuple[Path, Truth]], tolerance: int, quick: bool) -> dict[str, Settings]:
    """Settings of every detector that give the best F1 over all transitions of training edits."""
    tried = {name: [dict(zip(grid, at, strict=True)) for at in product(*grid.values())] for name, grid in GRIDS.items()}
    if quick:
        tried = {name: many[:1] for name, many in tried.items()}
    found: dict[tuple[str, int], list[list[int]]] = {}
    for path, _ in films:
        made = {(name, place): detector(name, at) for name, many in tried.items() for place, at in enumerate(many)}
        for key, cuts in _together(path, made).items():
            found.setdefault(key, []).append(cuts)
    chosen = {}
    for name, many in tried.items():
        scores = [_f1(films, found[name, place], tolerance) for place in range(len(many))]
        chosen[name] = many[scores.index(max(scores))]
    return chosen


def _f1(films: Sequence[tuple[Path, Truth]], cuts: Sequence[Sequence[int]], tolerance: int) -> float:
    pairs = zip(films, cuts, strict=True)
    return total(score_cuts(truth, transitions(frames), tolerance) for (_, truth), frames in pairs)["any"].f1


def _together(path: Path, detectors: dict[tuple[str, int], Any]) -> dict[tuple[str, int], list[int]]:
    """Frames of cuts by several detectors, with the film decoded once."""
    from scenedetect import FrameTimecode, open_video

    video = open_video(str(path))
    cuts: dict[tuple[str, int], list[int]] = {key: [] for key in detectors}
    at = FrameTimecode(0, video.frame_rate)
    count = 0
    while (picture := video.read()) is not False:
        at = FrameTimecode(count, video.frame_rate)
        for key, one in detectors.items():
            cuts[key] += [cut.frame_num for cut in one.process_frame(at, picture)]
        count += 1
    for key, one in detectors.items():
        cuts[key] += [cut.frame_num for cut in one.post_process(at)]
    return cuts


def find(path: Path, detectors: Sequence[Any]) -> list[Transition]:
    """Transitions by PySceneDetect's own loop; it does not say of what kind."""
    from scenedetect import SceneManager, open_video

    manager = SceneManager()
    for one in detectors:
        manager.add_detector(one)
    manager.detect_scenes(open_video(str(path)))
    return transitions([start.frame_num for start, _ in manager.get_scene_list()[1:]])


def transitions(cuts: Sequence[int]) -> list[Transition]:
    """Transitions of one frame each."""
    return [Transition("any", cut, cut) for cut in sorted(set(cuts)) if cut > 0]
