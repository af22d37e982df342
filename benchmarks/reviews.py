"""Reviews, recommended or not, from text and attributes; TF-IDF has F1 .950, a plain stack with trees .9645."""

from __future__ import annotations

from _harness import Benchmark, arguments, data_folder
from _tables import study


def main() -> None:
    """Compare per seed, and judge the claims on means over seeds."""
    benchmark = Benchmark("reviews", arguments(__doc__))
    reviews(benchmark)
    benchmark.finish()


def reviews(benchmark: Benchmark) -> None:
    """Title and text, and attributes with the rating -> recommended or not."""
    path = data_folder("womens_clothing") / "reviews.parquet"
    columns = {"clothing_id": ":ignore"}
    views = {"text": ["title", "review_text"]}
    outcome = study(benchmark, path, "recommended_ind", views=views, columns=columns, metric="f1")
    benchmark.claim("reviews: F1 of the text alone", outcome.score("single:text"), at_least=0.950)
    benchmark.claim("reviews: F1 of the table alone", outcome.score("single:table"), at_least=0.955)
    benchmark.claim("reviews: F1 of auto", outcome.score("auto"), at_least=0.968)
    benchmark.claim("reviews: average precision of auto", outcome.metric("average_precision"), at_least=0.995)


if __name__ == "__main__":
    main()
