"""The page and the terminal's table of graph search: what supports answers is there, and nothing in it runs."""

import numpy as np
import pytest
from _page import ATTACK, Page
from rich.console import Console

from fusible.errors import ConfigError
from fusible.report._neighbourhood import GAP, LETTER, LINK_LETTER, PADDING, TALL, Arrow, Node, drawing, layout
from fusible.report.graph_search import print_found, render, statement, write_page
from fusible.tasks.knowledge.search.results import Answer, Found, Link, Sentence, Step


def found(name="Ada", **given):
    step = Step("Acme", "founded by", name, 0.5, (Sentence(f"Acme was founded by {name}.", f"doc {name}"),))
    guess = Step("Cero", "founded by", name, 0.25)
    answer = Answer(
        name, f"{name}!", 9.5, {"facts": 0.75, "text": 0.25, "walk": 0.0}, (f"type {name}",), name, ((step,),), (guess,)
    )
    names = {"Acme": "Acme", "Cero": "Cero", name: f"{name}!", "Ulm": "Ulm"}
    plain = {
        "question": f"Who founded {name}?",
        "answers": [answer],
        "linked": [Link(f"the {name}", "Acme", "name", 1.0)],
        "relations": [Link("who founded", f"by {name}", "meaning", 0.9)],
        "members": ("facts", "walk", "text", "model"),
        "entities": 4,
        "triples": 5,
        "around": [step, Step(name, "born in", "Ulm")],
        "names": names,
        "command": f"fusible graph search {name}",
    }
    return Found(**{**plain, **given})


def test_the_page_shows_answers_and_what_supports_them():
    page = Page(render(found()))
    text = " ".join("".join(page.text).split())
    for part in ("Ada!", "— founded by →", "Acme was founded by Ada.", "predicted, 25.0%", "graph says so", "0.75"):
        assert part in text
    assert page.open == []
    marks = [attributes.get("class") for attributes in page.named("g")]
    assert {"node linked", "node answer", "node other", "link path", "link predicted", "link other"} <= set(marks)
    assert {"href": "#answer-1"} in page.named("a")
    assert "near in graph" not in text.split("How to read this")[0]  # says nothing of it


def test_untrusted_text_stays_text():
    text = render(found(ATTACK))
    page = Page(text)
    assert page.named("script") == []
    assert page.named("img") == []
    assert "<script" not in text
    assert not [
        value for _, held in page.tags for name, value in held.items() if name.startswith("on") or name == "src"
    ]


def test_the_page_needs_nothing_from_elsewhere():
    text = render(found())
    assert "http" not in text.replace("http-equiv", "")
    assert "url(#tip)" in text


def test_a_page_without_answers_says_so(tmp_path):
    empty = found(answers=[], linked=[], relations=[], around=[], notes=["nothing is near"])
    assert statement(empty) == "Nothing was found."
    text = render(empty)
    assert "Nothing is near." in text
    assert "<svg" not in text
    place = write_page(empty, tmp_path / "p.html")
    assert place.read_text(encoding="utf-8") == text
    with pytest.raises(ConfigError, match="does not exist"):
        write_page(empty, tmp_path / "no" / "p.html")


def test_the_terminal_says_why():
    console = Console(width=160, record=True)
    print_found(found(), console)
    said = console.export_text()
    assert "'the Ada' is Acme (name 1.00)" in said
    assert "facts .8, text .2" in said or "facts .8, text .3" in said
    assert "Acme – founded by → Ada!" in said
    assert "predicted 25%" in said
    assert "First of 1: Ada!, as the graph says." in said


def test_pills_do_not_overlap_and_stay_inside():
    rng = np.random.default_rng(0)
    nodes = [Node(str(i), "name" * int(rng.integers(1, 7))) for i in range(30)]
    arrows = [Arrow(str(rng.integers(30)), str(rng.integers(30)), "r") for _ in range(40)]
    places = layout(nodes, arrows)
    assert places == layout(nodes, arrows)
    at = np.array([places[node.key] for node in nodes])
    assert (at[:, 0] > 0).all()
    assert (at[:, 0] < 1120).all()
    close = (np.abs(at[:, None] - at[None])[:, :, 1] < TALL) & (np.abs(at[:, None] - at[None])[:, :, 0] < 40)
    assert close.sum() == len(nodes)  # each with itself


def test_what_a_link_says_has_room_between_its_ends():
    rng, said = np.random.default_rng(1), "headquartered in"
    nodes = [Node(str(i), f"name {i}") for i in range(30)]
    arrows = [Arrow(str(i), str(int(rng.integers(i))), said) for i in range(1, 30)]
    places = layout(nodes, arrows)
    wide = LETTER * len("name 10") + PADDING
    for arrow in arrows:
        aside, below = np.abs(np.subtract(places[arrow.head], places[arrow.tail]))
        assert aside - wide >= LINK_LETTER * len(said) or below - TALL >= GAP[1] - 1e-6


def test_links_between_two_are_one_arrow_and_loops_none():
    nodes = [Node("a", "a"), Node("b", "b")]
    arrows = [
        Arrow("a", "b", "likes"),
        Arrow("a", "b", "knows", "path"),
        Arrow("a", "a", "is"),
        Arrow("b", "a", "hears"),
    ]
    picture = str(drawing(nodes, arrows))
    assert picture.count("<line") == 2
    assert "knows, likes" in picture
    assert drawing([], []) == ""
    assert "<line" not in drawing([Node("a", "a")], [])
