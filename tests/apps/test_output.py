"""Files of predictions appear whole or not at all; JSON stands alone on standard output."""

import json

import numpy as np
import pandas as pd
import pytest

from fusible.apps import output
from fusible.errors import ConfigError

FRAME = pd.DataFrame({"prediction": ["是", "no"], "probability_no": [0.1, 1 / 3], "probability_是": [0.9, 2 / 3]})
READERS = {
    ".csv": pd.read_csv,
    ".tsv": lambda path: pd.read_csv(path, sep="\t"),
    ".parquet": pd.read_parquet,
    ".jsonl": lambda path: pd.read_json(path, lines=True, precise_float=True),
}


@pytest.mark.parametrize("suffix", output.WRITERS)
def test_a_table_reads_back_equal(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    output.write_table(FRAME, str(path))
    pd.testing.assert_frame_equal(READERS[suffix](path), FRAME, check_dtype=False, rtol=1e-14)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_dash_is_csv_on_standard_output(capsys):
    output.write_table(FRAME, "-")
    assert capsys.readouterr().out.splitlines()[0] == "prediction,probability_no,probability_是"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def fail(frame, beside):
        beside.write_text("half")
        raise OSError("disk full")

    monkeypatch.setitem(output.WRITERS, ".csv", fail)
    with pytest.raises(OSError, match="disk full"):
        output.write_table(FRAME, str(path))
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


def test_an_unknown_suffix_and_a_missing_folder_are_refused_before_any_work(tmp_path):
    with pytest.raises(ConfigError, match=r"expected a file ending in \.csv, \.tsv, \.parquet, \.jsonl"):
        output.check_suffix("out.xlsx")
    with pytest.raises(ConfigError, match="does not exist"):
        output.check_suffix(str(tmp_path / "none" / "out.csv"))


def test_names_that_are_no_text_are_escaped(capsys):
    output.print_json({"caf\udce9.mp4": "ü"})
    assert json.loads(capsys.readouterr().out) == {"caf\udce9.mp4": "ü"}


def test_json_has_no_nan(capsys):
    output.print_json({"a": float("nan"), "b": np.float32(0.5), "c": (1, np.array([2, 3])), "d": float("inf")})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": 0.5, "c": [1, [2, 3]], "d": None}


def test_quiet_stdout_moves_prints_to_stderr(capsys):
    with output.quiet_stdout():
        print("chatter")  # noqa: T201
    with output.quiet_stdout(active=False):
        print("result")  # noqa: T201
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("result\n", "chatter\n")
