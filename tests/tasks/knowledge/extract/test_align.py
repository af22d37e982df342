"""Alignment: where a text says a name, rule by rule; and how texts are cut into windows."""

import numpy as np
import pytest

from fusible.encoders.text_minilm import TextMinilm
from fusible.tasks.knowledge.extract._align import Spans, aligned, mentions
from fusible.tasks.knowledge.extract._names import names_of
from fusible.tasks.knowledge.extract._text import PIECES, batch_of, sentences, windows


@pytest.fixture(scope="module")
def tokenizer():
    return TextMinilm().tokenizer


def said(tokenizer, text, *names):
    (window,) = windows(tokenizer, [text])
    spans = Spans(text, window.words.tolist())
    return {name: [spans.slice(at) for at in places] for name, places in mentions(names, spans).items()}


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("The Aarhus airport is in Aarhus.", "Aarhus", ["Aarhus", "Aarhus"]),
        ("It serves Aarhus, Denmark.", '"Aarhus, Denmark"', ["Aarhus, Denmark"]),
        ("The Monument (Izmir) stands.", "Monument_(İzmir)", ["Monument (Izmir)"]),
        ("A.S. Roma plays.", "A.S._Roma", ["A.S. Roma"]),
        ("AFC Fylde plays.", "A.F.C._Fylde", ["AFC Fylde"]),
        ("It lies 25 metres up.", "25.0", ["25"]),
        ("It has 1,147 students.", "1147", ["1,147"]),
        ("Born on July 27th, 1932 in Ulm.", '"1932-07-27"', ["July 27th, 1932"]),
        ("Abilene is in Texas.", "Abilene,_Texas", ["Abilene"]),
        ("It lies in the US.", "United_States", ["US"]),
        ("It is told to us.", "United_States", None),
        ("It is written in English here.", "English_language", ["English"]),
        ("The language is old.", "English_language", None),
        ("Mr Shepard left.", "Alan_Shepard", ["Shepard"]),
        ("The Asser Levy baths are there.", "Asser_Levy_Public_Baths", ["Asser Levy baths"]),
        ("Nothing of it.", "Ulm", None),
    ],
)
def test_names_are_found_in_other_words(tokenizer, text, name, expected):
    assert said(tokenizer, text, name).get(name) == expected


def test_what_is_another_name_is_not_taken(tokenizer):
    found = said(tokenizer, "Aarhus Airport is here.", "Aarhus_Airport", "Aarhus_Airports")
    assert found == {"Aarhus_Airport": ["Aarhus Airport"]}


def test_triples_lead_from_every_mention_to_every_other():
    places = {"a": [(0, 1), (4, 5)], "b": [(2, 3)]}
    assert aligned([("a", "r", "b"), ("a", "r", "c")], places) == [((0, 1), "r", (2, 3)), ((4, 5), "r", (2, 3))]
    assert aligned([("a", "r", "a")], {"a": [(0, 1)]}) == []


def test_sentences_end_at_full_stops_that_are_no_abbreviations():
    text = 'Dr. J. B. Smith came. "He won." Then St. Louis grew 2.5 times! 45 came.\n\nend'
    assert [text[start:end] for start, end in sentences(text)] == [
        "Dr. J. B. Smith came.",
        '"He won."',
        "Then St. Louis grew 2.5 times!",
        "45 came.",
        "end",
    ]


def test_windows_hold_whole_sentences_and_every_word_once(tokenizer):
    text = " ".join(f"Town {n} lies in Germany." for n in range(60)) + " " + "Ulm " * 300
    held = windows(tokenizer, ["", text, "Ulm."])
    assert [one.text for one in held] == [1] * (len(held) - 1) + [2]
    assert all(len(one.ids) <= PIECES + 2 for one in held)
    words = np.concatenate([one.words for one in held[:-1]])
    assert "".join(text[a:b] for a, b in words) == text.replace(" ", "")
    for one in held:
        for (a, b), (first, last) in zip(one.words, one.pieces, strict=True):
            shown = tokenizer.decode(one.ids[first : last + 1].tolist()).replace(" ", "")
            assert shown == ["", text, "Ulm."][one.text][a:b].lower()


def test_a_word_longer_than_a_window_is_cut(tokenizer):
    (held,) = windows(tokenizer, ["汉" * 3 + " " + "a" * 90])
    assert held.pieces.max() < len(held.ids) - 1


def test_batches_know_the_sentence_of_each_word(tokenizer):
    import torch

    batch = batch_of(windows(tokenizer, ["Ulm lies. It grows.", "Ulm."]), torch.device("cpu"))
    assert batch.sentence.tolist() == [[0, 0, 0, 1, 1, 1], [0, 0, -1, -1, -1, -1]]
    assert batch.lengths.tolist() == [9, 5]


def test_names_need_to_be_sure():
    seen = [("r", "tail", "US", "United_States")] * 4 + [("r", "tail", "us", "Us_(film)")]
    assert names_of(seen) == {"r": {"tail": {"us": "United States"}}}
    assert names_of(seen[3:]) == {}
    assert names_of([("r", "tail", "Ulm", "Ulm")] * 3) == {}
