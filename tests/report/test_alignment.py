"""The page and the terminal of an alignment say what was found, escaped and self-contained."""

import re
from dataclasses import replace
from io import StringIO

import pytest
from _page import ATTACK, Page
from rich.console import Console

from fusible.errors import ConfigError
from fusible.evaluation.alignment import Alignment, Component
from fusible.evaluation.study import Score
from fusible.report.alignment import print_alignment, render, write_report
from fusible.types import Problem


@pytest.fixture
def found():
    """An alignment of two views, the second component of chance."""
    views = [
        {"name": name, "modality": kind, "columns": [name], "encoder": encoder, "why": "pretrained"}
        | {"width": 8, "coverage": 0.975}
        for name, kind, encoder in (("photo", "image", "image_efficientnet"), ("title", "text", "text_minilm"))
    ]
    return Alignment(
        method="cca",
        views=views,
        rows={"train": 1700, "test": 300, "test_items": 100},
        components=[
            Component(0.8, Score(0.712, 0.651, 0.763), 0.001),
            Component(0.3, Score(-0.052, -0.151, 0.101), 0.437),
        ],
        gap={"before": None, "after": 0.127},
        cka={"before": 0.504, "after": 0.383},
        retrieval={
            "photo -> title": {"recall@1": 0.43, "recall@10": 0.82, "chance@1": 0.01, "chance@10": 0.1}
            | {"queries": 100, "items": 500}
        },
        settings={"components": 2, "ridge": 0.1},
        notes=["rows of one photo stay together"],
        problems=[Problem("unreadable", "photo", "2 pictures cannot be decoded", (3, 17), 2)],
        command="fusible align t.csv --views photo title",
        seconds={"encode": 3.2, "fit": 0.4},
        versions={"fusible": "0.1.0"},
    )


def printed(result, width=100):
    stream = StringIO()
    print_alignment(result, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


def test_the_page_is_whole_and_says_everything(found):
    page = Page(render(found))
    text = " ".join(" ".join(page.text).split())
    assert page.open == []
    assert found.statement in text
    for said in (
        "1 of 2 components above chance", "0.712", "0.651 to 0.763", "−0.052", "0.437", "0.127 after", "0.383",
        "image_efficientnet", "97.5 %", "rows of one photo stay together", "2 pictures cannot be decoded",
        "@1 0.430 (chance 0.010)", found.command, "ridge", "1,700",
    ):  # fmt: skip
        assert said in text, said
    assert len(page.named("circle")) == 2
    kinds = [attributes["class"] for attributes in page.named("g")]
    assert kinds == ["real", "pale"]


def test_the_plot_places_points_by_their_correlation(found):
    page = Page(render(found))
    first, second = page.named("circle")
    assert float(first["cx"]) < float(second["cx"])
    assert float(first["cy"]) < float(second["cy"])
    (line,) = page.named("polyline")
    heights = [float(pair.split(",")[1]) for pair in line["points"].split()]
    assert heights[0] < float(first["cy"])  # training correlation stands above the test one
    assert all(14 <= height <= 314 for height in heights)


def test_text_of_the_user_is_escaped(found):
    evil = [{**view, "name": ATTACK, "why": ATTACK} for view in found.views]
    text = render(replace(found, views=evil, notes=[ATTACK], command=ATTACK))
    page = Page(text)
    assert page.open == []
    assert page.named("script") == page.named("img") == []
    assert not re.search(r"(src|href)=.?http", text)


def test_many_components_are_cut_in_the_terminal_and_thinned_in_the_plot(found):
    many = replace(found, components=found.components[:1] * 300)
    assert "and 288 more" in printed(many)
    assert len(Page(render(many)).named("circle")) == 200


@pytest.mark.parametrize("width", [60, 120])
def test_the_terminal_says_what_was_found(found, width):
    text = printed(found, width)
    assert max(map(len, text.splitlines())) <= width
    flat = " ".join(text.split())
    for said in (
        "cca · photo + title · 1,700 train, 300 test rows",
        "0.712 0.651 to 0.763 0.800 0.001",
        "modality gap: – before, 0.127 after",
        "@10 0.820 (chance 0.100)",
        found.statement,
        "unreadable 2 pictures",
    ):
        assert said in flat, said


def test_the_page_is_written_whole(found, tmp_path):
    path = write_report(found, tmp_path / "report.html")
    assert path.read_text() == render(found)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(ConfigError, match="does not exist"):
        write_report(found, tmp_path / "no" / "report.html")


def test_nothing_shared_is_said(found):
    none = replace(found, components=found.components[1:])
    assert none.significant == 0
    assert none.statement == "photo and title share nothing that cca finds and test rows confirm."
    assert none.statement in " ".join(printed(none).split())
