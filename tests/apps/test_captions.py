"""`fusible caption fit` and `caption run` in process: results, pages, one line and exit code 2 for bad input."""

import json

import pandas as pd
import pytest
from _cases import call
from _told import told

import fusible
import fusible.data.read
from fusible.data.files import load_file


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A table of pictures with sentences, its files, and the folder of what was fitted on it."""
    place = tmp_path_factory.mktemp("caption")
    frame = told(90).drop(columns="tone")
    for row, photo in enumerate(frame["photo"]):
        (place / f"{row}.png").write_bytes(photo)
    frame["photo"] = [f"{row}.png" for row in range(len(frame))]
    frame.to_csv(place / "table.csv", index=False)
    fusible.fit_captions(
        place / "table.csv", "said", image="photo", encoders={"photo": "image_cnn"}, epochs=12, output=place / "out"
    )
    return place


def test_fit_writes_report_json_and_model(capsys, made, tmp_path):
    code, out, err = call(
        capsys, "caption", "fit", made / "table.csv", "--image", "photo", "--text", "said", "-o", tmp_path / "out",
        "--encoder", "photo=image_cnn", "--epochs", "2", "--decoder", "lstm", "--operator", "none", "--beams", "2",
    )  # fmt: skip
    assert code == 0, err
    assert "nearest neighbour" in out
    assert f"model:  {tmp_path / 'out' / 'model'}" in out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"captions.json", "report.html", "model"}
    assert "caption fit" in json.loads((tmp_path / "out" / "captions.json").read_text())["command"]


def test_fit_prints_one_object(capsys, made, tmp_path):
    code, out, err = call(
        capsys, "caption", "fit", made / "table.csv", "--image", "photo", "--text", "said", "-o", tmp_path / "out",
        "--encoder", "photo=image_cnn", "--epochs", "1", "--metric", "exact", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["metric"] == "exact"


def test_run_on_files_and_on_a_table(capsys, made, tmp_path):
    page = tmp_path / "page.html"
    files = [made / "0.png", made / "1.png"]
    code, out, err = call(capsys, "caption", "run", made / "out", *files, "--beams", "1", "--html", page, "--json")
    assert code == 0, err
    found = json.loads(out)["captions"]
    assert [one["file"] for one in found] == [str(file) for file in files]
    assert found[0]["caption"] in page.read_text()

    code, out, err = call(capsys, "caption", "run", made / "out", made / "table.csv", "-o", tmp_path / "out.csv")
    assert code == 0, err
    frame = pd.read_csv(tmp_path / "out.csv")
    assert list(frame) == ["caption", "confidence"]
    assert len(frame) == 90
    loaded = fusible.load_captioner(made / "out")
    assert loaded.caption([str(file) for file in files], beams=1)["caption"].tolist() == [
        one["caption"] for one in found
    ]


def test_a_page_reads_the_table_once(capsys, made, tmp_path, monkeypatch):
    reads = []

    def counted(path):
        reads.append(path)
        return load_file(path)

    monkeypatch.setattr(fusible.data.read, "load_file", counted)
    page = tmp_path / "page.html"
    code, out, err = call(capsys, "caption", "run", made / "out", made / "table.csv", "--beams", "1", "--html", page)
    assert code == 0, err
    assert len(reads) == 2  # to write, and to show
    text = page.read_text()
    assert text.count("data:image/png") == 24 + text.count("<figure>") > 48
    assert all(line.split(",")[0] in text for line in out.splitlines()[1:20])


def test_drawn_captions_follow_the_seed(capsys, made):
    said = []
    for seed in ("1", "1", "2"):
        code, out, err = call(
            capsys, "caption", "run", made / "out", made / "table.csv", "--sample", "--temperature", "2.5",
            "--top-p", "1.0", "--seed", seed,
        )  # fmt: skip
        assert code == 0, err
        said.append(out)
    assert said[0] == said[1] != said[2]


def test_an_unreadable_picture_is_named_and_the_rest_written(capsys, made, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    code, out, err = call(capsys, "caption", "run", made / "out", tmp_path / "bad.png", made / "0.png")
    assert code == 0
    assert "unreadable" in err
    assert len(out.strip().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fit", "{table}", "--text", "said", "-o", "{new}"), "inputs: expected a column of pictures"),
        (("fit", "{table}", "--image", "nothing", "--text", "said", "-o", "{new}"), "nothing"),
        (("fit", "{table}", "--image", "photo", "--text", "said", "-o", "{table}"), "got a file"),
        (
            ("fit", "{table}", "--image", "photo", "--text", "said", "-o", "{new}", "--metric", "spice"),
            "metric 'spice'",
        ),
        (("run", "{none}", "{table}"), "config.yaml"),
        (("run", "{out}", "{table}", "--top-p", "2"), "top_p"),
        (("run", "{out}", "{table}", "--shortest", "50", "--longest", "2"), "shortest"),
        (("run", "{out}", "{table}", "-o", "captions.docx"), "expected a file ending in"),
        (("run", "{out}", "{table}", "--html", "{none}/page.html"), "does not exist"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, made, tmp_path, arguments, said):
    places = {"table": made / "table.csv", "out": made / "out", "new": tmp_path / "new", "none": tmp_path / "none"}
    code, out, err = call(capsys, "caption", *(argument.format(**places) for argument in arguments))
    assert code == 2
    assert out == ""
    assert said in err
    assert err.strip().splitlines()[-1].startswith("error: ")
