"""`fit_answers` on a planted problem, its baselines and types, and tables that it refuses."""

import json

import numpy as np
import pandas as pd
import pytest
from _asked import COLOURS, ENCODERS, brief, fitted, write_asked

import fusible
from fusible.errors import ConfigError, DataError, FusibleError, SchemaError, TargetError
from fusible.tasks._answer_data import read_answers
from fusible.tasks._answer_people import people_of
from fusible.tasks._answer_score import FREQUENT, FREQUENT_BY_TYPE
from fusible.tasks._blocks import together
from fusible.tasks.answering import CANDIDATES, fit_answers


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
    ids = table.context.source.data(table.images[0]).ids[:, 0]
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
    shown = np.array([[0, 1], [1, 2], [3, -1], [-1, -1], [3, 4]])
    assert together([shown]).tolist() == [0, 0, 1, 2, 1]
    assert together([shown, np.array([[0], [1], [2], [0], [3]])]).tolist() == [0, 0, 1, 0, 1]


def test_the_most_frequent_answers_are_kept(made):
    table = read_answers(made[0], "picture", "question", "answer", answers=2)
    assert set(table.context.task.classes) == {"yes", "no"}
    assert (table.truth[table.split.test] == -1).sum() == 14
    assert (table.truth[table.context.split.test] >= 0).all()


def test_several_pictures_per_question_keep_their_order(png, tmp_path):
    """Which of two pictures is red cannot be told by a set of them."""
    frame = pairs(tmp_path, png, 80)
    encoders = {"first": "image_efficientnet", "second": "image_efficientnet", "question": "text_tfidf"}
    with brief():
        result = fit_answers(
            frame, ["first", "second"], "question", "answer", strategies=["feature:concat"], encoders=encoders,
            cache=tmp_path / "cache",
        )  # fmt: skip
    assert [view["columns"] for view in result.views] == [["first"], ["second"], ["question"]]
    assert {"single:first", "single:second", "single:question"} <= {row.name for row in result.rows}
    assert result.accuracy > 0.9
    answerer = result.answerer
    assert answerer.rules.images == ("first", "second")
    red, blue = (frame[frame.answer == said].iloc[0] for said in ("yes", "no"))
    assert answerer.ask([red["first"], red["second"]], red.question).best == "yes"
    assert answerer.ask([blue["first"], blue["second"]], blue.question).best == "no"
    one = answerer.ask([red["first"], None], red.question)
    assert one.confidence != answerer.ask([red["first"], red["second"]], red.question).confidence
    with pytest.raises(SchemaError, match=r"expected 2 \(first, second\), got 1"):
        answerer.ask(red["first"], red.question)


def pairs(folder, png, rows):
    """Two pictures a row, one red and one blue, and the question whether the first one is red."""
    rng = np.random.default_rng(0)
    lines = []
    for i in range(rows):
        places = []
        for colour in ("red", "blue"):
            noise = rng.integers(-25, 25, (24, 24, 3))
            (folder / f"{colour}{i}.png").write_bytes(png(np.clip(np.array(COLOURS[colour]) + noise, 0, 255)))
            places.append(str(folder / f"{colour}{i}.png"))
        turned = bool(rng.integers(2))
        first, second = places[::-1] if turned else places
        question = f"is the first {('one', 'picture')[i % 2]} red?"
        lines.append({"first": first, "second": second, "question": question, "answer": "no" if turned else "yes"})
    return pd.DataFrame(lines)


def test_a_picture_in_every_row_holds_nothing_together(png, tmp_path):
    frame = pairs(tmp_path, png, 60)
    frame = pd.concat([frame, frame], ignore_index=True)
    frame["second"] = frame["second"].iloc[0]
    table = read_answers(frame, ["first", "second"], "question", "answer")
    parts = [set(frame["first"].iloc[rows]) for rows in table.split.parts.values()]
    assert sum(map(len, parts)) == len(set(frame["first"]))
    assert any("of 18 test rows show a picture" in note for note in table.context.notes)


def test_groups_of_the_table_and_pictures_are_kept_together(png, tmp_path):
    frame = pairs(tmp_path, png, 60)
    frame = pd.concat([frame, frame], ignore_index=True)
    frame["who"] = [f"g{i % 40}" for i in range(120)]
    table = read_answers(frame, "first", "question", "answer", columns={"who": "category:group"})
    for column in ("first", "who"):
        parts = [set(frame[column].iloc[rows]) for rows in table.split.parts.values()]
        assert sum(map(len, parts)) == len(set(frame[column]))
    for rest, fold in table.context.folds(table.context.split.train):
        assert not set(frame["first"].iloc[rest]) & set(frame["first"].iloc[fold])


def test_test_pictures_that_training_shows_are_counted(png, tmp_path):
    frame = pairs(tmp_path, png, 40)
    frame = pd.concat([frame, frame], ignore_index=True)
    frame["split"] = ["train"] * 50 + ["valid"] * 15 + ["test"] * 15
    notes = read_answers(frame, "first", "question", "answer").context.notes
    assert any("15 of 15 test rows show a picture that training rows show" in note for note in notes)


def test_several_people_answer_a_question(png, tmp_path):
    """Shares of what people say are learned; an answer earns its VQA accuracy."""
    frame = pairs(tmp_path, png, 80)
    other = {"yes": "no", "no": "yes"}
    frame["answer"] = [[said] * 7 + [other[said]] * 2 + ["it is"] for said in frame.answer]
    with brief():
        result = fit_answers(
            frame, ["first", "second"], "question", "answer", strategies=["feature:concat"], cases=1,
            encoders={"first": "image_efficientnet", "second": "image_efficientnet", "question": "text_tfidf"},
            cache=tmp_path / "cache",
        )  # fmt: skip
    result.answerer.save(tmp_path / "model")
    assert result.metric == "VQA accuracy"
    assert set(result.answers) == {"yes", "no", "it is"}
    assert result.accuracy > 0.9
    blind = result.row(FREQUENT).test.score
    assert 0.6 < blind < 0.95  # the lesser answer earns 0.6
    assert result.scores["vqa"] == pytest.approx(result.accuracy)
    assert result.scores["exact"] == 1.0
    asked = [result.answerer.ask([r["first"], r["second"]], r.question) for _, r in frame.iloc[:8].iterrows()]
    assert min(dict(one.top)[answer] for one in asked for answer in ("yes", "no")) > 0.03  # none is forgotten
    scored = fusible.evaluate(tmp_path / "model", frame)
    assert scored["metric"] == "VQA accuracy"
    assert scored["rows"] == 80
    columns = pd.DataFrame(frame.answer.tolist(), columns=[f"a{i}" for i in range(10)])
    table = read_answers(
        pd.concat([frame.drop(columns="answer"), columns], axis=1), ["first", "second"], "question", list(columns)
    )
    listed = read_answers(frame, ["first", "second"], "question", "answer")
    assert table.people == listed.people
    assert (table.gains != listed.gains).nnz == 0
    soft = table.context.tensor()
    assert soft.shape == (80, 3)
    np.testing.assert_allclose(soft.sum(dim=1), 1.0, atol=1e-6)
    row = soft[0].numpy()[np.argsort(table.context.task.classes)]
    assert sorted(row.round(4)) == pytest.approx(sorted(np.array([0.3, 1.0, 0.6]) / 1.9), abs=1e-4)


def test_one_person_a_row_is_the_accuracy_of_classes(made):
    table = read_answers(made[0], "picture", "question", "answer")
    assert table.context.soft is None
    rows = np.arange(len(table.truth))
    known = table.truth >= 0
    assert table.earned(rows[known], table.truth[known]).min() == 1.0
    assert table.gains.sum() == known.sum()


def test_a_model_is_evaluated_as_it_was_fitted(made, frame):
    path, result = made
    test = frame[frame.split == "test"].assign(picture=_at(path.parent, frame.picture))
    found = result.answerer.evaluate(test)
    assert found["rows"] == len(test)
    assert found["score"]["score"] == pytest.approx(result.accuracy)
    floats = small(a=[1.0, 0.0] * 12)
    assert people_of(["a"], floats).cells[:2] == ["1", "0"]
    with pytest.raises(TargetError, match="expected the answers to score against"):
        result.answerer.evaluate(test.drop(columns="answer"))


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
        (small(a=[{"yes": 1}] * 24), {}, FusibleError, "a"),
        (small(), {"answers": 2.5}, ConfigError, "a whole number"),
        (small(), {"accuracy": "x"}, ConfigError, "a share above 0"),
        (small(), {"answer": []}, SchemaError, "expected one column for the question"),
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


def answered_by(made, *strategies):
    """What is fitted on the planted table with some strategies."""
    with brief():
        return fit_answers(
            made[0], "picture", "question", "answer", strategies=strategies, encoders=ENCODERS,
            cache=made[0].parent / "cache",
        )  # fmt: skip


def test_a_view_alone_is_no_fusion(made):
    result = answered_by(made, "single:question")
    assert result.verdict == "no evidence"
    assert result.statement == "Nothing is fused: single:question was named, and answers by one view alone."
    assert result.strategy != result.baseline
    assert result.abstain is None
    asked = result.answerer.ask(str(made[0].parent / "3.png"), "is it red?")
    assert asked.best in {"yes", "no"}


def test_naming_a_blind_view_leaves_it_a_rival(made):
    result = answered_by(made, "feature:multiply", "single:question", "single:picture")
    assert result.strategy == "feature:multiply"
    assert result.baseline == made[1].baseline


def test_a_model_of_pictures_alone_needs_no_questions(made):
    result = answered_by(made, "single:picture")
    bare = pd.read_csv(made[0])[["picture"]].assign(picture=lambda one: _at(made[0].parent, one.picture))
    assert result.answerer.predict(bare).question_type.eq("other").all()
