"""Question and answer types by their rules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusible.tasks._answer_types import FEWEST, LONGEST, answer_type, question_type, question_types


def test_a_beginning_is_a_type_from_one_in_twenty_questions_on():
    questions = ["Is there a cat?"] * 5 + ["is there no dog"] * 4 + ["What colour is it?"] * 91
    assert question_types(questions) == ("is", "is there", "is there a", "what", "what colour", "what colour is")
    assert question_types([*questions, "Why?"]) == ("is", "is there", "what", "what colour", "what colour is")


def test_few_questions_make_no_types_of_their_own():
    assert question_types(["why?"] * (FEWEST - 1)) == ()
    assert question_types(["why?"] * FEWEST) == ("why",)
    assert question_types([]) == ()


def test_the_longest_known_beginning_decides():
    types = ("is", "is there", "what colour is")
    asked = ("Is there a dog?", "is it?", "WHAT colour is the dog", "what colour?", "", None, "?!", "红色")
    assert [question_type(one, types) for one in asked] == [
        "is there", "is", "what colour is", "other", "other", "other", "other", "other",
    ]  # fmt: skip


def test_scripts_without_spaces_begin_with_characters():
    types = question_types(["这是红色吗？"] * 6 + ["那是什么"] * 6)
    assert question_type("这是什么", types) == "这 是"
    assert question_type("那是什么颜色", types) == "那 是 什"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("is it?a红", max_size=8), max_size=30))
def test_types_are_beginnings_of_many_questions(questions):
    types = question_types(questions)
    for one in types:
        assert 1 <= len(one.split()) <= LONGEST
    for question in questions:
        assert question_type(question, types) in {*types, "other"}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("yes", "yes/no"), (" No ", "yes/no"), ("TRUE", "yes/no"), ("not", "other"), ("3", "number"),
        ("-2.5", "number"), ("1,000", "number"), ("50 %", "number"), ("twelve", "number"), ("one red cat", "other"),
        ("3 cats", "other"), ("red", "other"), ("", "other"), ("是", "other"),
    ],
)  # fmt: skip
def test_answer_types(answer, kind):
    assert answer_type(answer) == kind
