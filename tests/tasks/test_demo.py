"""The demonstration's table is the author's data, split as he split it."""

import easy_vqa
import pytest

from fusible.errors import MissingExtraError
from fusible.tasks.demo import VALID_EVERY, easy_vqa_table


@pytest.fixture(scope="module")
def table():
    return easy_vqa_table()


def test_the_official_test_questions_are_the_test_part(table):
    questions, answers, pictures = easy_vqa.get_test_questions()
    test = table[table["split"] == "test"]
    assert test["question"].tolist() == list(questions)
    assert test["answer"].tolist() == list(answers)
    paths = easy_vqa.get_test_image_paths()
    assert test["image"].tolist() == [str(paths[i]) for i in pictures]


def test_every_training_question_is_used_and_pictures_are_in_one_part(table):
    questions, *_ = easy_vqa.get_train_questions()
    rest = table[table["split"] != "test"]
    assert len(table) == 48_248
    assert rest["question"].tolist() == list(questions)
    assert (table.groupby("image")["split"].nunique() == 1).all()
    assert (table.groupby("group")["split"].nunique() == 1).all()
    assert table["group"].nunique() == 5_000
    valid = rest[rest["split"] == "valid"]["group"].nunique()
    assert valid == 4_000 // VALID_EVERY


def test_a_limit_keeps_pictures_with_all_their_questions(table):
    few = easy_vqa_table(limit=20)
    assert few["group"].nunique() == 40
    whole = table[table["group"].isin(few["group"])]
    assert few["question"].tolist() == whole["question"].tolist()
    assert set(few["split"]) == {"train", "valid", "test"}


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "easy_vqa", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fusible\[demo\]'"):
        easy_vqa_table()
