"""Pages and card of answers: escaped, whole, drawn where the values are."""

import re
from io import StringIO

import numpy as np
import pytest
from _page import ATTACK, Page
from rich.console import Console

from fusible.evaluation.answered import NEVER, Answer, Answered, Answers, Covered, Group, coverage_curve
from fusible.evaluation.explanation import Saliency
from fusible.evaluation.reliability import reliability
from fusible.evaluation.study import Difference, Score
from fusible.report.answers import answers_card, coverage_plot, print_answer, print_answers, render, render_answer
from fusible.types import Problem, Task

TASK = Task("binary", ("no", ATTACK))
VIEW = {
    "name": ATTACK, "modality": "image", "columns": ["photo"], "fused_through": "image_cnn", "reason": ATTACK,
    "coverage": 1.0,
}  # fmt: skip


@pytest.fixture
def answer(png):
    maps = [
        Saliency("photo", "photo", "patches", [[0.4, 0.0], [0.0, -0.1]]),
        Saliency("question", "question", "words", [0.2, 0.0], ["is ", f"{ATTACK}?"]),
    ]
    return Answer(
        "(no answer)", 0.6, True, [(ATTACK, 0.6), ("no", 0.4)], f"is {ATTACK}?", "is", 0.7, maps,
        {"photo": png(np.full((8, 8, 3), 90))}, notes=[ATTACK], command=f"fusible ask {ATTACK}",
    )  # fmt: skip


@pytest.fixture
def result(answer):
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.5, 1.0, 80)
    truth = (rng.random(80) < chance).astype(int)
    scores = np.stack([1 - chance, chance], axis=1)
    score = Score(0.8, 0.7, 0.9)
    return Answers(
        strategy="feature:film", baseline="single:question", verdict="helps", difference=Difference(0.2, 0.1, 0.3),
        statement=f"Fusion helps: {ATTACK}",
        rows=[Answered("feature:film", "chosen", score, 0.8, 3), Answered("single:question", "baseline", score, 0.6)],
        parts={"train": 300, "valid": 80, "test": 80}, unseen={"valid": 0, "test": 3}, answers=TASK.classes,
        question_types=[Group(ATTACK, 60, score, 0.5), Group("other", 20, score, 0.4)],
        answer_types=[Group("yes/no", 80, score, 0.6)], temperature=1.2, ece=0.03,
        bins=reliability(TASK, truth, scores),
        abstain=Covered(0.7, 0.6, 0.9), curve=coverage_curve(chance, truth == 1),
        views=[VIEW],
        notes=[ATTACK], problems=[Problem("unreadable", "photo", ATTACK)], command=f"fusible {ATTACK}",
        seconds={"single": 2.0, "total": 3.0}, versions={"fusible": "0"}, settings={"device": "cpu"},
        cases=[{"kind": "worst", "row": 4, "truth": "no", "answer": answer}],
    )  # fmt: skip


def test_the_page_of_a_fit_is_whole_and_escaped(result):
    text = render(result)
    page = Page(text)
    assert page.open == []
    assert "<script" not in text
    assert "src=x" not in text.replace("&lt;img src=x", "")
    shown = " ".join(" ".join(page.text).split())
    assert "3 with an answer never seen in training" in shown
    assert "Worst cases" in shown
    assert "Best cases" not in shown
    assert "truth: no · row 4" in shown
    assert "60.0 %" in shown
    assert not re.search(r'(?:src|href)="(?!data:)', text)


def test_the_page_of_an_answer_is_whole_and_escaped(answer):
    text = render_answer(answer)
    page = Page(text)
    assert page.open == []
    assert "<script" not in text
    assert "The answer is withheld: its confidence is below 70.0 %." in " ".join(" ".join(page.text).split())
    widths = [tag["style"] for tag in page.named("i")]
    assert widths == ["width:60.0%", "width:40.0%"]
    assert sum(tag.get("class") in {"for", "against"} for tag in page.named("rect")) == 4


def test_nothing_is_shaded_where_no_piece_matters(answer):
    answer.evidence = [Saliency("photo", "photo", "patches", [[1e-7, 0.0], [0.0, -1e-8]])]
    page = Page(render_answer(answer))
    assert {tag["fill-opacity"] for tag in page.named("rect")} == {"0.00"}


def test_an_answer_without_evidence_shows_picture_and_question(answer):
    answer.evidence = []
    page = Page(render_answer(answer))
    assert len(page.named("img")) == 1
    assert f"is {ATTACK}?" in page.text


def test_the_coverage_curve_stands_where_its_values_are():
    curve = [Covered(0.9, 0.25, 1.0), Covered(0.5, 1.0, 0.6)]
    page = Page(str(coverage_plot(curve, Covered(0.5, 1.0, 0.6))))
    dots = [(float(dot["cx"]), float(dot["cy"])) for dot in page.named("circle") if dot["class"] == "mean"]
    assert dots[0] == (70 + 0.25 * 360, 14.0)
    assert dots[1][0] == 70 + 360
    assert dots[1][1] > dots[0][1]
    (ring,) = [dot for dot in page.named("circle") if dot["class"] == "ring"]
    assert (float(ring["cx"]), float(ring["cy"])) == dots[1]
    assert "ring" not in str(coverage_plot(curve, Covered(NEVER, 0.0, None)))


def test_the_terminal_says_it_in_words(result, answer):
    console = Console(file=StringIO(), width=140, force_terminal=False)
    print_answers(result, console)
    print_answer(answer, console)
    said = console.file.getvalue()
    assert "60.0% of the test rows get one, 90.0% of these right." in " ".join(said.split())
    assert "(no answer)  60.0% sure, withheld below 70.0%" in said
    assert "words: is +0.200" in said


def test_the_card(result):
    result.command = "fusible ask fit t.csv"
    card = answers_card(result)
    assert "<script" not in card.replace("\\<script", "")
    assert "| feature:film | 0.800 | 0.700 to 0.900 |" in card.replace("\\", "")
    assert "3 test rows have an answer that the model does not know" in card
    result.abstain = Covered(NEVER, 0.0, None)
    assert "0.0% of the test rows get one, none of these right" in answers_card(result)
