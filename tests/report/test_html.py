import re
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from _page import ATTACK, Page
from PIL import Image

from fusible.errors import ConfigError
from fusible.report.html import render, write_report
from fusible.types import Problem


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
def test_page_is_whole_and_says_everything(study, kind):
    result = study(kind, classes=2 if kind == "binary" else 4)
    page = Page(render(result))
    text = " ".join(" ".join(page.text).split())
    assert page.open == []
    assert page.named("h1")
    assert result.statement in text
    for row in result.strategies:
        assert row.name in text
        assert f"{row.test.score:.3f}" in text.replace("−", "-")
    for said in (result.command, "training.learning_rate", "0.00025", "words with spaces", "98.0 %", "2.13.0"):
        assert said in text
    assert "2 pictures cannot be decoded" in text
    assert len([a for a in page.named("svg") if a["class"].startswith("forest")]) == len(result.strategies)


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_page_needs_nothing_from_outside(study, kind):
    text = render(study(kind))
    page = Page(text)
    assert not re.search(r"https?:|@import|url\(", text)
    assert not page.named("script")
    assert not page.named("link")
    sources = [value for _, a in page.tags for name, value in a.items() if name in {"src", "href", "xlink:href"}]
    assert sources
    assert all(source.startswith("data:image/") for source in sources)


def test_text_of_the_user_is_escaped_everywhere(study, photo):
    example = {"title": ATTACK, "image": photo(), "fields": {ATTACK: ATTACK}, "truth": ATTACK, "prediction": ATTACK}
    result = study(
        "multiclass",
        target=ATTACK,
        statement=ATTACK,
        command=ATTACK,
        examples=[example],
        columns=[{ATTACK: ATTACK}],
        views=[{"name": ATTACK, "columns": [ATTACK]}],
        problems=[Problem(ATTACK, ATTACK, ATTACK)],
        settings={ATTACK: {ATTACK: ATTACK}},
        versions={ATTACK: ATTACK},
        seconds={ATTACK: 1.0},
    )
    result.task = type(result.task)("multiclass", (ATTACK, *result.task.classes[1:]))
    for row in result.strategies:
        row.note = row.family = ATTACK
    page = Page(render(result))
    assert page.open == []
    assert not page.named("script")
    assert len(page.named("img")) == 1
    assert not [name for _, a in page.tags for name in a if name.startswith("on")]
    assert "".join(page.text).count("<script>alert(") >= 15


def test_confusion_matrix_counts_the_test_rows(study):
    result = study("multiclass", classes=3)
    said = result.predictions["auto"].argmax(axis=1)
    svg = re.search(r'<svg class="confusion".*?</svg>', render(result), re.DOTALL).group()
    shown = [int(value) for value in re.findall(r'class="count[^"]*"[^>]*>(\d+)<', svg)]
    counts = [((result.truth == t) & (said == s)).sum() for t in range(3) for s in range(3)]
    assert shown == [count for count in counts if count]


def test_of_many_classes_the_frequent_ones_are_shown(study):
    result = study("multiclass", classes=46, rows=900)
    svg = re.search(r'<svg class="confusion".*?</svg>', render(result), re.DOTALL).group()
    assert svg.count("<rect") == 21 * 21
    assert "26 others" in svg
    shown = re.findall(r'class="count[^"]*"[^>]*>(\d+)<', svg)
    assert sum(map(int, shown)) == 900


def test_residuals_are_drawn_for_each_row(study):
    text = render(study("regression", rows=150))
    plots = re.findall(r'<svg class="scatter".*?</svg>', text, re.DOTALL)
    assert [plot.count("<circle") for plot in plots] == [150, 150]
    assert len(re.findall("<circle", render(study("regression", rows=5000)))) == 2 * 1200


def test_label_table_has_precision_and_recall(study):
    result = study("multilabel", classes=3)
    said = result.predictions["auto"] >= 0.5
    text = render(result)
    for k in range(3):
        hits = (said[:, k] & (result.truth[:, k] == 1)).sum()
        for whole in (said[:, k].sum(), result.truth[:, k].sum()):
            assert f'<td class="n">{hits / whole:.3f}</td>' in text


def test_pictures_are_embedded_and_shrunk(study, photo):
    big, small = photo(1600, 1200, "JPEG"), photo(32, 32)
    examples = [
        {"title": "a", "image": image, "truth": 1, "prediction": 1} for image in (big, small, b"no picture", None)
    ]
    page = Page(render(study(examples=examples)))
    sources = [a["src"] for a in page.named("img")]
    assert len(sources) == 2
    with Image.open(BytesIO(b64decode(sources[0].partition(",")[2]))) as image:
        assert max(image.size) == 320
    assert b64decode(sources[1].partition(",")[2]) == small


def test_page_stays_under_three_megabytes(study, photo):
    examples = [{"title": str(k), "image": photo(640, 480, "JPEG"), "fields": {"text": "x" * 10**6}} for k in range(40)]
    problems = [Problem("unreadable", "image", "y" * 10**5, tuple(range(10**4))) for _ in range(500)]
    columns = [{"name": f"c{k}", "reason": "z" * 10**4} for k in range(500)]
    result = study("multiclass", classes=60, rows=3000, examples=examples, problems=problems, columns=columns)
    text = render(result)
    assert len(text.encode()) < 3_000_000
    assert "and 440 more" in text
    assert "and 300 more columns" in text


def test_study_without_predictions_examples_or_problems(study):
    page = Page(
        render(study(predictions={}, truth=np.empty(0), examples=[], problems=[], views=[], columns=[], seconds={}))
    )
    assert page.open == []
    assert "None found." in "".join(page.text)


def test_scores_far_off_and_all_equal_are_drawn(study):
    result = study("regression")
    object.__setattr__(result.strategies[1], "test", type(result.strategies[1].test)(-9e9, -1e10, -8e9))
    places = [float(x) for x in re.findall(r'class="point" x1="([\d.]+)"', render(result))]
    assert len(set(places)) >= 3
    for row in result.strategies:
        object.__setattr__(row, "test", type(row.test)(1.0, 1.0, 1.0))
    places = [float(x) for x in re.findall(r'class="point" x1="([\d.]+)"', render(result))]
    assert set(places) == {100.0}


def test_file_is_written_whole_or_not_at_all(study, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    assert write_report(study(), path) == path
    assert path.read_text(encoding="utf-8") == render(study())
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]

    def full(self, target):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="disk full"):
        write_report(study(seed=1), path)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8") == render(study())


def test_missing_folder_is_named(study, tmp_path):
    with pytest.raises(ConfigError, match=r"folder .*absent does not exist; create it first"):
        write_report(study(), tmp_path / "absent" / "report.html")
