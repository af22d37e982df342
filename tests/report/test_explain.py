"""The page and the terminal of an explanation: whole, escaped, self-contained, bars where the values are."""

import re
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from _page import ATTACK, Page
from rich.console import Console

from fusible.errors import ConfigError
from fusible.evaluation.balance import Balance, ViewBalance
from fusible.evaluation.explanation import ColumnEffect, Explanation, Interaction, Saliency, Share
from fusible.evaluation.study import Difference
from fusible.report.attribution import attribution_content, balance_content, shapley_bars
from fusible.report.explain import print_explanation, render, write_page
from fusible.report.html import render_template


@pytest.fixture
def picture(png):
    return png(np.full((20, 30, 3), 90))


@pytest.fixture
def of_row(picture):
    """An explanation of one row with everything."""
    return Explanation(
        strategy="feature:concat",
        target="usage",
        task="multiclass",
        unit="probability",
        base=0.25,
        value=0.85,
        views=[
            Share("photo", "image", 0.45, 1.0, 0.6, 0.3),
            Share("title", "text", -0.05, 1.0, 0.2, 0.9),
            Share("table", "table", 0.2, 0.0, 0.45, 0.65),
        ],
        interactions=[Interaction(("photo", "title"), -0.125), Interaction(("photo", "table"), 0.0625)],
        columns=[
            ColumnEffect("table", "year", 0.15, 0.02, "2,012"),
            ColumnEffect("table", "season", -0.05, 0.01, "Fall"),
        ],
        saliency=[
            Saliency("title", "title", "words", [0.4, -0.2], ["Red ", "shoes"]),
            Saliency("photo", "photo", "patches", [[0.0, 0.5], [-0.25, 0.1], [0.0, 0.0]]),
            Saliency("clip", "clip", "stretches", [0.2, -0.1], ["0.00–0.50 s", "0.50–1.00 s"]),
        ],
        row=12,
        answer="Casual",
        explained="Casual",
        truth="Sports",
        fields={"title": "Red shoes", "year": "2012"},
        pictures={"photo": picture},
        notes=["a note"],
        problems=["photo: a problem"],
        command="fusible explain model t.csv --row 12",
    )


@pytest.fixture
def of_rows(of_row):
    """An explanation of a score."""
    views = [replace(share, low=share.value - 0.1, high=share.value + 0.1, present=0.9) for share in of_row.views]
    return replace(of_row, unit="accuracy", row=None, rows=1200, views=views, saliency=[], pictures={}, fields={})


def printed(found, width=110):
    stream = StringIO()
    print_explanation(found, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


def test_the_page_of_a_row_says_everything(of_row):
    page = Page(render(of_row))
    text = " ".join(" ".join(page.text).split())
    assert page.open == []
    for said in (
        of_row.statement, "Casual", "truth: Sports", "0.850", "0.250 without any view", "+0.600", "photo × title",
        "−0.125", "year", "2,012", "+0.150", "Red", "strongest 0.500", "a note", "a problem", of_row.command,
    ):  # fmt: skip
        assert said in text, said
    assert of_row.statement == (
        "Row 12: the model answers 'Casual'. Probability of 'Casual' is 0.850 (0.250 without any view): photo +0.450, "
        "table +0.200, title −0.050."
    )
    cells = [a for a in page.named("rect") if a.get("width") == "1"]
    assert len(cells) == 6
    strongest = max(cells, key=lambda a: float(a["fill-opacity"]))
    assert (strongest["class"], strongest["x"], strongest["y"]) == ("for", "1", "0")
    assert [a["class"] for a in page.named("span") if "--shade" in a.get("style", "")] == ["for", "against"]
    assert [a["src"][:22] for a in page.named("img")] == ["data:image/png;base64,"]


def test_the_page_of_rows_has_intervals(of_rows):
    page = Page(render(of_rows))
    text = " ".join(" ".join(page.text).split())
    assert page.open == []
    for said in ("1,200 rows", "0.350 to 0.550", "90 %", "Permuted", "Accuracy is 0.850", "positive is better"):
        assert said in text, said
    assert page.named("img") == []


def test_bars_start_at_zero_and_end_at_their_values(of_row):
    page = Page(str(shapley_bars(of_row.views)))
    photo, title, table = page.named("rect")
    zero = float(page.named("line")[0]["x1"])
    assert float(photo["x"]) == float(table["x"]) == zero
    assert float(title["x"]) + float(title["width"]) == pytest.approx(zero)
    assert float(photo["width"]) / float(table["width"]) == pytest.approx(0.45 / 0.2, rel=0.02)
    assert [photo["class"], title["class"]] == ["right", "wrong"]
    none = [replace(share, value=0.0) for share in of_row.views]
    assert len(Page(str(shapley_bars(none))).named("rect")) == 3


def test_text_of_the_user_is_escaped(of_row):
    views = [replace(of_row.views[0], view=ATTACK)]
    words = Saliency(ATTACK, ATTACK, "words", [1.0], [ATTACK])
    patches = Saliency("photo", ATTACK, "patches", [[1.0]])
    text = render(
        replace(
            of_row, views=views, answer=ATTACK, explained=ATTACK, truth=ATTACK, fields={ATTACK: ATTACK}, notes=[ATTACK],
            columns=[ColumnEffect("table", ATTACK, 1.0, 0.0, ATTACK)], saliency=[words, patches], command=ATTACK,
            pictures={ATTACK: of_row.pictures["photo"]}, interactions=[Interaction((ATTACK, ATTACK), 1.0)],
        )
    )  # fmt: skip
    page = Page(text)
    assert page.open == []
    assert page.named("script") == []
    assert all(attributes["src"].startswith("data:image/png") for attributes in page.named("img"))
    assert all("onerror" not in attributes for _, attributes in page.tags)
    assert not re.search(r"(src|href)=.?http", text)


def test_the_page_is_written_whole(of_row, tmp_path):
    path = write_page(of_row, tmp_path / "out.html")
    assert path.read_text() == render(of_row)
    assert [file.name for file in tmp_path.iterdir()] == ["out.html"]
    with pytest.raises(ConfigError, match="does not exist"):
        write_page(of_row, tmp_path / "no" / "out.html")


@pytest.mark.parametrize("width", [60, 120])
def test_the_terminal_says_what_was_found(of_row, of_rows, width):
    text = printed(of_row, width)
    assert max(map(len, text.splitlines())) <= width
    flat = " ".join(text.split())
    for said in (
        "feature:concat · usage · row 12",
        "sum: 0.250 + Shapley values +0.600 = 0.850 (probability of 'Casual')",
        "interaction photo × title: −0.125",
        "year 2,012 +0.150 ± 0.020",
        "title, words: Red +0.400, shoes −0.200",
        "photo, patches: row 1 column 2 +0.500",
        "clip, stretches: 0.00–0.50 s +0.200",
        of_row.statement,
    ):
        assert said in flat, said
    flat = " ".join(printed(of_rows, width).split())
    assert "1,200 rows" in flat
    assert "0.350 to 0.550" in flat


def test_many_views_and_columns_are_cut(of_row):
    many = replace(
        of_row, views=of_row.views * 2, columns=of_row.columns[:1] * 30, interactions=of_row.interactions * 20
    )
    assert "and 2 more." in many.statement
    assert "And 10 more columns" in " ".join(Page(render(many)).text)
    assert "and 22 more" in printed(many)
    bare = replace(of_row, columns=[], interactions=[], saliency=[], pictures={}, fields={}, notes=[], problems=[])
    assert Page(render(bare)).open == []


def test_partials_render_by_themselves(of_rows):
    page = Page(render_template("attribution.html.j2", {"attribution": attribution_content(of_rows)}))
    assert page.open == []
    assert "What it rests on" in page.text
    one = ViewBalance(ATTACK, "image_cnn", 0.8, 0.6, Difference(-0.2, -0.3, -0.1), 0.05)
    found = Balance("end_to_end:joint", "accuracy", 40, (one,))
    page = Page(render_template("balance.html.j2", {"balance": balance_content(found)}))
    text = " ".join(" ".join(page.text).split())
    assert page.open == []
    assert page.named("img") == []
    for said in (found.statement, "−0.300 to −0.100", "starved", "+0.050", "0.600"):
        assert said in text, said
