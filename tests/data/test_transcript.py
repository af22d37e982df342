"""Transcripts: captions and tables of words to cues, whatever their encoding; and what is said in a span."""

import json
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.data.transcript import Cue, Transcript, read_transcript
from fusible.errors import ConfigError, DataError, FusibleWarning, SchemaError

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Größe</i> zählt

2
00:00:02,000 --> 00:01:00,250
{\\an8}Two
lines &amp; more

3
01:00:00,5 --> 01:00:01,05 X1:40 X2:600
last
"""
CUES = [Cue(1.0, 2.5, "Größe zählt"), Cue(2.0, 60.25, "Two lines & more"), Cue(3600.5, 3601.05, "last")]
VTT = """WEBVTT - a title

STYLE
::cue { color: red }

NOTE a comment
with --> an arrow in it

intro
00:01.000 --> 00:02.500 align:start position:10%
<v.loud Ann>Größe</v> <00:01.500><c>zählt</c>

00:00:02.000 --> 00:01:00.250
Two
lines &amp; more

NOTE over

01:00:00.500 --> 01:00:01.050
last
"""


def write(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


@pytest.mark.parametrize(("name", "text"), [("a.srt", SRT), ("a.SRT", SRT.replace("\n", "\r\n")), ("a.vtt", VTT)])
def test_captions_become_cues(tmp_path, name, text):
    found = read_transcript(write(tmp_path, name, text))
    assert list(found.cues) == CUES
    assert found.skipped == ()
    assert len(found) == 3


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_mark_tells_the_encoding_without_a_warning(tmp_path, encoding):
    assert list(read_transcript(write(tmp_path, "a.srt", SRT, encoding)).cues) == CUES


@pytest.mark.parametrize(
    ("encoding", "named"), [("cp1252", "cp1252"), ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be")]
)
def test_a_guessed_encoding_is_told(tmp_path, encoding, named):
    path = write(tmp_path, "a.srt", SRT, encoding)
    with pytest.warns(FusibleWarning, match=f"not UTF-8, read as {named}, which is a guess"):
        assert list(read_transcript(path).cues) == CUES


def test_bytes_that_windows_1252_lacks_are_latin_1(tmp_path):
    path = write(tmp_path, "a.srt", SRT.replace("last", "l\x81st"), "latin-1")
    with pytest.warns(FusibleWarning, match="latin-1"):
        assert read_transcript(path).cues[0] == CUES[0]


def test_the_encoding_can_be_said(tmp_path):
    path = write(tmp_path, "a.srt", "1\n00:01.0 --> 00:02.0\nпоследний\n", "cp1251")
    assert read_transcript(path, encoding="cp1251").cues[0].text == "последний"
    with pytest.raises(DataError, match=r"not ascii: .*; leave the encoding out"):
        read_transcript(path, encoding="ascii")
    with pytest.raises(ConfigError, match="encoding 'klingon' is unknown"):
        read_transcript(path, encoding="klingon")


def test_bad_cues_are_skipped_counted_and_listed(tmp_path):
    text = (
        SRT
        + "\n4\n00:00:09,000 --> 00:00:08,000\nback\n\n5\n0:61 -> noon\nodd\n\n6\n00:00:01,0 --> 00:00:02,0\n<b></b>\n"
    )
    text += "\n7\n00:00:01,0 --> 00:00:01,0\nnothing\n"
    with pytest.warns(FusibleWarning, match=r"4 cues skipped: cue 5: times .*; and 1 more"):
        found = read_transcript(write(tmp_path, "a.srt", text))
    assert list(found.cues) == CUES
    assert sorted(problem.rows[0] for problem in found.skipped) == [4, 5, 6, 7]


def test_sloppy_files_are_read_as_players_do(tmp_path):
    text = "1\n00:00:01,000 --> 00:00:02,000\none\n2\n00:00:03,000-->00:00:04,000\n42\n\n"
    text += "still 42\n\n00:05.5 --> 00:06\nbare\n"
    assert [cue.text for cue in read_transcript(write(tmp_path, "a.srt", text)).cues] == ["one", "42 still 42", "bare"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.srt", b"", "the file is empty"),
        ("a.srt", b"just words\n", "no cues: expected lines such as 00:00:01,000 -->"),
        ("a.vtt", b"WEBVTT\n\n00:09.0 --> 00:08.0\nx\n", r"no cue that can be used: .*cue 1: ends at 8 s"),
        ("a.srt", bytes(range(256)) * 4, "not a text file"),
        ("a.srt", b"\xff\xfeabc", "damaged utf-16"),
        ("a.txt", b"words", "not a transcript: expected .srt, .vtt"),
        ("a.csv", b"start,end,word\n", "a table without rows"),
        ("a.csv", b"start,end,word\n1,2\n", "row 1: expected 3 cells, got 2"),
    ],
)
def test_what_is_no_transcript_is_refused_in_one_line(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message) as error:
        read_transcript(write(tmp_path, name, content))
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.srt: no such file"):
        read_transcript(tmp_path / "gone.srt")


ROWS = {"start": [1.0, 0.25], "end": [1.5, 0.75], "word": ["two", "one"]}
WORDS = [Cue(0.25, 0.75, "one"), Cue(1.0, 1.5, "two")]


def test_tables_of_words(tmp_path):
    csv = "start_s,end_s,word\n1,1.5,two\n0.25,0.75,one\n"
    write(tmp_path, "a.csv", csv)
    write(tmp_path, "b.tsv", csv.replace(",", "\t").replace("_s", ""))
    write(tmp_path, "c.csv", "Onset;Duration;Text\n1;0.5;two\n0.25;0.5;one\n")
    write(tmp_path, "d.csv", "start_ms,end_ms,text\n1000,1500,two\n250,750,one\n", "utf-16")
    rows = [dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)]
    write(tmp_path, "e.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.table(ROWS), tmp_path / "f.parquet")
    write(tmp_path, "g.csv", "begin,end,text\n00:00:01,00:00:01.5,two\n0:00:00.250,0:00:00.750,one\n")
    for path in sorted(tmp_path.iterdir()):
        assert list(read_transcript(path).cues) == WORDS, path.name


def test_a_table_without_the_columns_is_refused(tmp_path):
    with pytest.raises(SchemaError, match=r"expected columns for start, end and text .* got 'start', 'word'; rename"):
        read_transcript(write(tmp_path, "a.csv", "start,word\n1,a\n"))


def test_cells_that_are_no_times_are_skipped(tmp_path):
    with pytest.warns(FusibleWarning, match="2 cues skipped: cue 1: times nan to 2 s; cue 3: no text"):
        found = read_transcript(write(tmp_path, "a.csv", "start,end,word\nsoon,2,x\n1,2,y\n2,3,\n"))
    assert found.cues == (Cue(1.0, 2.0, "y"),)


def test_words_of_one_clip_of_many(data_folder):
    path = data_folder / "grid_s1" / "words.csv"
    if not path.is_file():
        pytest.skip("GRID is not there")
    found = read_transcript(path, clip="clips/bbaf3s.mp4")
    assert [cue.text for cue in found.cues] == ["bin", "blue", "at", "f", "three", "soon"]
    assert found.cues[0] == Cue(0.71, 0.9, "bin")
    with pytest.raises(DataError, match="800 clips in column 'clip'"):
        read_transcript(path)
    with pytest.raises(DataError, match="no row of clip 'nobody'"):
        read_transcript(path, clip="nobody")


def test_what_is_said_in_spans():
    said = Transcript((Cue(0.0, 4.0, "one two three four"), Cue(1.0, 2.0, "meanwhile"), Cue(10.0, 12.0, "你好吗啊")))
    starts, ends = np.array([[0.0, 2.0], [1.4, 4.0], [4.0, 9.0], [10.0, 11.0]]).T
    assert said.on(starts, ends) == [
        "one two meanwhile",
        "two three four meanwhile",
        "",
        "你好",
    ]
    assert said.during(0, 100) == "one two three four meanwhile 你好吗啊"


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0.01, 9), st.text("ab ", min_size=1, max_size=12)), max_size=8),
    st.lists(st.floats(0, 60), max_size=6),
)
def test_spans_that_divide_the_time_divide_the_words(rows, edges):
    said = Transcript(tuple(sorted((Cue(a, a + d, t) for a, d, t in rows), key=lambda cue: (cue.start, cue.end))))
    edges = np.array(sorted([0.0, *edges, 100.0]))
    parts = " ".join(said.on(edges[:-1], edges[1:])).split()
    assert sorted(parts) == sorted(" ".join(cue.text for cue in said.cues).split())


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 10**6), st.text("aé中 ", max_size=9)), min_size=1))
def test_captions_come_back_as_they_were_written(tmp_path, rows):
    def clock(ms):
        return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"

    blocks = [f"{n}\n{clock(a)} --> {clock(a + d)}\nx {text}\n" for n, (a, d, text) in enumerate(rows, start=1)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_transcript(write(tmp_path, "a.srt", "\n".join(blocks)))
    expected = [Cue(a / 1000, (a + d) / 1000, " ".join(f"x {text}".split())) for a, d, text in rows]
    assert sorted(_rounded(found.cues)) == sorted(_rounded(expected))


def _rounded(cues):
    return [(round(cue.start, 3), round(cue.end, 3), cue.text) for cue in cues]
