"""GRID: one talker's clips and their sound -> the colour that is said, and the letter; reads 800 mp4 files."""

from __future__ import annotations

from typing import Any

from _harness import Benchmark, arguments, data_folder, few, study_rows

SAID = ("clip", "transcript", "command", "colour", "preposition", "letter", "digit", "adverb")
CHANCE = {"colour": 1 / 4, "letter": 1 / 25}


def main() -> None:
    """Compare for both targets and judge that every clip is read and that something is learned."""
    benchmark = Benchmark("grid", arguments(__doc__))
    for target, chance in list(CHANCE.items())[: 1 if benchmark.arguments.quick else None]:
        result = study(benchmark, target)
        low = result.strategy("auto").test.low
        benchmark.claim(f"{target}: lower bound of auto's accuracy, against chance", low, at_least=chance)
        unread = sum(problem.count for problem in result.problems if problem.column == "video")
        benchmark.claim(f"{target}: problems with clips", unread, at_most=0)
    benchmark.finish()


def study(benchmark: Benchmark, target: str) -> Any:
    """Compare per seed; the result of the first seed."""
    import fusible

    args = benchmark.arguments
    columns = {name: ":ignore" for name in SAID if name != target}
    data = fusible.read(data_folder("grid_s1") / "clips.csv", columns=columns, target=target)
    options: dict[str, Any] = {"columns": columns}
    if args.quick:
        encoders = {"video": "video_frames", "video_sound": "audio_stats"}
        data = few(data, 12)
        options |= {"strategies": ["model:average"], "encoders": encoders}
    found = []
    for seed in args.seeds:
        result = fusible.compare(data, target, seed=seed, device=args.device, cache=args.cache, **options)
        study_rows(benchmark, result, target=target, seed=seed)
        found.append(result)
    return found[0]


if __name__ == "__main__":
    main()
