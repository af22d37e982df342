"""Each benchmark's quick run works and writes a result of the documented form."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMES = sorted(file.stem for file in BENCHMARKS.glob("[a-z]*.py") if file.stem != "readme")


def run(name, *arguments, **environment):
    """Run a benchmark in a process of its own."""
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / f"{name}.py"), *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("name", NAMES)
def test_quick_run_writes_its_result(name, tmp_path):
    file = tmp_path / "result.json"
    done = run(name, "--quick", "--json", file, FUSIBLE_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    if done.stdout.startswith("skipped: "):
        pytest.skip(done.stdout.strip())
    result = json.loads(file.read_text())
    assert set(result) == {"benchmark", "machine", "date", "quick", "seeds", "rows", "claims"}
    assert result["benchmark"] == name
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", result["date"])
    assert result["rows"]
    assert result["claims"]
    for claim in result["claims"]:
        assert set(claim) == {"claim", "value", "target", "holds"}
        assert claim["holds"] is None  # a quick run proves nothing


def test_absent_data_is_said_and_is_no_failure(tmp_path):
    done = run("noisy_digits", "--quick", FUSIBLE_DATA=str(tmp_path / "nowhere"))
    assert done.returncode == 0, done.stderr
    assert re.match(r"skipped: 'mnist' is not in .*nowhere; set FUSIBLE_DATA", done.stdout)
