"""The benchmarks' own tools: claims are judged as written, results appear whole, the README is written from them."""

import argparse
import io
import json

import numpy as np
import pytest
import soundfile
from PIL import Image


def benchmark(load, quick=False, json_file=None):
    return load("_harness").Benchmark("x", argparse.Namespace(json=json_file, quick=quick, seeds=[0]))


@pytest.mark.parametrize(
    ("value", "target", "holds"),
    [
        (0.96, {"at_least": 0.95}, True),
        (0.95, {"at_least": 0.95}, True),
        (0.94, {"at_least": 0.95}, False),
        (1.0, {"at_most": 1.1}, True),
        (1.2, {"at_most": 1.1}, False),
        (0.0, {"at_most": 0.0}, True),
        (float("nan"), {"at_least": 0.0}, False),
    ],
)
def test_claims_are_judged(load, value, target, holds):
    made = benchmark(load)
    made.claim("c", value, **target)
    assert made.claims[0]["holds"] is holds


def test_a_quick_run_judges_nothing(load):
    made = benchmark(load, quick=True)
    made.claim("c", 1.0, at_least=0.5)
    assert made.claims[0]["holds"] is None


@pytest.mark.parametrize("target", [{}, {"at_least": 1.0, "at_most": 2.0}])
def test_a_claim_has_one_target(load, target):
    with pytest.raises(ValueError, match="at_least or at_most"):
        benchmark(load).claim("c", 1.0, **target)


def test_the_result_file_holds_rows_claims_and_machine(load, tmp_path, capsys):
    file = tmp_path / "results" / "x.json"
    made = benchmark(load, json_file=file)
    made.row(strategy="auto", score=0.5)
    made.row(strategy="other", seconds=None)
    made.claim("c", 0.25, at_least=0.5)
    made.finish()
    result = json.loads(file.read_text())
    assert result["rows"] == [{"strategy": "auto", "score": 0.5}, {"strategy": "other", "seconds": None}]
    assert result["claims"] == [{"claim": "c", "value": 0.25, "target": ">= 0.5", "holds": False}]
    assert result["machine"]["cores"] >= 1
    assert [path.name for path in file.parent.iterdir()] == ["x.json"]
    assert "DOES NOT HOLD" in capsys.readouterr().out


def test_a_part_keeps_what_was_measured_of_the_others(load, tmp_path, capsys):
    file = tmp_path / "x.json"
    for name, value in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        one = benchmark(load, json_file=file)
        one.take("table", [name])
        one.row(table=name, score=value)
        one.claim(f"{name}: score", value, at_least=0.0)
        one.finish()
    found = json.loads(file.read_text())
    assert [(row["table"], row["score"]) for row in found["rows"]] == [("b", 2.0), ("a", 3.0)]
    assert [(claim["claim"], claim["value"]) for claim in found["claims"]] == [("b: score", 2.0), ("a: score", 3.0)]
    assert set(found["parts"]) == {"a", "b"}
    old = {**found, "parts": {"a": "2026-01-02", "b": "2026-01-01"}}
    assert "2026-01-01 to 2026-01-02, " in load("readme").figures([old])


def test_readme_shows_a_claim_that_does_not_hold(load):
    readme = load("readme")
    machine = {"processor": "P", "cores": 2, "memory_gb": 8, "gpu": None, "python": "3.11.0", "torch": "2.13.0"}
    claims = [
        {"claim": "a", "value": 0.123456, "target": ">= 0.5", "holds": False},
        {"claim": "b", "value": 1.0, "target": "<= 2", "holds": True},
    ]
    result = {"benchmark": "my_task", "machine": machine, "date": "2026-01-02", "seeds": [0, 1], "claims": claims}
    page = readme.rewrite(f"head\n{readme.BEGIN}\nstale text\n{readme.END}\ntail\n", readme.figures([result]))
    assert "| a | 0.1235 | >= 0.5 | **no, not held** |" in page
    assert "| b | 1 | <= 2 | yes |" in page
    assert "2026-01-02, P, 2 cores, 8 GB, no GPU, Python 3.11.0, torch 2.13.0; seeds 0, 1." in page
    assert page.startswith("head\n")
    assert page.endswith("tail\n")
    assert "stale" not in page
    assert readme.rewrite(page, readme.figures([result])) == page


def test_readme_without_markers_is_refused(load):
    with pytest.raises(ValueError, match="lacks its markers"):
        load("readme").rewrite("no markers", "text")


def test_the_committed_readme_shows_the_committed_results(load):
    readme = load("readme")
    page = (readme.ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.rewrite(page, readme.figures(readme.committed())) == page


def test_noise_of_pictures_is_kept_whole(load):
    digits = load("noisy_digits")
    rng = np.random.default_rng(0)
    pictures = [np.asarray(Image.open(io.BytesIO(digits.noisy_image(np.full((28, 28), 51), rng)))) for _ in range(100)]
    pixels = np.stack(pictures)
    assert pixels.dtype == np.float32
    assert pixels.min() < -1
    np.testing.assert_allclose(pixels.mean(), 0.2, atol=0.02)
    np.testing.assert_allclose(pixels.std(), 1.0, atol=0.02)


@pytest.mark.parametrize("length", [1000, 8000, 20000])
def test_noise_of_sounds_has_the_power_it_says(load, length):
    digits = load("noisy_digits")
    rng = np.random.default_rng(0)
    sound = 0.1 * np.sin(np.arange(length))
    samples, rate = soundfile.read(io.BytesIO(digits.noisy_sound(sound, rng)))
    clean = np.pad(sound[:8000], (0, max(0, 8000 - length)))
    ratio = 10 * np.log10(np.mean(sound[:8000] ** 2) / np.mean((samples - clean) ** 2))
    assert (rate, len(samples)) == (8000, 8000)
    np.testing.assert_allclose(ratio, -5.0, atol=0.3)


def test_the_digits_table_pairs_equal_digits_and_shares_nothing_across_parts(load, data_folder):
    digits = load("noisy_digits")
    table = digits.build(0, train=200, test=50)
    assert table["split"].to_pylist() == ["train"] * 180 + ["valid"] * 20 + ["test"] * 50
    assert table.equals(digits.build(0, train=200, test=50))
    assert not table.equals(digits.build(1, train=200, test=50))
    takes = {part: {len(sounds) for sounds in found.values()} for part, found in digits._recordings().items()}
    assert takes == {"train": {240}, "valid": {30}, "test": {30}}
