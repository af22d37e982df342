"""Fashion products from title and photo; TF-IDF of the title alone has .942 for usage and .886 for colour."""

from __future__ import annotations

from _harness import Benchmark, arguments, data_folder
from _tables import study

FASHION = ("master", "sub", "article", "colour", "usage")


def main() -> None:
    """Compare per seed, and judge the claims on means over seeds."""
    benchmark = Benchmark("fashion", arguments(__doc__))
    fashion(benchmark, "usage", at_least=0.94)
    fashion(benchmark, "colour")
    benchmark.finish()


def fashion(benchmark: Benchmark, target: str, at_least: float | None = None) -> None:
    """Title and photo -> one attribute, the others ignored."""
    path = data_folder("fashion") / "fashion.parquet"
    columns = {name: "category:ignore" for name in FASHION if name != target}
    outcome = study(benchmark, path, target, views=None, columns=columns)
    benchmark.claim(f"fashion {target}: accuracy of auto minus the best single view", outcome.gain, at_least=0.0)
    if at_least is not None:
        benchmark.claim(f"fashion {target}: accuracy of auto", outcome.score("auto"), at_least=at_least)


if __name__ == "__main__":
    main()
