"""The page and the terminal of a search: whole, escaped, self-contained; players only of what is a sound or a video."""

import json
import os
import re
from dataclasses import replace
from datetime import date, datetime
from io import StringIO

import numpy as np
import pytest
from _goods import wave
from _page import ATTACK, Page
from rich.console import Console

from fusible.errors import ConfigError
from fusible.evaluation.explanation import Saliency
from fusible.evaluation.retrieved import Retrieval, Retrieved
from fusible.evaluation.study import Difference, Score
from fusible.report import search
from fusible.report.retrieval import print_retrieval
from fusible.report.search import marked, print_indexed, print_results, render, statement, write_page
from fusible.tasks._search_results import Hit, Results
from fusible.tasks.indexing import Indexed

VOID = b"\x1aE\xdf\xa3" + bytes(100)


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wave(0, np.random.default_rng(0)))
    return path


@pytest.fixture
def found(png, sound):
    """Results of one hit with everything, and one that only the words found."""
    picture = png(np.full((20, 30, 3), 90))
    hit = Hit(
        "item-1", 0.03, 0.912, "photo", {"photo": 0.912, "note": 0.4, "fused": 0.8},
        {"note": "a red cup", "price": 3.5, "sound": "a.wav", "shop": None}, "a red cup", ["red"], ["item-7", "item-9"],
        {"sound": str(sound)}, {"photo": picture}, [Saliency("note", "note", "words", [0.1, 0.4], ["a ", "red cup"])],
    )  # fmt: skip
    other = Hit("item-2", 0.01, None, None, {}, {"note": "red", "price": 1.0}, "red", ["red"])
    query = [
        {"view": "note", "modality": "text", "said": "red things"},
        {"view": "photo", "modality": "image", "said": "q.png", "media": picture},
        {"view": "sound", "modality": "audio", "said": "a.wav", "media": str(sound)},
    ]
    kinds = {"note": "text", "photo": "image", "sound": "audio", "clip": "video"}
    return Results(
        [hit, other], query, "fused", ["note", "photo", "sound", "fused"], 60, "price < 9", True, kinds, ["a note"],
        1.5, "fusible search index --text 'red things'",
    )  # fmt: skip


def test_the_page_says_everything(found):
    page = Page(render(found))
    assert page.open == []
    text = " ".join(" ".join(page.text).split())
    for said in (
        "2 of 60 rows; the first matches by 'photo'.", "red things", "91.2%", "by photo", "item-1", "all views",
        "80.0%", "40.0%", "price", "3.5", "+2 alike", "item-7, item-9", "where", "price < 9",
        "blended by reciprocal rank", "a note", found.command, "by what it adds (at most 0.400)",
    ):  # fmt: skip
        assert said in text, said
    assert "shop" not in text
    assert page.named("mark") == [{}]  # the first text is shaded by what its words add
    assert [a["src"][:22] for a in page.named("img")] == ["data:image/png;base64,"] * 2
    assert [a["src"][:22] for a in page.named("audio")] == ["data:audio/wav;base64,"] * 2
    bars = [a["style"] for a in page.named("i")]
    assert bars == ["width:91.2%", "width:80.0%", "width:40.0%"]


def test_results_are_plain_values(found):
    cells = {"when": date(2020, 2, 1), "at": datetime(2020, 2, 1, 3), "worth": float("nan"), "stock": np.int64(3)}
    hit = replace(found.hits[0], columns=cells, saliency=[Saliency("a", "a", "words", np.ones(2), ["b", "c"])])
    held = json.loads(json.dumps(replace(found, hits=[hit]).to_json(), allow_nan=False))
    said = {"when": "2020-02-01", "at": "2020-02-01 03:00:00", "worth": None, "stock": 3}
    assert held["hits"][0]["columns"] == said
    assert held["hits"][0]["saliency"][0]["values"] == [1.0, 1.0]
    assert json.loads(json.dumps(hit.to_json()))["columns"] == said


def test_a_cell_is_left_out_only_where_it_names_the_file_that_is_shown(found):
    cells = {
        "sound": "sounds/a.wav",
        "other": "./../sounds/a.wav",
        "format": "wav",
        "last": "av",
        "name": "ounds/a.wav",
    }
    hit = replace(found.hits[0], columns=cells, media={"sound": "/data/sounds/a.wav"}, saliency=[])
    text = " ".join(" ".join(Page(render(replace(found, hits=[hit]))).text).split())
    assert [name for name in cells if f"{name} {cells[name]}" in text] == ["format", "last", "name"]


def test_text_of_the_user_is_escaped(found):
    hit = replace(
        found.hits[0], id=ATTACK, view=ATTACK, chances={ATTACK: 0.5}, columns={ATTACK: ATTACK}, text=ATTACK,
        words=["script"], alike=[ATTACK], saliency=[Saliency(ATTACK, ATTACK, "words", [1.0], [ATTACK])],
        previews={ATTACK: found.hits[0].previews["photo"]}, media={ATTACK: ATTACK},
    )  # fmt: skip
    part = {"view": ATTACK, "modality": "audio", "said": ATTACK, "media": ATTACK}
    text = render(
        replace(
            found, hits=[hit], query=[part], where=ATTACK, notes=[ATTACK], command=ATTACK, modalities={ATTACK: "image"}
        )
    )
    page = Page(text)
    assert page.open == []
    assert page.named("script") == []
    assert all(attributes["src"].startswith("data:image/") for attributes in page.named("img"))
    assert all("onerror" not in attributes for _, attributes in page.tags)
    assert not re.search(r"(src|href)=.?http", text)


def test_only_sounds_and_videos_are_embedded_or_linked(found, tmp_path, monkeypatch):
    secret, clip, large = tmp_path / "secret.wav", tmp_path / "c d.webm", tmp_path / "large.webm"
    secret.write_text("password")
    clip.write_bytes(VOID)
    large.write_bytes(VOID + bytes(search.PLAYED))

    def players(**media):
        hit = replace(found.hits[0], media={name: str(path) for name, path in media.items()})
        page = Page(render(replace(found, hits=[hit], query=[])))
        return [a["src"] for tag in ("audio", "video") for a in page.named(tag)]

    assert players(sound=secret) == []
    assert players(sound=tmp_path / "gone.wav") == []
    assert [source[:23] for source in players(clip=clip)] == ["data:video/webm;base64,"]
    assert players(clip=large) == [large.as_uri()]
    assert players(sound=clip, clip=clip) == players(clip=clip)
    monkeypatch.setattr(search, "ALL_PLAYED", 10)
    assert players(clip=clip) == [clip.as_uri()]


def test_a_pipe_is_not_read(found, tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    hit = replace(found.hits[0], media={"sound": str(tmp_path / "pipe.wav")})
    assert Page(render(replace(found, hits=[hit], query=[]))).named("audio") == []


def test_own_columns_do_not_take_the_place_of_what_is_said_of_a_hit(found):
    hit = replace(found.hits[0], columns={"id": 7, "score": 9.0, "column_id": "x", "price": 2.0})
    frame = replace(found, hits=[hit]).frame
    assert frame.columns.tolist() == [
        "id", "score", "chance", "view", "alike", "column_column_id", "column_score", "column_id", "price",
    ]  # fmt: skip
    assert frame.iloc[0].tolist()[:2] == ["item-1", 0.03]
    assert frame.iloc[0].tolist()[5:] == [7, 9.0, "x", 2.0]


def test_a_sound_kept_in_the_index_is_played(found, sound):
    hit = replace(found.hits[0], media={}, previews={"sound": sound.read_bytes()})
    page = Page(render(replace(found, hits=[hit], query=[])))
    assert [a["src"][:22] for a in page.named("audio")] == ["data:audio/wav;base64,"]


def test_patches_lie_over_their_picture(found):
    patches = Saliency("photo", "photo", "patches", [[0.0, 0.5], [-0.25, 0.1]])
    page = Page(render(replace(found, hits=[replace(found.hits[0], saliency=[patches])], query=[])))
    assert page.open == []
    assert len(page.named("img")) == 1
    assert len([a for a in page.named("rect") if a.get("width") == "1"]) == 4


def test_nothing_found_is_said(found):
    empty = replace(found, hits=[])
    assert statement(empty) == "Nothing was found among the rows that the filter leaves."
    assert statement(replace(empty, where=None)) == "Nothing was found."
    assert Page(render(empty)).open == []


def test_marked_words_are_whole_words():
    assert marked("red, reddish <red>", ["red"]) == "<mark>red</mark>, reddish &lt;<mark>red</mark>&gt;"
    assert marked("", ["red"]) == ""


def test_the_page_is_written_whole(found, tmp_path):
    path = write_page(found, tmp_path / "out.html")
    assert path.read_text() == render(found)
    with pytest.raises(ConfigError, match="does not exist"):
        write_page(found, tmp_path / "no" / "out.html")


def printed(show, found, width=100):
    stream = StringIO()
    show(found, Console(file=stream, width=width, color_system=None))
    assert max(map(len, stream.getvalue().splitlines())) <= width
    return " ".join(stream.getvalue().split())


@pytest.mark.parametrize("width", [60, 120])
def test_the_terminal_says_what_was_found(found, width):
    text = printed(print_results, found, width)
    for said in ("91.2%", "photo", "a red cup", "words", "2 of 60 rows", "a note"):
        assert said in text, said


def test_the_terminal_says_what_was_indexed():
    failures = [{"id": str(i), "view": "photo", "message": f"row {i}: broken"} for i in range(25)]
    views = {"photo": {"rows": 50, "width": 3, "search": "exact", "why": "fewer than 50000 rows"}}
    text = printed(print_indexed, Indexed("i", 60, 50, 10, 0, 2, failures, ["left out"], index={"views": views}))
    for said in (
        "60 rows: 50 added, 10 changed, 2 deleted", "photo: 50 vectors of 3, exact search, fewer than 50000 rows",
        "not read: row 19: broken (id '19', view 'photo')", "and 5 more; --json lists all", "left out",
    ):  # fmt: skip
        assert said in text, said
    assert "row 20" not in text
    assert "3 rows: nothing to do" in printed(print_indexed, Indexed("i", 3))


def test_the_terminal_says_how_well_views_find_one_another():
    score = {
        "recall_any@1": Score(0.5, 0.4, 0.6),
        "median_rank": Score(2.0, 1.0, 3.0),
        "mean_recall": Score(0.6, 0.5, 0.7),
    }
    rows = [
        Retrieved("a -> b", "both", "chosen", 10, 20, score),
        Retrieved("a -> b", "chance", "chance", 10, 20, score),
    ]
    views = [{"name": "a", "encoder": "text_tfidf", "why": "a test"}, {"name": "b", "encoder": "x", "why": "y"}]
    gain = Difference(0.1, 0.0, 0.2)
    result = Retrieval("both", "mean_recall", rows, [], {"train": 100, "test": 20}, views, gain, "plain cca")
    result.differences = {"a -> b": Difference(0.1, -0.05, 0.2)}
    text = printed(print_retrieval, result)
    for said in (
        "both · a + b · 100 train, 20 test rows",
        "0.500",
        "0.500 to 0.700",
        "a: encoder text_tfidf (a test)",
        result.statement,
        "a -> b: +0.100 against plain cca (95 % interval −0.050 to +0.200)",
    ):
        assert said in text, said
