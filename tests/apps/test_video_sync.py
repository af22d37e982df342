"""`fusible video sync` and `fit-sync` in process: a line per film, a model folder, bad films named."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from _cases import call
from _talks import encode, talk

import fusible
from fusible.tasks.video.synchrony import motion_offset, read_stretches
from fusible.types import Media


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clips of one talker, and one whose sound is late."""
    place = tmp_path_factory.mktemp("clips")
    (place / "clips").mkdir()
    for seed in range(8):
        (place / "clips" / f"{seed}.mp4").write_bytes(encode(talk(seed)))
    (place / "late.mp4").write_bytes(encode(talk(100, seconds=8.0), late=0.4))
    (place / "still.mp4").write_bytes(encode(talk(101, still=True)))
    (place / "mute.mp4").write_bytes(encode(talk(102), sound=False))
    return place


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("model") / "sync"
    fusible.fit_sync(folder / "clips", output=place)
    return place


def test_a_line_per_film_says_how_late_its_sound_is(capsys, folder, model):
    code, out, err = call(capsys, "video", "sync", folder / "late.mp4", folder / "still.mp4", "--model", model)
    assert code == 0, err
    late, still = out.splitlines()
    found = re.fullmatch(rf"{folder}/late.mp4: sound (\d\.\d\d) s late, (\d+)% sure", late)
    assert float(found[1]) == pytest.approx(0.4, abs=0.04)
    assert still.startswith(f"{folder}/still.mp4: not known; the best guess, sound ")


def test_bad_films_are_named_and_the_rest_goes_on(capsys, folder):
    code, out, err = call(capsys, "video", "sync", folder / "mute.mp4", folder / "late.mp4", "--json")
    assert code == 1
    found = json.loads(out)
    wanted = motion_offset(read_stretches(Media("file", 0, path=str(folder / "late.mp4"))))
    assert found["films"] == {
        str(folder / "late.mp4"): {
            "seconds": wanted.seconds, "confidence": wanted.confidence, "known": wanted.known,
        }
    }  # fmt: skip
    assert list(found["failures"]) == [str(folder / "mute.mp4")]
    assert "no sound track in the file" in err
    code, out, _ = call(capsys, "video", "sync", folder / "mute.mp4")
    assert (code, out) == (2, "")


def test_fit_sync_learns_from_the_training_part_of_a_table(capsys, folder, model, tmp_path):
    rows = [{"clip": f"clips/{n}.mp4", "split": "train" if n < 5 else "valid" if n < 7 else "test"} for n in range(8)]
    pd.DataFrame(rows).to_csv(folder / "clips.csv", index=False)
    arguments = ["video", "fit-sync", folder / "clips.csv", "--file", "clip", "-o", tmp_path / "model", "--json"]
    code, out, err = call(capsys, *arguments)
    assert code == 0, err
    found = json.loads(out)
    assert found["clips"] == 5
    again = fusible.load_sync(tmp_path / "model")
    assert again.found_ == found["found"]
    np.testing.assert_allclose(again.correlations_, found["correlations"], rtol=1e-6)
    assert fusible.load_sync(model).clips_ == 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sync", "FILM", "--most", "0"], "most must be a number of seconds from 0.05 to 60"),
        (["sync", "FILM", "--model", "CLIPS"], "config.yaml"),
        (["fit-sync", "CLIPS", "-o", "FILM"], "expected a folder to write the model to, got a file"),
        (["fit-sync", "EMPTY", "-o", "OUT"], "no film and no table in the folder"),
        (["fit-sync", "ONE", "-o", "OUT"], "expected at least 4 clips of a second or more to learn from, got 1"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, folder, tmp_path, arguments, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.mp4").write_bytes((folder / "clips" / "0.mp4").read_bytes())
    places = {"FILM": folder / "late.mp4", "CLIPS": folder / "clips", "OUT": tmp_path / "out"}
    places |= {"EMPTY": tmp_path / "empty", "ONE": tmp_path / "one"}
    code, out, err = call(capsys, "video", *(places.get(one, one) for one in arguments))
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
