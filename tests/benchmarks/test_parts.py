"""Benchmarks run part by part: every part once, in any number of processes, and a killed run goes on where it was."""

import json
import sys

import pytest

MEASURE = """
from pathlib import Path

def measure(name, seed, args):
    if (name, seed) == ("b", 1) and Path(args.device).is_file():
        raise RuntimeError("no more power")
    return {"name": name, "seed": seed}
"""


@pytest.fixture
def parts(load, monkeypatch, tmp_path):
    """A function that makes the parts of a benchmark, and runs them; `device` carries a file that stops one of them."""
    (tmp_path / "toy_measure.py").write_text(MEASURE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    load("_harness")
    module = load("_parts")

    def run(*options):
        from toy_measure import measure

        asked = ["toy", "--json", str(tmp_path / "toy.json"), "--device", str(tmp_path / "stop"), *options]
        monkeypatch.setattr(sys, "argv", asked)
        return module.Parts("toy", "Toy.", "table", ["a", "b"]).run(measure)

    return run


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_every_part_is_measured_once(parts, tmp_path, jobs):
    found = parts("--jobs", jobs)
    assert {name: [run["seed"] for run in runs] for name, runs in found.items()} == {"a": [0, 1, 2], "b": [0, 1, 2]}
    assert all(run["jobs"] == int(jobs) and run["seconds"] >= 0 for runs in found.values() for run in runs)
    assert len(list((tmp_path / "toy.parts").iterdir())) == 6


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_run_that_failed_goes_on_where_it_was(parts, tmp_path, jobs):
    (tmp_path / "stop").touch()
    with pytest.raises(RuntimeError, match="no more power"):
        parts("--jobs", jobs)
    first = tmp_path / "toy.parts" / "a-0.json"
    first.write_text(json.dumps(json.loads(first.read_text()) | {"mark": True}))
    (tmp_path / "stop").unlink()
    found = parts("--jobs", jobs)
    assert found["a"][0]["mark"]
    assert [run["seed"] for run in found["b"]] == [0, 1, 2]


def test_parts_and_seeds_are_those_asked_for(parts):
    assert list(parts("--table", "b", "--seeds", "0", "--jobs", "1")) == ["b"]


def test_a_quick_run_keeps_no_part(parts, tmp_path):
    found = parts("--quick")
    assert [len(runs) for runs in found.values()] == [1, 1]
    assert not (tmp_path / "toy.parts").exists()
