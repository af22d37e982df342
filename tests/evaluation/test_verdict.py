import pytest

from fusible.evaluation.study import Difference
from fusible.evaluation.verdict import statement, verdict


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.01, 0.03, "helps"), (-0.01, 0.03, "no evidence"), (0.0, 0.03, "no evidence"), (-0.03, -0.01, "hurts")],
)
def test_verdict_follows_the_interval(low, high, expected):
    assert verdict(Difference((low + high) / 2, low, high)) == expected


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (
            Difference(0.321, 0.3, 0.34),
            "Fusion helps: model:product beats single:text by 0.321 accuracy (95 % interval 0.300 to 0.340).",
        ),
        (
            Difference(-0.02, -0.03, -0.01),
            "Fusion hurts: model:product is behind single:text by 0.020 accuracy (95 % interval 0.010 to 0.030).",
        ),
        (
            Difference(0.002, -0.01, 0.014),
            "No evidence that fusion helps: model:product is 0.002 accuracy ahead of single:text on the test rows, "
            "but the 95 % interval, -0.010 to 0.014, includes no difference.",
        ),
        (
            Difference(-0.002, -0.014, 0.01),
            "No evidence that fusion helps: model:product is 0.002 accuracy behind single:text on the test rows, "
            "but the 95 % interval, -0.014 to 0.010, includes no difference.",
        ),
    ],
)
def test_statement_gives_the_size(difference, expected):
    assert statement(difference, metric="accuracy", auto="model:product", best_single="single:text") == expected


def test_statement_of_a_fall_back():
    said = statement(Difference(0, 0, 0), metric="accuracy", auto="single:text", best_single="single:text")
    assert said == "No evidence that fusion helps: auto fell back on the best single view, single:text."


def test_statement_of_large_units():
    said = statement(
        Difference(12345.6, 10000.4, 15000), metric="mae", auto="model:average", best_single="single:table"
    )
    assert "12,346 mean absolute error (95 % interval 10,000 to 15,000)" in said
