"""The command line, in process, on small real media: pictures and questions of easy-VQA, photos of scikit-image."""

import json
import sys

import pandas as pd
import pytest
from _cases import call

import fusible
from fusible.apps.cli import main

COMMANDS = ("inspect", "compare", "fit", "predict", "evaluate", "align", "demo")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for the tables, studies and models of this module."""
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module", autouse=True)
def feature_cache(folder):
    """A feature cache of the module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FUSIBLE_CACHE", str(folder / "cache"))
        yield


@pytest.fixture(scope="module")
def table(folder):
    """CSV of 90 easy-VQA rows: picture, question, answer (yes or no)."""
    import easy_vqa

    paths = easy_vqa.get_train_image_paths()
    rows = [
        {"image": paths[image], "question": question, "answer": answer}
        for question, answer, image in zip(*easy_vqa.get_train_questions(), strict=True)
        if answer in {"yes", "no"}
    ][:90]
    pd.DataFrame(rows).to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


CHEAP = ("--encoder", "question=text_tfidf", "--encoder", "image=image_efficientnet")
FEW = (*CHEAP, "--strategy", "single:image", "--strategy", "single:question", "--strategy", "model:average")


@pytest.fixture(scope="module")
def study(folder, table):
    """A study folder, and what `compare --json` printed."""
    import io
    from contextlib import redirect_stdout

    output = folder / "study"
    with redirect_stdout(io.StringIO()) as printed:
        main_quietly(["compare", str(table), "--target", "answer", "-o", str(output), "--json", *FEW])
    return output, printed.getvalue()


def main_quietly(arguments):
    """Run the command line, which must succeed."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert not end.value.code


def test_help_names_every_command(capsys):
    code, out, _ = call(capsys, "--help")
    assert code == 0
    assert all(command in out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys, command):
    code, out, _ = call(capsys, command, "--help")
    assert code == 0
    assert f"fusible {command}" in out


def test_version(capsys):
    assert call(capsys, "--version") == (0, f"fusible {fusible.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "error: No such command 'nonsense'; see fusible -h\n"),
        (["compare", "x.csv"], "error: Missing option '--target' / '-t'; see fusible compare -h\n"),
        (["inspect"], "error: Missing argument 'DATA'; see fusible inspect -h\n"),
        (["predict", "m", "d", "--bad"], "--bad"),
        (["search", "INDEX", "--text", "red", "--k", "0"], "'--k' / '-k': "),
        (["inspect", "x.csv", "y.csv"], "y.csv"),
    ],
)
def test_wrong_usage_is_one_line_and_2(capsys, arguments, words):
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.startswith("error: ")
    assert err.endswith(" -h\n")
    assert err.count("\n") == 1


def test_no_arguments_show_help(capsys):
    code, out, err = call(capsys)
    assert (code, err) == (2, "")
    assert "Usage: fusible" in out
    assert call(capsys, "inspect", "-h")[0] == 0


def test_inspect_prints_one_object(capsys, table):
    code, out, _ = call(capsys, "inspect", table, "--target", "answer", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["rows"] == 90
    columns = {column["name"]: column for column in found["columns"]}
    assert columns["image"]["modality"] == "image"
    assert columns["question"]["modality"] == "text"
    assert all(column["reason"] for column in columns.values())


def test_inspect_counts_an_unreadable_photo(capsys, tmp_path):
    from skimage import data, io

    for name in ("coffee", "astronaut", "rocket"):
        io.imsave(tmp_path / f"{name}.jpg", getattr(data, name)()[::8, ::8], check_contrast=False)
    whole = (tmp_path / "rocket.jpg").read_bytes()
    (tmp_path / "rocket.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "t.csv").write_text("photo,price\ncoffee.jpg,1.5\nastronaut.jpg,2.5\nrocket.jpg,3.5\n")
    code, out, _ = call(capsys, "inspect", tmp_path / "t.csv", "--json")
    assert code == 0
    bad = [problem for problem in json.loads(out)["problems"] if "rocket.jpg" in problem["message"]]
    assert [problem["column"] for problem in bad] == ["photo"]


def test_inspect_takes_overrides(capsys, table):
    _, out, _ = call(capsys, "inspect", table, "--column", "question=category", "--json")
    columns = {column["name"]: column["modality"] for column in json.loads(out)["columns"]}
    assert columns["question"] == "category"


def test_inspect_prints_a_table_for_people(capsys, table):
    code, out, _ = call(capsys, "inspect", table)
    assert code == 0
    assert "question" in out
    assert "image" in out


def test_compare_prints_one_object_as_documented(study):
    _, printed = study
    found = json.loads(printed)
    assert {"task", "metric", "rows", "strategies", "best_single", "auto", "verdict", "difference"} <= set(found)
    assert found["task"] == "binary"
    assert sum(found["rows"].values()) == 90
    names = [strategy["name"] for strategy in found["strategies"]]
    assert {"single:image", "single:question", "model:average", "auto"} == set(names)
    for strategy in found["strategies"]:
        assert 0 <= strategy["test"]["low"] <= strategy["test"]["score"] <= strategy["test"]["high"] <= 1
    assert found["verdict"] in {"helps", "no evidence", "hurts"}
    assert found["command"].startswith("fusible compare ")


def test_compare_writes_report_and_model_whole(study, folder):
    output, _ = study
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "model:average" in page
    assert (output / "best" / "config.yaml").is_file()
    assert (output / "best" / "weights.safetensors").is_file()
    assert not [path for path in folder.iterdir() if path.name.startswith((".study", "study."))]


def test_compare_with_the_same_seed_gives_the_same_scores(capsys, study, table):
    _, printed = study
    _, out, _ = call(capsys, "compare", table, "--target", "answer", "--json", *FEW)
    first, second = json.loads(printed), json.loads(out)
    assert [s["test"] for s in first["strategies"]] == [s["test"] for s in second["strategies"]]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".jsonl"])
def test_predict_writes_what_the_model_predicts(capsys, study, table, tmp_path, suffix):
    code, out, _ = call(capsys, "predict", study[0] / "best", table, "-o", tmp_path / f"out{suffix}")
    assert (code, out) == (0, "")
    read = {
        ".csv": pd.read_csv,
        ".tsv": lambda path: pd.read_csv(path, sep="\t"),
        ".parquet": pd.read_parquet,
        ".jsonl": lambda path: pd.read_json(path, lines=True),
    }[suffix]
    expected = fusible.load(study[0] / "best").predict(table)
    pd.testing.assert_frame_equal(read(tmp_path / f"out{suffix}"), expected, check_dtype=False, rtol=1e-9)
    assert list(expected.columns) == ["prediction", "probability_no", "probability_yes"]
    assert len(expected) == 90


def test_predict_prints_csv(capsys, study, table):
    code, out, _ = call(capsys, "predict", study[0] / "best", table, "-o", "-")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "prediction,probability_no,probability_yes"
    assert len(lines) == 91


def test_predict_needs_no_target_column(capsys, study, table, tmp_path):
    frame = pd.read_csv(table)
    frame.drop(columns="answer").to_csv(tmp_path / "new.csv", index=False)
    _, with_target, _ = call(capsys, "predict", study[0] / "best", table, "-o", "-")
    _, without, _ = call(capsys, "predict", study[0] / "best", tmp_path / "new.csv", "-o", "-")
    assert without == with_target


def test_evaluate_prints_scores(capsys, study, table):
    code, out, _ = call(capsys, "evaluate", study[0] / "best", table, "--json")
    assert code == 0
    assert isinstance(json.loads(out), dict)
    code, out, _ = call(capsys, "evaluate", study[0] / "best", table)
    assert code == 0
    assert "accuracy" in out


def test_fit_writes_a_model_folder(capsys, folder, table):
    code, out, _ = call(
        capsys, "fit", table, "--target", "answer", "--strategy", "single:question", *CHEAP, "-o", folder / "model"
    )
    assert code == 0
    assert str(folder / "model") in out
    assert len(fusible.load(folder / "model").predict(table)) == 90


def test_demo_passes_what_it_is_given(capsys, monkeypatch, tmp_path):
    calls = []

    class Result:
        def to_json(self):
            return {"verdict": "helps"}

    def demo(**options):
        calls.append((options["output"], options["seed"], options["command"]))
        print("chatter")  # noqa: T201
        return Result()

    monkeypatch.setattr(fusible, "demo", demo)
    code, out, _ = call(capsys, "demo", "-o", tmp_path / "d", "--seed", 3, "--json")
    assert (code, json.loads(out)) == (0, {"verdict": "helps"})
    assert calls == [(tmp_path / "d", 3, f"fusible demo -o {tmp_path / 'd'} --seed 3 --json")]


BAD = {
    "missing file": (["inspect", "missing.csv"], "missing.csv"),
    "unknown target": (["compare", "TABLE", "--target", "anser", "-o", "STUDY"], "anser"),
    "unknown column": (["inspect", "TABLE", "--column", "quest=text"], "quest"),
    "unknown modality": (["inspect", "TABLE", "--column", "question=smell"], "smell"),
    "malformed column": (["inspect", "TABLE", "--column", "question"], "--column"),
    "unknown encoder": (["compare", "TABLE", "--target", "answer", "--encoder", "question=bert"], "bert"),
    "unknown view": (["compare", "TABLE", "--target", "answer", "--encoder", "q=text_tfidf"], "'q'"),
    "unknown strategy": (["compare", "TABLE", "--target", "answer", "--strategy", "model:ballot"], "ballot"),
    "unknown metric": (["compare", "TABLE", "--target", "answer", "--metric", "beauty", "-o", "STUDY"], "beauty"),
    "missing model": (["predict", "no-model", "TABLE", "-o", "-"], "no-model"),
    "unknown format": (["predict", "no-model", "TABLE", "-o", "out.xlsx"], "out.xlsx"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_the_user_can_mend_is_one_line_and_2(capsys, table, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    arguments, named = BAD[name]
    places = {"TABLE": table, "STUDY": tmp_path / "study"}
    code, out, err = call(capsys, *(places.get(argument, argument) for argument in arguments))
    assert (code, out) == (2, "")
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert err.endswith(errors[0] + "\n")
    assert named in errors[0]
    assert list(tmp_path.iterdir()) == []


def test_a_defect_is_not_hidden(monkeypatch, table):
    def broken(*_, **__):
        raise RuntimeError("defect")

    monkeypatch.setattr(fusible, "inspect", broken)
    with pytest.raises(RuntimeError, match="defect"):
        main(["inspect", str(table)])


def test_arguments_default_to_those_of_the_process(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["fusible", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out.startswith("fusible ")
