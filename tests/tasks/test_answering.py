"""`fit_answers` on a planted problem, its baselines and types, and tables that it refuses."""

import json

import numpy as np
import pandas as pd
import pytest
from _asked import ENCODERS, brief, fitted, write_asked

from fusible.errors import ConfigError, DataError, FusibleError, SchemaError, TargetError
from fusible.tasks._answer_data import read_answers, together
from fusible.tasks._answer_score import FREQUENT, FREQUENT_BY_TYPE
from fusible.tasks.answering import CANDIDATES, fit_answers
from fusible.types import Modality, View, ViewData


@pytest.fixture(scope="module")
def made(tmp_path_factory, png):
    return fitted(tmp_path_factory, png)


@pytest.fixture(scope="module")
def frame(made):
    return pd.read_csv(made[0])


def test_fusing_helps_where_neither_view_suffices(made):
    result = made[1]
    assert result.verdict == "helps"
    assert result.statement.startswith(f"Fusion helps: {result.strategy} beats {result.baseline} by ")
    assert result.accuracy > 0.9
    assert {row.kind for row in result.rows} == {"chosen", "candidate", "baseline"}
    assert {row.name for row in result.rows if row.kind == "baseline"} == {
        "single:picture", "single:question", FREQUENT, FREQUENT_BY_TYPE,
    }  # fmt: skip
    assert max(row.test.score for row in result.rows if row.kind == "baseline") < 0.75


def test_the_best_on_validation_rows_is_kept(made):
    result = made[1]
    fused = [row for row in result.rows if row.kind in {"chosen", "candidate"}]
    assert result.row(result.strategy).valid == max(row.valid for row in fused)
    blind = [row for row in result.rows if row.kind == "baseline"]
    assert result.row(result.baseline).valid == max(row.valid for row in blind)


def test_an_answer_that_training_never_saw_counts_as_wrong(made, frame):
    result = made[1]
    assert result.unseen == {"valid": 0, "test": 1}
    assert "purple" not in result.answers
    assert result.parts["test"] == (frame.split == "test").sum()
    given = result.answerer.predict(made[0], abstain=0)
    test = (frame.split == "test").to_numpy()
    truth = frame.answer.str.strip().str.lower()
    assert result.accuracy == pytest.approx((given.best.str.lower() == truth)[test].mean())
    assert result.accuracy < 1.0


def test_spellings_that_differ_in_case_and_blanks_are_one_answer(made):
    assert [answer.lower() for answer in result_answers(made)] == ["blue", "green", "no", "red", "yes"]


def result_answers(made):
    return sorted(made[1].answers, key=str.lower)


def test_frequent_answers_are_shares_of_training_rows(made, frame):
    result = made[1]
    truth = frame.answer.str.strip().str.lower()
    train, test = frame.split == "train", frame.split == "test"
    top = truth[train].value_counts().max()
    tied = {answer for answer, count in truth[train].value_counts().items() if count == top}
    hits = {(truth[test] == answer).mean() for answer in tied}
    assert any(result.row(FREQUENT).test.score == pytest.approx(hit) for hit in hits)
    assert result.row(FREQUENT_BY_TYPE).test.score >= result.row(FREQUENT).test.score


def test_groups_divide_the_test_rows(made, frame):
    result = made[1]
    rows = int((frame.split == "test").sum())
    for groups in (result.question_types, result.answer_types):
        assert sum(group.rows for group in groups) == rows
        assert sum(group.rows * group.test.score for group in groups) == pytest.approx(rows * result.accuracy)
    kinds = {group.name: group.rows for group in result.answer_types}
    assert set(kinds) == {"yes/no", "other"}
    assert {"what colour is"} <= {group.name for group in result.question_types}


def test_the_threshold_keeps_its_promise_on_validation_rows(made, frame):
    result = made[1]
    given = result.answerer.predict(made[0])
    valid = (frame.split == "valid").to_numpy()
    shown = given[valid & ~given.abstained]
    truth = frame.answer.str.strip().str.lower()[shown.index]
    assert (shown.best.str.lower() == truth).mean() >= 0.9
    assert result.abstain.threshold == result.answerer.rules.threshold


def test_the_result_as_json_and_in_words(made):
    result = made[1]
    plain = json.loads(json.dumps(result.to_json()))
    assert plain["accuracy"] == result.accuracy
    assert plain["curve"][-1]["coverage"] == 1.0
    assert {case["kind"] for case in plain["cases"]} <= {"worst", "best"}
    assert len(result.frame) == len(result.rows)
    assert repr(result).startswith(result.statement)
    with pytest.raises(KeyError, match="expected one of"):
        result.row("nobody")


def test_cases_are_what_they_say(made):
    for case in made[1].cases:
        right = case["answer"].best == case["truth"]
        assert right == (case["kind"] == "best")
        assert {one.kind for one in case["answer"].evidence} <= {"patches", "words"}


def test_rows_that_share_a_picture_stay_together(png, tmp_path):
    path = write_asked(tmp_path, png)
    frame = pd.read_csv(path).drop(columns="split")
    frame["picture"] = _at(tmp_path, frame.picture)
    table = read_answers(frame, "picture", "question", "answer", seed=3)
    ids = table.context.source.data(table.image).ids[:, 0]
    parts = [set(ids[rows][ids[rows] >= 0]) for rows in table.split.parts.values()]
    assert sum(map(len, parts)) == len(set(ids[ids >= 0]))


def test_rare_answers_are_unseen_by_chance():
    frame = small(
        q=[f"is it {i}?" for i in range(24)] * 4, a=(["yes", "no"] * 6 + [f"rare {i}" for i in range(12)]) * 4
    )
    frame["a"] = [answer if answer in {"yes", "no"} else f"{answer} {i}" for i, answer in enumerate(frame.a)]
    table = read_answers(frame, "p", "q", "a")
    rare = frame.index[frame.a.str.startswith("rare")]
    for rows in table.split.parts.values():
        assert 0.2 < np.isin(rows, rare).mean() < 0.8
    assert (table.truth[table.split.test] < 0).any()


def test_pictures_link_rows_through_others():
    data = ViewData(
        View("p", Modality.IMAGE, ("a", "b")), np.array([[0, 1], [1, 2], [3, -1], [-1, -1], [3, 4]]), [0] * 5
    )
    assert together(data).tolist() == [0, 0, 1, 2, 1]


def test_the_most_frequent_answers_are_kept(made):
    table = read_answers(made[0], "picture", "question", "answer", answers=2)
    assert set(table.context.task.classes) == {"yes", "no"}
    assert (table.truth[table.split.test] == -1).sum() == 14
    assert (table.truth[table.context.split.test] >= 0).all()


def test_several_pictures_per_question(png, tmp_path):
    path = write_asked(tmp_path, png, pictures=45)
    table = pd.read_csv(path)
    table["second"] = table.picture.shift(3)
    with brief():
        result = fit_answers(
            table.assign(picture=_at(tmp_path, table.picture), second=_at(tmp_path, table.second)),
            ["picture", "second"], "question", "answer", strategies=["feature:sum"],
            encoders={"images": "image_efficientnet", "question": "text_tfidf"}, cache=tmp_path / "cache",
        )  # fmt: skip
    assert [view["columns"] for view in result.views] == [["picture", "second"], ["question"]]
    answerer = result.answerer
    assert answerer.rules.images == ("picture", "second")
    both = answerer.ask([str(tmp_path / "3.png"), str(tmp_path / "4.png")], "what colour is it?")
    one = answerer.ask([str(tmp_path / "3.png"), None], "what colour is it?")
    assert both.confidence != one.confidence
    with pytest.raises(SchemaError, match=r"expected 2 \(picture, second\), got 1"):
        answerer.ask(str(tmp_path / "3.png"), "what colour is it?")


def _at(folder, cells):
    return cells.map(lambda cell: f"{folder}/{cell}" if isinstance(cell, str) else None)


def test_the_default_candidates_exist():
    from fusible.tasks.strategies import plan

    found = plan(CANDIDATES, 2)
    assert len(found.features) + len(found.rules) + len(found.networks) == len(CANDIDATES)


def small(**changed):
    rows = {"p": ["a.png", "b.png"] * 12, "q": ["is it so?", "why is it?"] * 12, "a": ["yes", "no"] * 12}
    times = max(len(cells) for cells in changed.values()) // 24 if changed else 1
    return pd.DataFrame({name: cells * times for name, cells in rows.items()} | changed)


@pytest.mark.parametrize(
    ("frame", "given", "kind", "words"),
    [
        (small(), {"image": []}, SchemaError, "expected one column for the question"),
        (small(), {"question": "p"}, SchemaError, "each once"),
        (small(), {"question": "asked"}, SchemaError, "asked"),
        (small(), {"answer": "said"}, FusibleError, "said"),
        (small(), {"strategies": []}, ConfigError, "expected names such as"),
        (small(), {"strategies": ["default"]}, ConfigError, "expected names such as"),
        (small(), {"strategies": ["feature:nothing"]}, FusibleError, "nothing"),
        (small(), {"abstain": 1.2}, ConfigError, "a confidence from 0 to 1"),
        (small(), {"accuracy": 0.0}, ConfigError, "a share above 0"),
        (small(), {"accuracy": 0.9, "abstain": 0.5}, ConfigError, "expected one of both"),
        (small(), {"answers": 1}, ConfigError, "at least 2"),
        (small(a=[None] * 24), {}, TargetError, "every cell is null"),
        (small(a=["yes"] * 24), {}, TargetError, "got only 'yes'"),
        (small(a=[["yes", "no"]] * 24), {}, TargetError, "expected one answer per row"),
        (small(a=[str(i) for i in range(24)]), {}, TargetError, "no validation row has an answer that training saw"),
        (small(p=[None] * 24), {}, DataError, "no training row has a readable cell"),
        (small(q=[" "] * 24), {}, DataError, "no training row has a readable cell"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(frame, given, kind, words, tmp_path, png, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(png(np.full((8, 8, 3), 90)))
    named = {"image": "p", "question": "q", "answer": "a", "cache": tmp_path / "cache"} | given
    with pytest.raises(kind, match=words) as caught:
        fit_answers(frame, named.pop("image"), named.pop("question"), named.pop("answer"), **named)
    assert "\n" not in str(caught.value)


def test_a_view_alone_is_no_fusion(made):
    with brief():
        result = fit_answers(
            made[0], "picture", "question", "answer", strategies=["single:question"], encoders=ENCODERS,
            cache=made[0].parent / "cache",
        )  # fmt: skip
    assert result.verdict == "no evidence"
    assert result.statement == "Nothing is fused: single:question was named, and answers by one view alone."
    assert result.strategy != result.baseline
    assert result.abstain is None
    asked = result.answerer.ask(str(made[0].parent / "3.png"), "is it red?")
    assert asked.best in {"yes", "no"}
