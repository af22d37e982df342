"""The feature cache: a second study on the same data encodes nothing with frozen encoders."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from _harness import Benchmark, arguments, data_folder, few

STRATEGIES = ["model:average"]
"""The cheapest, as only the encoding stage is measured."""


def main() -> None:
    """Compare twice with a fresh cache, and judge what the second run stored and what its encoding cost."""
    import fusible

    benchmark = Benchmark("cache", arguments(__doc__))
    args = benchmark.arguments
    path = data_folder("fashion") / "fashion.parquet"
    columns = dict.fromkeys(("master", "sub", "article", "colour"), "category:ignore")
    data = fusible.read(path, columns=columns, target="usage")
    data = few(data, 12) if args.quick else few(data, 1000)
    with tempfile.TemporaryDirectory() as folder:
        first = run(benchmark, data, columns, Path(folder), "first")
        second = run(benchmark, data, columns, Path(folder), "second")
    benchmark.claim("files that the second study adds to the cache", second["files_added"], at_most=0)
    share = second["encode_seconds"] / first["encode_seconds"]
    benchmark.claim("encoding stage of the second study over that of the first", share, at_most=0.05)
    benchmark.finish()


def run(benchmark: Benchmark, data: Any, columns: dict[str, str], cache: Path, name: str) -> dict[str, float]:
    """Compare once; seconds of the encoding stage and number of files added to the cache."""
    import fusible

    before = files(cache)
    encoders = {"title": "text_minilm", "image": "image_efficientnet"}
    result = fusible.compare(data, "usage", columns=columns, encoders=encoders, strategies=STRATEGIES, cache=cache)
    measured = {"encode_seconds": result.seconds["encode"], "files_added": float(len(files(cache) - before))}
    benchmark.row(study=name, **measured)
    return measured


def files(folder: Path) -> set[Path]:
    """Every file below a folder."""
    return {path for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    main()
