"""Starting is quick because nothing heavy is loaded before it is used."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "torch", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "lightgbm", "transformers", "tokenizers", "safetensors",
    "accelerate", "PIL", "av", "soundfile", "soxr", "matplotlib", "jinja2", "pydantic", "yaml",
}  # fmt: skip


def run(code: str) -> dict:
    """Run code in a fresh interpreter; it prints one JSON object."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def probe(statement: str) -> dict:
    """Seconds that a statement takes, and the packages loaded after it."""
    return run(
        f"import json, sys, time\nbegan = time.perf_counter()\n{statement}\nseconds = time.perf_counter() - began\n"
        "names = sorted({name.split('.')[0] for name in sys.modules})\n"
        "print(json.dumps({'seconds': seconds, 'modules': names}))"
    )


@pytest.mark.parametrize(
    ("statement", "limit"), [("import fusible", 0.3), ("from fusible.apps.cli import app", 0.5)], ids=["face", "cli"]
)
def test_import_is_light_and_quick(statement, limit):
    runs = [probe(statement) for _ in range(3)]
    assert HEAVY.intersection(runs[0]["modules"]) == set()
    assert min(found["seconds"] for found in runs) < 2 * limit  # twice the claim: machines of CI are busy


def test_types_need_no_torch():
    assert HEAVY.intersection(probe("import fusible.types, fusible.errors, fusible.registry")["modules"]) == set()


def test_help_names_every_command():
    done = subprocess.run(
        [sys.executable, "-m", "fusible", "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert all(name in done.stdout for name in ("inspect", "compare", "fit", "predict", "evaluate", "align", "demo"))


def test_the_face_offers_what_it_names():
    found = run(
        "import json, fusible\nprint(json.dumps([name for name in fusible.__all__ if not hasattr(fusible, name)]))"
    )
    assert found == []
