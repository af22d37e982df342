"""Caption scores: what pycocoevalcap gave for our captions, the live package where it is, closed forms and bounds."""

import contextlib
import io
import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusible.errors import ArrayError, ConfigError, DataError, MissingExtraError
from fusible.evaluation import _meteor
from fusible.evaluation._bleu import bleu, bleu_counts
from fusible.evaluation._cider import KEPT
from fusible.evaluation.captions import CiderD, caption_ratio, caption_scores, corpus_bleu, rouge_l, tokenize

STORED = json.loads(Path(__file__).with_name("caption_scores.json").read_text(encoding="utf-8"))
CANDIDATES, REFERENCES = STORED["candidates"], STORED["references"]
HERE = find_spec("pycocoevalcap") is not None
JAVA = HERE and shutil.which("java") is not None
VOCABULARY = ["a", "red", "blue", "dog", "cat", "runs", "sits", "on", "grass", "isn't", "5kg", "U.S."]
WORDS = st.lists(st.sampled_from(VOCABULARY), max_size=7).map(" ".join)
ITEMS = st.lists(st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=3)), min_size=1, max_size=5)


def scores(candidates, references):
    """Scores without METEOR."""
    return caption_scores(candidates, references, with_meteor=False)


@pytest.mark.parametrize("name", [name for name in STORED["corpus"] if name != "meteor"])
def test_scores_are_those_that_pycocoevalcap_gave(name):
    found = scores(CANDIDATES, REFERENCES)
    assert found.corpus[name] == pytest.approx(STORED["corpus"][name], abs=1e-6)
    np.testing.assert_allclose(found.items[name], STORED["items"][name], atol=1e-6)


@pytest.mark.skipif(not HERE, reason="pycocoevalcap is not there; the stored scores are checked")
@settings(max_examples=30, deadline=None)
@given(ITEMS)
def test_scores_are_those_of_the_live_package(items):
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    candidates, references = [c for c, _ in items], [r for _, r in items]
    said = {i: [" ".join(words)] for i, words in enumerate(tokenize(candidates))}
    others = {i: [" ".join(words) for words in tokenize(row)] for i, row in enumerate(references)}
    found = scores(candidates, references)
    with contextlib.redirect_stdout(io.StringIO()):
        corpus, each = Bleu(4).compute_score(others, said)
        peers = {"rouge_l": Rouge().compute_score(others, said)}
        if any(" ".join(row).strip() for row in others.values()):  # the original finds no n-gram, and fails
            peers["cider_d"] = Cider().compute_score(others, said)
    peers |= {f"bleu_{n + 1}": (corpus[n], each[n]) for n in range(4)}
    for name, (whole, values) in peers.items():
        assert found.corpus[name] == pytest.approx(whole, abs=1e-6), name
        np.testing.assert_allclose(found.items[name], values, atol=1e-6, err_msg=name)


@pytest.mark.skipif(not JAVA, reason="pycocoevalcap or java is not there")
def test_meteor_is_the_stored_one():
    found = caption_scores(CANDIDATES, REFERENCES)
    assert found.corpus["meteor"] == pytest.approx(STORED["corpus"]["meteor"], abs=1e-6)
    np.testing.assert_allclose(found.items["meteor"], STORED["items"]["meteor"], atol=1e-6)


def test_meteor_that_is_required_and_absent_names_what_to_install(monkeypatch):
    monkeypatch.setattr(_meteor, "find_spec", lambda name: None)
    assert "meteor" not in caption_scores(["a dog"], [["a dog"]]).corpus
    with pytest.raises(MissingExtraError, match=r"fusible\[captions\]"):
        caption_scores(["a dog"], [["a dog"]], with_meteor=True)
    monkeypatch.setattr(_meteor, "find_spec", lambda name: object())
    monkeypatch.setattr(_meteor.shutil, "which", lambda name: None)
    assert "meteor" not in caption_scores(["a dog"], [["a dog"]]).corpus
    with pytest.raises(MissingExtraError, match="'java'"):
        caption_scores(["a dog"], [["a dog"]], with_meteor=True)


def test_closed_forms():
    found = scores(["the dog runs"], [["a dog runs fast", "the the the the the"]])
    # three of three words; pairs "the dog" wrong, "dog runs" right; three words against the closest length, four
    short = np.exp(1 - 4 / 3)
    assert found.corpus["bleu_1"] == pytest.approx(short)
    assert found.corpus["bleu_2"] == pytest.approx(short * np.sqrt(1 / 2), abs=1e-6)
    # best precision 2/3, best recall 2/4
    assert found.corpus["rouge_l"] == pytest.approx((1 + 1.44) * (2 / 3) * (1 / 2) / (1 / 2 + 1.44 * 2 / 3))
    # two errors of four words, against four of five
    assert (found.errors[0], found.words[0], found.corpus["wer"]) == (2, 4, 0.5)
    assert found.corpus["exact"] == 0.0
    # an item alone has no rare n-grams
    assert found.corpus["cider_d"] == 0.0


def test_cider_of_two_items_by_hand():
    # "red" stands in one of two items: log 2; "circle" in both: 0. One bigram each, in one item, log 2.
    references = [["red circle"], ["blue circle"]]
    found = CiderD(references).score(["red circle", "red circle"], references)
    # own item: cosine 1 for n = 1 and 2, nothing for 3 and 4: 10 * 2 / 4. Other item: only "circle", of weight 0.
    np.testing.assert_allclose(found, [5.0, 0.0])
    # a word said twice is counted twice, and clipped: 1 / 2 for n = 1; lengths differ by two pairs
    twice = CiderD(references).score(["red red circle circle"], references[:1])
    unigram, bigram = 1 / 2, 1 / np.sqrt(3)
    np.testing.assert_allclose(twice, 10 * (unigram + bigram) / 4 * np.exp(-(2**2) / (2 * 6.0**2)))


def test_cider_of_fixed_frequencies_scores_any_part():
    scorer = CiderD(REFERENCES)
    whole = scorer.score(CANDIDATES, REFERENCES)
    np.testing.assert_allclose(whole, STORED["items"]["cider_d"], atol=1e-6)
    part = slice(3, 9)
    np.testing.assert_array_equal(scorer.score(CANDIDATES[part], REFERENCES[part]), whole[part])
    np.testing.assert_array_equal(scorer.score(CANDIDATES, REFERENCES), whole)  # from what is kept


def test_cider_keeps_no_more_than_its_limit(monkeypatch):
    assert KEPT > 3
    monkeypatch.setattr("fusible.evaluation._cider.KEPT", 3)
    scorer = CiderD(REFERENCES)
    np.testing.assert_allclose(scorer.score(CANDIDATES, REFERENCES), STORED["items"]["cider_d"], atol=1e-6)
    assert len(scorer._cider._kept) <= 3


@settings(deadline=None)
@given(ITEMS)
def test_bounds(items):
    found = scores([c for c, _ in items], [r for _, r in items])
    for name, values in found.items.items():
        assert np.isfinite(values).all(), name
        assert (values >= 0).all(), name
        if name != "wer":
            assert (values <= (10 if name == "cider_d" else 1) + 1e-6).all(), name
    assert found.corpus["wer"] == pytest.approx(found.errors.sum() / max(found.words.sum(), 1))
    np.testing.assert_allclose([found.corpus[f"bleu_{n}"] for n in range(1, 5)], corpus_bleu(found.bleu_counts))


@settings(deadline=None)
@given(ITEMS, st.randoms(use_true_random=False))
def test_order_of_items_and_of_references_does_not_matter(items, order):
    found = scores([c for c, _ in items], [r for _, r in items])
    rows = list(range(len(items)))
    order.shuffle(rows)
    mixed = scores([items[i][0] for i in rows], [items[i][1][::-1] for i in rows])
    for name, values in found.items.items():
        np.testing.assert_allclose(mixed.items[name], values[rows], atol=1e-9, err_msg=name)
        assert mixed.corpus[name] == pytest.approx(found.corpus[name], abs=1e-9), name


@settings(deadline=None)
@given(ITEMS)
def test_saying_a_reference_is_perfect(items):
    references = [row for _, row in items]
    found = scores([row[-1] for row in references], references)
    assert found.corpus["exact"] == 1.0
    assert found.corpus["wer"] == 0.0
    np.testing.assert_allclose(found.items["rouge_l"], 1.0)


def test_a_long_caption_repeated_is_perfect():
    caption = "the red dog isn't sitting on the grass"
    found = scores([caption, "a cat"], [[caption.upper()], ["a cat"]])
    assert found.items["bleu_4"][0] == pytest.approx(1.0, abs=1e-6)
    assert found.items["cider_d"][0] == pytest.approx(10.0)


def test_punctuation_and_case_are_not_scored():
    plain = scores(["a dog runs"], [["a dog sits"]])
    marked = scores(["A dog, runs!"], [['"A DOG" sits...']])
    assert plain.corpus == marked.corpus


def test_empty_captions():
    found = scores(["", "a dog"], [["a dog"], [""]])
    assert found.items["rouge_l"].tolist() == [0.0, 0.0]
    assert found.errors.tolist() == [2, 2]
    assert found.words.tolist() == [2, 0]
    assert found.items["wer"].tolist() == [1.0, 2.0]
    both = scores([""], [[" "]])
    assert both.corpus["exact"] == 1.0
    assert both.corpus["wer"] == 0.0
    assert rouge_l([], [[]]) == 1.0  # as the original: one empty word each


def test_texts_of_which_no_word_is_left_are_compared_as_they_are():
    found = scores(["🐈", "?", " 🐈 ", "."], [["🐕"], ["!", "?"], ["🐈"], ["a dog", "!"]])
    assert found.items["exact"].tolist() == [0.0, 1.0, 1.0, 0.0]
    assert found.errors.tolist() == [1, 0, 0, 2]  # one error of one word is no better than two of two
    assert found.words.tolist() == [1, 1, 1, 2]


@pytest.mark.parametrize("metric", ["cider_d", "rouge_l", "exact", "wer"])
def test_one_metric_alone_is_that_of_all_and_runs_nothing_else(metric, monkeypatch):
    candidates, references = [*CANDIDATES, "?", "🐈"], [*REFERENCES, ["!"], ["🐈"]]
    found = scores(candidates, references)
    monkeypatch.setattr("fusible.evaluation.captions.meteor_is_here", lambda: True)
    monkeypatch.setattr("fusible.evaluation.captions.meteor", lambda *_: pytest.fail("METEOR is not needed"))
    one = caption_ratio(candidates, references, metric)
    np.testing.assert_allclose(one.top, found.errors if metric == "wer" else found.items[metric])
    assert one.value == pytest.approx(found.corpus[metric])


def test_one_metric_that_is_unknown_is_refused():
    with pytest.raises(ConfigError, match="metric 'bleu': expected one of"):
        caption_ratio(["a"], [["a"]], "bleu")


def test_word_errors_choose_the_reference_of_fewest_per_word():
    # one error of two words, or two of eight
    found = scores(["a b c d e f g h"], [["a b c d e f x y", "a z"]])
    assert (found.errors[0], found.words[0]) == (2, 8)


def test_counts_of_bleu_are_those_of_items_and_sum_to_the_corpus():
    found = scores(CANDIDATES, REFERENCES)
    # a dog runs: three words, the closest reference has three; two words, no pair are right
    assert bleu_counts(["a", "dog", "runs"], [["the", "dog"], ["a", "b", "c"]]).tolist() == [
        3,
        3,
        3,
        2,
        1,
        0,
        2,
        0,
        0,
        0,
    ]
    assert bleu(found.bleu_counts)[5, 3] == pytest.approx(found.items["bleu_4"][5])
    assert corpus_bleu(found.bleu_counts)[3] == pytest.approx(STORED["corpus"]["bleu_4"], abs=1e-6)


@pytest.mark.parametrize(
    ("candidates", "references", "error", "words"),
    [
        ([], [], DataError, "none"),
        (["a"], [[]], DataError, "item 0 has no reference"),
        (["a"], ["a dog"], DataError, "item 0 are one string"),
        (["a", "b"], [["a"]], ArrayError, "got 2 candidates for 1 items"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_a_line(candidates, references, error, words):
    with pytest.raises(error, match=words) as caught:
        caption_scores(candidates, references)
    assert "\n" not in str(caught.value)


def test_one_string_is_no_list_of_captions():
    with pytest.raises(DataError, match="one string"):
        tokenize("a dog")
    with pytest.raises(DataError, match="none"):
        CiderD([])
