"""`fusible video` in process: files, JSON alone on standard output, bad films named, one line and exit code 2."""

import json

import pytest
from _cases import call
from _scenes import scenes


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return scenes(tmp_path_factory.mktemp("films") / "film.mp4", [2, 2])


def test_analyze_writes_a_folder_and_says_what_is_in_it(capsys, path, tmp_path):
    code, out, err = call(capsys, "video", "analyze", path, "-o", tmp_path)
    assert code == 0, err
    assert "2 shots in 0:04" in out
    assert {p.name for p in (tmp_path / "film").iterdir()} == {
        "timeline.json", "timeline.parquet", "timeline.vtt", "timeline.html",
    }  # fmt: skip


def test_a_bad_film_is_named_and_the_rest_goes_on(capsys, path, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    code, out, err = call(capsys, "video", "analyze", tmp_path / "bad.mp4", path, "-o", tmp_path / "out", "--json")
    assert code == 1
    assert list(json.loads(out)["films"]) == [str(tmp_path / "out" / "film")]
    assert f"warning: {tmp_path / 'bad.mp4'}: {tmp_path / 'bad.mp4'}: not a readable film" in err.replace("\n", " ")
    code, _, err = call(capsys, "video", "analyze", tmp_path / "bad.mp4", "-o", tmp_path / "none")
    assert code == 2
    assert not (tmp_path / "none").exists()


def test_summarize_writes_a_film_and_its_spans(capsys, path, tmp_path):
    code, out, err = call(
        capsys, "video", "summarize", path, "-o", tmp_path / "short.mp4", "--ratio", "0.5", "--json",
        "--storyboard", tmp_path / "board.png",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["seconds"] <= 2.0 + 1e-6
    assert (tmp_path / "short.mp4").stat().st_size > 0
    assert (tmp_path / "board.png").read_bytes().startswith(b"\x89PNG")


def test_moments_are_a_table_and_bad_films_are_named(capsys, path, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    code, out, err = call(capsys, "video", "moments", path, "-o", tmp_path / "out")
    assert code == 0, err
    assert out == f"2 moments of 1 films\ntable: {tmp_path / 'out' / 'moments.parquet'}\n"
    code, out, err = call(
        capsys, "video", "moments", tmp_path / "bad.mp4", path, "-o", tmp_path / "out", "--json", "--every", "1"
    )
    assert code == 1
    assert json.loads(out)["rows"] == {str(path): 4}
    assert "not a readable film" in err
    code, _, _ = call(capsys, "video", "moments", tmp_path / "bad.mp4", "-o", tmp_path / "none")
    assert code == 2
    assert not (tmp_path / "none").exists()


def test_importance_is_learned_and_leads_a_summary(capsys, path, tmp_path):
    table = tmp_path / "scores.csv"
    table.write_text(f"file,start,end,score\n{path},0,2,1\n{path},2,4,5\n")
    code, out, err = call(capsys, "video", "fit-importance", table, "-o", tmp_path / "liked", "--json")
    assert code == 0, err
    assert json.loads(out)["films"] == 1
    code, out, err = call(
        capsys, "video", "summarize", path, "-o", tmp_path / "short.mp4", "--ratio", "0.5", "--json",
        "--importance", tmp_path / "liked", "--choose", "diverse",
    )  # fmt: skip
    assert code == 0, err
    assert 0 < json.loads(out)["seconds"] <= 2.0 + 1e-6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["analyze", "FILM", "FILM", "-o", "OUT", "--step", "0"],
            "error: video: expected a step of 0.1 to 60 seconds, got 0",
        ),
        (["analyze", "FILM", "-o", "FILM"], "expected a folder to write timelines to, got a file"),
        (
            ["analyze", "FILM", "FILM", "-o", "OUT", "--transcript", "a.srt"],
            "expected a transcript per film, got 1 for 2",
        ),
        (["summarize", "FILM", "-o", "OUT.mp4", "--ratio", "2"], "expected a ratio above 0 and at most 1, got 2"),
        (["summarize", "FILM", "-o", "OUT.mp4", "--query", "dogs"], "a query needs a retriever"),
        (["summarize", "FILM", "-o", "OUT.mp4", "--choose", "all"], "expected to choose by knapsack or diverse, got"),
        (["fit-importance", "absent.csv", "-o", "OUT"], "absent.csv"),
        (["summarize", "absent.mp4", "-o", "OUT.mp4"], "absent.mp4: no such file"),
        (["analyze", "FILM", "-o", "OUT", "--whisper", "OUT"], "expected a local Hugging Face folder with config.json"),
        (
            ["analyze", "FILM", "-o", "OUT", "--detector", "OUT"],
            "expected a local Hugging Face folder with config.json",
        ),
        (["moments", "FILM", "-o", "OUT", "--every", "0"], "moments: expected spans of 0.1 to 3600 seconds, got 0"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, path, tmp_path, arguments, said):
    given = [a.replace("FILM", str(path)).replace("OUT", str(tmp_path / "out")) for a in arguments]
    code, out, err = call(capsys, "video", *given)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
