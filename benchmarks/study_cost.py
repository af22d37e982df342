"""What a comparison costs on 12,000 fashion rows: frozen encoders against one encoding pass, and the whole default.

Nothing is in the feature cache at the start of a run. The encoding pass is measured by itself: every view decoded and
encoded once, as sequences, which some operators read. Head trainings are those of the strategies' own clocks.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from _harness import Benchmark, arguments, data_folder, few
from fashion import FASHION

FROZEN = {"image": "image_efficientnet", "title": "text_minilm"}
QUICK = {"image": "image_efficientnet", "title": "text_tfidf"}


def main() -> None:
    """Measure both on one seed: time does not depend on it."""
    import fusible
    from fusible import registry

    benchmark = Benchmark("study_cost", arguments(__doc__))
    args = benchmark.arguments
    columns = {name: "category:ignore" for name in FASHION if name != "usage"}
    data = fusible.read(data_folder("fashion") / "fashion.parquet", columns=columns, target="usage")
    data = few(data, 16) if args.quick else data
    features = [f"feature:{name}" for name in registry.names("fusion")]
    with tempfile.TemporaryDirectory() as place:
        encoding = _encoding(data, args, Path(place))
    result, seconds = _timed(data, args, encoders=FROZEN, strategies=features[:1] if args.quick else features)
    heads = sum(row.fit_seconds for row in result.strategies if row.family in {"feature", "single"})
    benchmark.row(run="feature-level strategies, frozen encoders", strategies=len(features), seconds=seconds)
    benchmark.row(run="one encoding pass", strategies=0, seconds=encoding)
    benchmark.row(run="head trainings", strategies=len(features), seconds=heads)
    text = "all feature-level strategies, frozen encoders: seconds over head trainings plus one encoding pass"
    benchmark.claim(text, seconds / (heads + encoding), at_most=1.3)
    quick = {"encoders": QUICK, "strategies": ["model:average"]} if args.quick else {}
    result, seconds = _timed(data, args, **quick)
    benchmark.row(run="default strategies", strategies=len(result.strategies) - 1, seconds=seconds)
    benchmark.claim("default strategies on 12,000 rows: minutes", seconds / 60, at_most=10.0)
    benchmark.finish()


def _timed(data: Any, args: Any, **options: Any) -> tuple[Any, float]:
    """A comparison with an empty cache, and its seconds."""
    import fusible

    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        result = fusible.compare(data, "usage", seed=args.seeds[0], device=args.device, cache=cache, **options)
        return result, time.perf_counter() - start


def _encoding(data: Any, args: Any, cache: Path) -> float:
    """Seconds of decoding and encoding every view once."""
    from fusible.data.cache import ArrayCache
    from fusible.encoders._resolve import resolve
    from fusible.tasks.source import Source

    source = Source(data, cache=ArrayCache(cache), device=args.device)
    start = time.perf_counter()
    for name, view in data.views.items():
        source.feed(view, resolve(FROZEN[name], view.modality), encoded=True, tokens=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
