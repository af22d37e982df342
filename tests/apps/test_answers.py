"""`fusible ask fit` and `fusible ask` in process: results, pages, one line and exit code 2 for bad input."""

import json

import pytest
import typer
from _asked import ENCODERS, brief, write_asked
from _cases import call
from _page import Page

import fusible
from fusible.apps import answers
from fusible.tasks.answerer import load_answerer


@pytest.fixture(scope="module")
def place(tmp_path_factory, png):
    """A folder with a table, its pictures, a model and the page of its fit."""
    folder = tmp_path_factory.mktemp("ask")
    write_asked(folder, png, pictures=45)
    with brief():
        answers.fit_answers(
            folder / "table.csv", "picture", "question", "answer", strategies=["feature:multiply"], encoders=ENCODERS,
            output=folder / "model", html=folder / "fit.html", cache=folder / "cache", command="fusible ask fit t.csv",
        )  # fmt: skip
    return folder


def columns(data):
    return ("ask", "fit", data, "--image", "picture", "--question", "question", "--answer", "answer")


def test_fit_prints_one_object_and_writes_the_model(capsys, place, tmp_path):
    with brief():
        code, out, err = call(
            capsys, *columns(place / "table.csv"), "-o", tmp_path / "model", "--strategy", "single:question",
            "--encoder", "question=text_tfidf", "--encoder", "picture=image_efficientnet", "--abstain", 0.4,
            "--cache", place / "cache", "--json",
        )  # fmt: skip
    assert code == 0, err
    found = json.loads(out)
    assert found["abstain"]["threshold"] == 0.4
    assert found["command"].startswith("fusible ask fit ")
    assert found["cases"] == []
    assert load_answerer(tmp_path / "model").rules.threshold == 0.4
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    assert "single:question" in card
    assert f"{found['accuracy']:.3f}" in card


def test_fit_in_the_terminal(capsys, place, tmp_path):
    with brief():
        code, out, err = call(
            capsys, *columns(place / "table.csv"), "-o", tmp_path / "model", "--strategy", "single:picture",
            "--encoder", "question=text_tfidf", "--encoder", "picture=image_efficientnet",
            "--cache", place / "cache",
        )  # fmt: skip
    assert code == 0, err
    assert "Nothing is fused: single:picture was named" in " ".join(out.split())
    assert "most frequent answer" in out
    assert f"model: {tmp_path / 'model'}" in out.replace("\n", "")


def test_the_page_of_a_fit(place):
    page = Page((place / "fit.html").read_text("utf-8"))
    text = " ".join(" ".join(page.text).split())
    assert page.open == []
    assert "Fusion helps: feature:multiply beats" in text
    for heading in ("Ways of answering", "By type", "Is the confidence true?", "Best cases"):
        assert heading in text
    assert any(image["src"].startswith("data:image/png;base64,") for image in page.named("img"))
    assert "patches" in {tag.get("class") for tag in page.named("div")}


def test_asking(capsys, place):
    code, out, err = call(capsys, "ask", place / "model", place / "6.png", "what colour is it?")
    assert code == 0, err
    assert out.lower().startswith("red ")
    code, out, err = call(capsys, "ask", "--json", place / "model", place / "6.png", "is it red?")
    assert code == 0, err
    found = json.loads(out)
    assert found["answer"] == "yes"
    assert not found["abstained"]
    assert found["evidence"] == []
    code, out, _ = call(capsys, "ask", place / "model", place / "6.png", "is it red?", "--abstain", "1.0", "--json")
    held = json.loads(out)
    assert (held["answer"], held["abstained"], held["confidence"]) == ("(no answer)", True, found["confidence"])


def test_asking_with_a_page(capsys, place, tmp_path):
    with brief():
        code, out, err = call(
            capsys, "ask", place / "model", place / "6.png", "is it red?", "--abstain", "0.99999", "--html",
            tmp_path / "one.html",
        )  # fmt: skip
    assert code == 0, err
    assert "(no answer)" in out
    assert "withheld below" in out
    page = Page((tmp_path / "one.html").read_text("utf-8"))
    text = " ".join(" ".join(page.text).split())
    assert page.open == []
    assert "is it red? — (no answer)" in text
    assert "fusible ask" in text
    assert "picture: row " in out


def test_help_names_both_forms(capsys):
    code, out, _ = call(capsys, "ask", "--help")
    assert code == 0
    assert "ask fit DATA" in " ".join(out.split())
    assert "ask MODEL IMAGE" in " ".join(out.split())
    assert call(capsys, "ask", "model", "--help")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere.png", "is it red?"), "no such file"),
        (("bad.png", "is it red?"), "not a readable image"),
        (("6.png", " "), "ask something"),
        (("6.png",), "expected a picture and then a question"),
        (("6.png", "7.png", "is it red?"), "pictures: expected 1 (picture), got 2"),
        (("6.png", "is it red?", "--abstain", "2"), "expected a confidence from 0 to 1"),
        (("6.png", "is it red?", "--html", "no/where.html"), "does not exist; create it"),
        (("6.png", "is it red?", "--html", "."), "expected a file to write, got a folder"),
        (("6.png", "7.png"), "put the question last"),
    ],
)
def test_bad_questions_end_with_2_and_one_line(capsys, place, monkeypatch, arguments, words):
    monkeypatch.chdir(place)
    code, out, err = call(capsys, "ask", "model", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.strip().splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--abstain", "0.5", "--accuracy", "0.9"), "expected one of both"),
        (("--strategy", "feature:nothing"), "nothing"),
        (("--html", "no/where.html"), "does not exist; create it"),
        (("--html", "."), "expected a file to write, got a folder"),
        (("--answers", "1"), "at least 2"),
    ],
)
def test_a_bad_fit_ends_with_2_and_one_line(capsys, place, tmp_path, arguments, words):
    code, out, err = call(capsys, *columns(place / "table.csv"), "-o", tmp_path / "model", *arguments)
    assert (code, out) == (2, "")
    assert words in err.strip().splitlines()[-1]
    assert not (tmp_path / "model").exists()


def test_a_place_that_cannot_be_written_is_refused_at_once(capsys, place):
    code, out, err = call(capsys, *columns(place / "table.csv"), "-o", "/proc/nowhere/model")
    assert (code, out) == (2, "")
    assert "/proc/nowhere/model: cannot be written" in err.strip().splitlines()[-1]


def test_a_folder_of_answers_is_evaluated_as_it_was_fitted(capsys, place):
    code, out, _ = call(capsys, "evaluate", place / "model", place / "table.csv", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["metric"] == "accuracy"
    assert found["metrics"]["exact"] == pytest.approx(found["score"]["score"])


def test_what_is_no_answerer_is_refused(capsys, tmp_path):
    code, _, err = call(capsys, "ask", tmp_path / "model", "a.png", "is it?")
    assert code == 2
    assert "expected a model folder" in err
    (tmp_path / "taken").write_text("mine")
    code, _, err = call(capsys, *columns(tmp_path / "t.csv"), "-o", tmp_path / "taken")
    assert code == 2
    assert "got a file" in err


def test_the_folder_is_a_plain_model(place):
    assert fusible.load(place / "model").node.name == "feature:multiply"


def test_the_group_is_a_typer_app():
    assert isinstance(answers.ask, typer.Typer)


def test_generated_answers(capsys, tmp_path):
    """Answers that are written word by word: fitted by `ask fit --generate`, asked like the others."""
    from _told import told

    frame = told(60).drop(columns="tone")
    for row, photo in enumerate(frame["photo"]):
        (tmp_path / f"{row}.png").write_bytes(photo)
    frame["photo"] = [f"{row}.png" for row in range(len(frame))]
    frame["asked"] = "which colour?"
    frame["reply"] = [text.split()[1] for text in frame["said"]]
    frame.drop(columns="said").to_csv(tmp_path / "table.csv", index=False)
    place = tmp_path / "out"
    shared = ("ask", "fit", tmp_path / "table.csv", "--image", "photo", "--question", "asked", "--answer", "reply")
    code, out, err = call(
        capsys, *shared, "-o", place, "--generate", "--encoder", "photo=image_cnn", "--encoder", "asked=text_gru"
    )
    assert code == 0, err
    assert "exact texts" in out
    code, out, err = call(capsys, "ask", place, tmp_path / "0.png", "which colour?", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["answer"] in set(frame["reply"])
    assert 0 < found["confidence"] <= 1
    for arguments, said in (
        (("ask", place, tmp_path / "0.png", " "), "question: expected words"),
        (("ask", place, tmp_path / "0.png", tmp_path / "1.png", "which?"), "expected 1 files"),
        (("ask", place, tmp_path / "0.png", "which?", "--abstain", "0.5"), "answers that are chosen"),
        (("ask", place, tmp_path / "none.png", "which?"), "none.png"),
        ((*shared, "-o", place, "--generate", "--accuracy", "0.9"), "--accuracy: goes with answers that are chosen"),
        ((*shared, "-o", place, "--generate", "--answers", "5"), "--answers: goes with answers that are chosen"),
    ):
        code, out, err = call(capsys, *arguments)
        assert (code, out) == (2, "")
        assert said in err


def test_wrong_usage_names_the_command_that_people_know(capsys, tmp_path):
    code, out, err = call(capsys, "ask", tmp_path)
    assert (code, out) == (2, "")
    assert err.endswith("; see fusible ask -h\n")
