"""The verdict on a view's encoder follows its paired interval."""

import json

from fusible.evaluation.balance import Balance, ViewBalance
from fusible.evaluation.study import Difference


def one(view, mean, low, high):
    return ViewBalance(view, "image_cnn", 0.8, 0.8 + mean, Difference(mean, low, high), use=0.1)


def test_a_view_is_starved_where_the_interval_is_under_zero():
    assert one("photo", -0.1, -0.15, -0.02).verdict == "starved"
    assert one("photo", -0.1, -0.25, 0.02).verdict == "fine"
    assert one("photo", 0.1, 0.05, 0.2).verdict == "fine"


def test_the_statement_names_starved_views_and_the_worst():
    found = Balance(
        "end_to_end:joint", "accuracy", 50,
        (one("photo", -0.1, -0.15, -0.02), one("note", -0.3, -0.4, -0.2), one("sound", 0.0, -0.1, 0.1)),
    )  # fmt: skip
    assert found.starved == ("photo", "note")
    assert found.statement.startswith(
        "end_to_end:joint starves 'photo' and 'note': the encoder of 'note' is 0.300 accuracy worse than trained alone "
        "(95 % interval 0.200 to 0.400)."
    )
    fine = Balance("end_to_end:joint", "accuracy", 50, (one("sound", 0.0, -0.1, 0.1),))
    assert fine.statement.startswith("No evidence that end_to_end:joint starves a view")


def test_json_is_plain():
    found = Balance("end_to_end:joint", "accuracy", 50, (one("photo", -0.1, -0.15, -0.02),)).to_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["starved"] == ["photo"]
    assert found["views"][0]["verdict"] == "starved"
    assert found["views"][0]["difference"]["high"] == -0.02
