"""House prices from four photos and attributes; a random forest on the attributes has R2 .62 for the log price."""

from __future__ import annotations

from _harness import Benchmark, arguments, data_folder
from _tables import study


def main() -> None:
    """Compare per seed, and judge the claims on means over seeds."""
    benchmark = Benchmark("houses", arguments(__doc__))
    houses(benchmark)
    benchmark.finish()


def houses(benchmark: Benchmark) -> None:
    """Four photos and attributes -> price."""
    path = data_folder("houses") / "houses.csv"
    outcome = study(benchmark, path, "price", views=None, columns=None)
    benchmark.claim("houses: R2 of auto minus the best single view", outcome.gain, at_least=-0.01)
    benchmark.claim("houses: R2 of the table alone", outcome.score("single:table"), at_least=0.62)


if __name__ == "__main__":
    main()
