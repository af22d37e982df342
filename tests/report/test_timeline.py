"""The page and the terminal of a film's timeline: whole, escaped, self-contained, bounded; players of what there is."""

import json
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from io import BytesIO, StringIO
from itertools import pairwise

import numpy as np
import pytest
from _goods import wave
from _page import ATTACK, Page
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from fusible.errors import ConfigError
from fusible.report import _timeline_lanes, timeline
from fusible.report._players import link
from fusible.report._timeline_lanes import Block, covered, curves, joined, lanes, rows, ticks
from fusible.report._timeline_story import MOST_PICTURES, MOST_WORDS, statement, story, transcript
from fusible.report.timeline import print_timeline, render, write_page
from fusible.tasks.video.timeline import LANES, Entry, KeyFrame, Timeline, ordered

MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(100)
FACTS = {"seconds": 64.0, "frames_per_second": 25.0, "width": 640, "height": 360, "picture": True, "sound": True}


def jpeg(shade, size=(32, 18)):
    buffer = BytesIO()
    Image.new("RGB", size, (shade, shade, shade)).save(buffer, "JPEG")
    return buffer.getvalue()


def entries():
    shots = [Entry("shot", 8.0 * k, 8.0 * k + 8, f"shot {k + 1}", 0.9) for k in range(8)]
    sights = [Entry("sight", 0.0, 24.0, "dog", 0.8), Entry("sight", 16.0, 32.0, "beach", 0.6)]
    sounds = [Entry("sound", 0.0, 27.5, "speech", 0.9), Entry("sound", 30.0, 64.0, "silence", 0.7)]
    words = [Entry("words", 9.0 + k / 2, 9.4 + k / 2, word) for k, word in enumerate(["well", "done", "Rex"])]
    events = [Entry("event", 41.0, 42.0, "jump", 0.55)]
    moments = [Entry("moment", 12.0, 20.0, "moment", 0.9), Entry("moment", 40.0, 44.0, "moment", 0.4)]
    return ordered([*shots, *sights, *sounds, *words, *events, *moments])


@pytest.fixture
def found():
    times = np.arange(0, 64, 0.5)
    lines = {"novelty": np.abs(np.sin(times)), "loudness": np.where(times < 30, -20 - times, np.nan)}
    frames = [KeyFrame(k, 8.0 * k + 2, jpeg(20 * k)) for k in range(8)]
    return Timeline(
        "films/rex.mp4", FACTS, entries(), frames, times, lines, {}, ["sound shorter: by 2 s", "damaged"],
        {"step": 0.5, "tags": {"how": "classes"}},
    )  # fmt: skip


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "rex.mp4"
    path.write_bytes(MP4)
    return path


def words_of(page):
    return " ".join(" ".join(page.text).split())


def held(text):
    return json.loads(re.search(r'id="held">(.*?)</script>', text, re.S).group(1))


def test_the_film_in_a_sentence(found):
    said = "8 shots in 1:04; speech in 43 %; dog, beach; events: jump; most important: 0:12 to 0:20."
    assert statement(found) == said
    assert statement(replace(found, entries=[])) == "1:04 of film."
    rare = [Entry("sight", 0.0, 3.0, "cat"), Entry("sight", 3.0, 7.0, "dog")]
    assert statement(replace(found, entries=rare)) == "1:04 of film; dog."
    assert statement(Timeline("a.wav", {"seconds": 3.0, "picture": False, "sound": True}, [])) == "0:03 of sound."
    assert statement(Timeline("a.mp4", {"seconds": 3.0, "sound": False}, entries()[:1])) == "1 shot in 0:08; no sound."


def test_the_page_says_everything(found, film):
    page = Page(render(found, film))
    assert page.open == []
    text = words_of(page)
    for said in (
        statement(found), "rex.mp4", "640 × 360", "sound shorter : by 2 s", "damaged", "0:10.0", "shot 2",
        "well done Rex",
        "Seen", "Heard", "Said", "Events", "Moments", "novelty", "−50 to −20", "frames per second", "films/rex.mp4",
        "tags.how", "classes", "38 %", "Shots · 8", "55 %", "This page is self-contained.",
    ):  # fmt: skip
        assert said in text, said
    cards = [a for a in page.named("button") if "data-from" in a]
    assert [(a["data-t"], a["data-from"], a["data-to"]) for a in cards[:2]] == [
        ("2.0", "0.0", "8.0"),
        ("10.0", "8.0", "16.0"),
    ]
    assert [a["src"][:23] for a in page.named("img")] == ["data:image/jpeg;base64,"] * 9
    assert [a["data-t"] for a in page.named("tr") if "data-t" in a][:3] == ["0.0", "8.0", "16.0"]
    assert [a["data-t"] for a in page.named("span") if "data-t" in a] == ["9.0", "9.5", "10.0"]
    assert page.named("noscript") == [{}]


def test_the_storyboard_tells_what_is_in_a_shot(found):
    second = story(found)[1]
    assert (second["number"], second["said"], second["moment"]) == (2, "well done Rex", True)
    assert [label for label, _ in second["tags"]] == ["dog", "speech"]
    assert story(found)[3]["moment"] is False
    alone = replace(found, entries=[], key_frames=[KeyFrame(7, 3.0, b"no picture")])
    assert (story(alone)[0]["number"], story(alone)[0]["picture"]) == (7, None)
    assert Page(render(alone)).open == []


def test_the_page_needs_nothing_outside_it(found, film):
    text = render(found, film)
    assert not re.search(r"https?:", text)
    assert "@import" not in text
    assert "url(" not in text
    page = Page(text)
    for _, attributes in page.tags:
        for name in ("src", "href", "poster"):
            assert attributes.get(name, "data:").startswith("data:")
    policy = next(a["content"] for a in page.named("meta") if "http-equiv" in a)
    script = re.search(r"<script>(.*?)</script>", text, re.S).group(1)
    assert f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy


def test_text_of_the_user_is_escaped(found, tmp_path):
    film = tmp_path / "<b>\"'.mp4"
    film.write_bytes(MP4)
    hostile = replace(
        found, file=ATTACK, warnings=[f"{ATTACK}: {ATTACK}"], settings={ATTACK: ATTACK},
        entries=[replace(entry, label=f"{ATTACK}</script>{{{{ 7 * 7 }}}}") for entry in found.entries],
        film={**FACTS, ATTACK: ATTACK}, curves={ATTACK: found.curves["novelty"]},
    )  # fmt: skip
    text = render(hostile, film, tmp_path / "page.html")
    page = Page(text)
    assert page.open == []
    assert [a.get("type") for a in page.named("script")] == ["application/json", None]
    assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert all(a["src"].startswith("data:image/") for a in page.named("img"))
    assert ATTACK[:20] in held(text)["labels"][0]


def test_names_that_are_no_text_are_written(found, tmp_path):
    path = write_page(replace(found, file="caf\udce9.mp4"), tmp_path / "out.html")
    assert "caf?.mp4" in path.read_text()


def test_a_small_film_is_embedded_and_a_large_one_is_linked(found, tmp_path, monkeypatch):
    film = tmp_path / "films" / "a b#1?.mp4"
    film.parent.mkdir()
    film.write_bytes(MP4)

    def source(page=None, film=film):
        return Page(render(found, film, page)).named("video")[0]["src"]

    assert b64decode(source().removeprefix("data:video/mp4;base64,")) == MP4
    monkeypatch.setattr(timeline, "PLAYED", 10)
    assert source() == film.as_uri()
    assert source(tmp_path / "out" / "page.html") == "../films/a%20b%231%3F.mp4"
    assert source(film.parent / "page.html") == "a%20b%231%3F.mp4"
    text = words_of(Page(render(found, film)))
    assert "but for the film, which is a link" in text
    assert "open it with another player" in text


def test_links_cannot_be_taken_for_a_scheme(tmp_path):
    assert link(tmp_path / "javascript:alert(1).mp4", tmp_path / "page.html") == "javascript%3Aalert%281%29.mp4"


def test_what_no_browser_plays_is_linked_for_another_player(found, tmp_path):
    film = tmp_path / "rex.avi"
    film.write_bytes(b"RIFF\x00\x00\x00\x00AVI " + bytes(50))
    page = Page(render(found, film, tmp_path / "page.html"))
    assert page.named("video")[0]["src"] == "rex.avi"
    assert "This browser cannot play this AVI file" in words_of(page)
    assert "Key frames are shown instead." in words_of(page)


def test_a_film_that_is_not_there_is_said(found, tmp_path):
    for film in (None, tmp_path / "gone.mp4", tmp_path):
        page = Page(render(found, film))
        assert page.named("video") == []
        assert "The film itself is not at hand" in words_of(page)


def test_sound_alone_has_a_player_of_sounds(found, tmp_path):
    path = tmp_path / "rex.wav"
    path.write_bytes(wave(0, np.random.default_rng(0)))
    heard = [entry for entry in found.entries if entry.lane in {"sound", "words"}]
    facts = {"seconds": 64.0, "width": 0, "height": 0, "picture": False, "sound": True}
    page = Page(render(replace(found, film=facts, key_frames=[], entries=heard), path))
    assert page.open == []
    assert [a["src"][:22] for a in page.named("audio")] == ["data:audio/wav;base64,"]
    assert page.named("video") == page.named("img") == []
    assert "Shot ›" not in words_of(page)


@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_a_film_in_which_nothing_was_found(seconds, film):
    empty = Timeline("a.mp4", {"seconds": seconds}, [])
    text = render(empty, film)
    page = Page(text)
    assert page.open == []
    assert f"0:0{seconds:.0f} of film." in words_of(page)
    assert page.named("details") == page.named("table")[1:] == []
    assert len(page.named("script")) == (2 if seconds else 0)


def test_the_clock_runs_to_the_last_entry(found):
    late = replace(found, entries=[Entry("sound", 60.0, 80.0, "speech")])
    assert held(render(late))["seconds"] == 80.0
    assert all(float(at) <= 100 for at in re.findall(r"(?:left|width):([\d.]+)%", render(late)))


def test_thousands_of_entries_stay_small():
    rng = np.random.default_rng(0)
    many = [
        Entry(lane, start, start + rng.exponential(3) + 0.1, f"{lane} {rng.integers(30)}", 0.5)
        for lane in LANES
        for start in rng.uniform(0, 3500, 5000)
    ]
    frames = [KeyFrame(k, 3.6 * k, jpeg(k % 255)) for k in range(1000)]
    times = np.arange(0, 3600, 0.1)
    curve = {"novelty": rng.normal(size=len(times))}
    text = render(Timeline("a.mp4", {"seconds": 3600.0}, ordered(many), frames, times, curve))
    page = Page(text)
    assert len(text) < 5_000_000
    assert len(page.named("i")) < 8_000
    assert len([a for a in page.named("tr") if "data-t" in a]) == len(LANES) * timeline.MOST_ROWS
    said = words_of(page)
    for note in (
        f"{MOST_PICTURES} of 1,000 pictures, evenly spaced", "4,800 more are in timeline.json",
        f"{5000 - MOST_WORDS:,} more are in timeline.json", "and 22 more labels",
    ):  # fmt: skip
        assert note in said, note


def test_a_lane_of_very_many_entries_is_joined(monkeypatch):
    monkeypatch.setattr(_timeline_lanes, "MOST_DRAWN", 100)
    monkeypatch.setattr(_timeline_lanes, "FINE", 50)
    words = [Entry("words", k, k + 0.9, f"w{k}") for k in range(1000)]
    lane = lanes(Timeline("a.mp4", {"seconds": 1000.0}, words))[0]
    assert lane["count"] == sum(block.count for block in lane["blocks"]) == 1000
    assert len(lane["blocks"]) <= 50
    assert lane["blocks"][0].label.startswith("160: w0, w1, w2, …")


SPANS = st.lists(st.tuples(st.floats(0, 90), st.floats(0.01, 30), st.sampled_from("abc")), max_size=40)


@given(SPANS, st.integers(1, 4))
def test_entries_of_a_row_overlap_only_where_no_row_is_free(spans, most):
    given_ = sorted(
        (Entry("sight", start, start + length, label) for start, length, label in spans), key=lambda e: e.start
    )
    found = rows(given_, most)
    assert all(0 <= row < most for row in found)
    for row in range(most - 1):
        ends = [(e.start, e.end) for e, place in zip(given_, found, strict=True) if place == row]
        assert all(end <= start + 1e-5 for (_, end), (start, _) in pairwise(ends))


@given(SPANS, st.floats(0.01, 20))
def test_joined_blocks_hold_all_entries_and_do_not_overlap(spans, pitch):
    blocks = [Block(start, start + length, [label], 0.5, 0, 1) for start, length, label in sorted(spans)]
    before = [(block.start, block.end, block.count) for block in blocks]
    found = joined(blocks, pitch)
    assert [(block.start, block.end, block.count) for block in blocks] == before
    assert sum(block.count for block in found) == len(blocks)
    assert all(a.end <= b.start + 1e-5 for a, b in pairwise(found))
    for start, end, _ in before:
        assert any(block.start <= start and end <= block.end for block in found)


@given(SPANS)
def test_covered_seconds_are_those_of_the_union(spans):
    marks = np.zeros(13_000, bool)
    whole = [(int(100 * start), int(100 * start) + int(100 * length)) for start, length, _ in spans]
    for start, end in whole:
        marks[start:end] = True
    assert covered(Entry("sound", s / 100, e / 100, "a") for s, e in whole) == pytest.approx(marks.sum() / 100)


@pytest.mark.parametrize(
    ("span", "first", "count"),
    [(0.5, ("0:00.0", "0:00.1"), 6), (64.0, ("0:00", "0:10"), 7), (7200.0, ("0:00", "15:00"), 9)],
)
def test_ticks_are_few_and_round(span, first, count):
    found = ticks(span)
    assert tuple(said for _, said in found[:2]) == first
    assert len(found) == count
    assert found[0][0] == 0
    assert found[-1][0] <= 100


def test_curves_leave_out_what_is_not_known(found):
    novelty, loudness = curves(found, 64.0)
    assert novelty["range"].endswith(" to 1")
    ((line, area),) = loudness["lines"]
    assert (line[:7], line[-10:]) == ("0.00,4 ", " 468.75,96")
    assert (area[:9], area[-11:]) == ("0.00,100 ", " 468.75,100")
    gone = replace(found, curves={"novelty": np.full(128, np.nan)})
    assert curves(gone, 64.0) == []


def test_a_transcript_breaks_at_pauses():
    said = [Entry("words", start, start + 0.4, "a") for start in (0.0, 0.5, 2.5, 3.0)]
    assert [len(line) for line in transcript(Timeline("a.mp4", {"seconds": 4.0}, said))] == [2, 2]


def test_the_page_is_written_whole(found, film, tmp_path):
    path = write_page(found, tmp_path / "out.html", film)
    assert path.read_text() == render(found, film, path)
    with pytest.raises(ConfigError, match="does not exist"):
        write_page(found, tmp_path / "no" / "out.html", film)


@pytest.mark.parametrize("width", [60, 120])
def test_the_terminal_says_what_was_found(found, width):
    stream = StringIO()
    hostile = replace(found, warnings=["[bold]odd[/bold]", *(f"warning {k}" for k in range(25))])
    print_timeline(hostile, Console(file=stream, width=width, color_system=None))
    assert max(map(len, stream.getvalue().splitlines())) <= width
    text = " ".join(stream.getvalue().split())
    for said in (
        "films/rex.mp4 · 1:04 · 640 × 360", "8 shots in 1:04", "well done Rex", "dog 38 %", "0:12 to 0:20",
        "[bold]odd[/bold]", "and 6 more warnings",
    ):  # fmt: skip
        assert said in text, said


def test_the_terminal_of_an_empty_film(capsys):
    print_timeline(Timeline("a.mp4", {"seconds": 0.0}, []))
    assert capsys.readouterr().out.split("\n")[1] == "0:00 of film."
