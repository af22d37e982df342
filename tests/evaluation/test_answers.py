"""Scores of answers: VQA accuracy by its definition, its normalisation with the quirks, WUPS on a small taxonomy."""

import sys
from itertools import combinations
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.errors import ArrayError, ConfigError, DataError, MissingExtraError
from fusible.evaluation import _wups
from fusible.evaluation._vqa import MENDED, normal, tidy
from fusible.evaluation.answers import answer_scores, exact, vqa_accuracy, wordnet, wups

ANSWERS = st.sampled_from(["2", "two", "a 2", "Two.", "3", "red", "the red", "Red", "no,", "dont"])
PEOPLE = st.lists(ANSWERS, min_size=2, max_size=10)
SIGNS = st.text(alphabet=st.sampled_from("abtwo 2,.;/[]\"{}()=+\\_-><@`?!'\n"), max_size=20)
PARENTS = {"dog": "animal", "cat": "animal", "animal": "thing", "car": "thing", "thing": None}


class Node:
    """A node of a taxonomy of five nouns, with the similarity of Wu & Palmer."""

    def __init__(self, name):
        self.path = []
        while name is not None:
            self.path.insert(0, name)
            name = PARENTS[name]

    def wup_similarity(self, other):
        shared = sum(a == b for a, b in zip(self.path, other.path, strict=False))
        return 2 * shared / (len(self.path) + len(other.path)) if shared else None


def meanings(word):
    """Meanings in the taxonomy."""
    return [Node(word)] if word in PARENTS else []


def one(answer, reference, threshold):
    """WUPS of one answer."""
    return float(wups([answer], [[reference]], threshold, meanings)[0])


@given(ANSWERS, PEOPLE)
def test_accuracy_is_its_definition(answer, people):
    others = list(people)
    if len(set(others)) > 1:
        answer_, others = normal(answer), [normal(other) for other in others]
    else:
        answer_ = answer
    subsets = list(combinations(range(len(others)), len(others) - 1))
    enough = min(3, len(others) - 1)  # ten people in the official evaluation, where this is 3
    wanted = np.mean([min(1, sum(others[i] == answer_ for i in subset) / enough) for subset in subsets])
    assert vqa_accuracy([answer], [people])[0] == pytest.approx(wanted)


@pytest.mark.parametrize(("agree", "score"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)])
def test_accuracy_by_how_many_of_ten_agree(agree, score):
    assert vqa_accuracy(["yes"], [["yes"] * agree + ["no"] * (10 - agree)])[0] == pytest.approx(score)


def test_answers_are_normalised_only_where_people_disagree():
    assert vqa_accuracy(["Two"], [["2"] * 9 + ["3"]])[0] == 1.0
    assert vqa_accuracy(["Two"], [["2"] * 10])[0] == 0.0
    assert vqa_accuracy(["the dog"], [["The dog"] * 10])[0] == 0.0
    assert vqa_accuracy([" dog\n"], [["dog\t"] * 10])[0] == 1.0


def test_few_people_who_agree_are_right():
    assert vqa_accuracy(["red"] * 3, [["red"] * people for people in (2, 3, 4)]).tolist() == [1.0, 1.0, 1.0]
    assert vqa_accuracy(["red"], [["red", "blue"]])[0] == 0.5


def test_a_single_reference_is_right_or_not():
    assert vqa_accuracy(["red", "blue"], [["red"], ["red"]]).tolist() == [1.0, 0.0]


@given(PEOPLE, st.randoms(use_true_random=False))
def test_order_of_people_does_not_matter(people, order):
    mixed = list(people)
    order.shuffle(mixed)
    answer = people[0]
    assert vqa_accuracy([answer], [mixed])[0] == pytest.approx(vqa_accuracy([answer], [people])[0])


@pytest.mark.parametrize(
    ("answer", "reading"),
    [
        ("The two dogs", "2 dogs"),
        ("an apple, a pear", "apple pear"),
        ("None", "0"),
        ("eleven", "eleven"),
        ("dont know", "don't know"),
        ("couldnt've", "couldn't've"),
        ("somebody'd", "somebodyd"),
        ("let's", "let's"),
        ("twas", "'twas"),
        ("red/blue", "red blue"),  # a sign is a blank
        ("red/ blue", "red blue"),  # but nothing beside a blank
        ("t-shirt -", "tshirt"),  # wherever that is
        ("1,000 t-shirts", "1000 tshirts"),  # and with a comma between digits
        ("10,a", "10"),
        ("1.5 m.", "1.5 m"),
        (".5", ".5"),
        ("U.S.", "us"),
        ("5. street", "5 street"),  # a full stop after a digit goes: the look-behind is misspelt
        ("it's", "it's"),
        ("what?!", "what"),
        ("", ""),
        ("the", ""),
    ],
)
def test_normalisation(answer, reading):
    assert normal(answer) == reading


def test_no_more_than_32_full_stops_go():
    assert normal("." * 40 + "x") == "." * 8 + "x"


@given(SIGNS)
def test_a_normal_answer_has_no_signs_articles_or_capitals(text):
    found = normal(tidy(text))
    assert not set(found) & set(';/[]"{}()=+\\_-><@`,?!\n\t')
    assert not set(found.split()) & {"a", "an", "the", "two"}
    assert found == found.lower() == " ".join(found.split())


def test_contractions_miss_one_apostrophe():
    assert len(MENDED) == 114
    assert all(len(right) == len(wrong) + 1 for wrong, right in MENDED.items() if wrong != "somebody'd")
    assert {"hell", "shell", "well", "ill", "id", "were", "its", "lets"}.isdisjoint(MENDED)


def test_exact_match_is_plain():
    found = exact(["Red ", "2", "the red", "straße"], [["red"], ["two"], ["red"], ["STRASSE", "x"]])
    assert found.tolist() == [1.0, 0.0, 0.0, 1.0]


def test_wups_by_hand():
    # dog and cat share animal and thing: 2 * 2 / (3 + 3); dog and car share thing: 2 * 1 / (3 + 2)
    assert one("dog", "dog", 0.9) == 1.0
    assert one("dog", "cat", 0.0) == pytest.approx(2 / 3)
    assert one("dog", "cat", 0.9) == pytest.approx(2 / 30)
    assert one("dog", "cat", 2 / 3) == pytest.approx(2 / 3)
    assert one("dog", "car", 0.0) == pytest.approx(2 / 5)
    assert one("dog", "xyz", 0.0) == 0.0
    assert one("xyz", "XYZ", 0.9) == 1.0


def test_wups_of_sets_takes_the_worse_direction():
    # both words of the answer are near "dog": 1 * 2/3; the one right word is said
    assert one("dog, cat", "dog", 0.0) == pytest.approx(2 / 3)
    assert one("dog", "dog, cat", 0.0) == pytest.approx(2 / 3)
    assert one("cat,car", "dog,car", 0.0) == pytest.approx(2 / 3)
    assert one("car, dog", "dog,car", 0.9) == 1.0
    assert one("", "", 0.9) == 1.0
    assert one("", "dog", 0.9) == 0.0


def test_wups_is_the_mean_over_references():
    assert wups(["dog"], [["dog", "cat"]], 0.0, meanings)[0] == pytest.approx((1 + 2 / 3) / 2)


@given(
    st.lists(st.sampled_from([*PARENTS, "xyz"]), max_size=3), st.lists(st.sampled_from([*PARENTS, "xyz"]), max_size=3)
)
def test_wups_is_symmetric_bounded_and_lower_at_a_higher_threshold(a, b):
    a, b = ",".join(a), ",".join(b)
    low, high = one(a, b, 0.0), one(a, b, 0.9)
    assert 0.0 <= high <= low <= 1.0
    assert low == pytest.approx(one(b, a, 0.0))
    assert one(a, a, 0.9) == 1.0


def test_summary_with_and_without_wordnet(monkeypatch):
    answers, references = ["dog", "Two"], [["dog", "dog", "cat"], ["2", "two", "3"]]
    found = answer_scores(answers, references, meanings)
    assert found.corpus["vqa"] == pytest.approx(2 / 3)
    assert found.corpus["exact"] == 1.0
    assert found.corpus["wups_0.0"] == pytest.approx(((2 + 2 / 3) / 3 + 1 / 3) / 2)
    assert found.items["wups_0.9"].shape == (2,)
    monkeypatch.setattr(_wups, "find_spec", lambda name: None)
    without = answer_scores(answers, references)
    assert without.corpus["wups_0.9"] is None
    assert without.items["wups_0.0"] is None
    assert without.corpus["vqa"] == found.corpus["vqa"]


def test_absent_wordnet_is_told_in_a_line(monkeypatch):
    monkeypatch.setattr(_wups, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="'nltk'") as caught:
        wups(["dog"], [["cat"]])
    assert "\n" not in str(caught.value)


class Corpus:
    """What nltk's lazy corpus shows: nouns after `ensure_loaded`, or a `LookupError`."""

    NOUN = "n"

    def __init__(self, there):
        self.there = there

    def ensure_loaded(self):
        if not self.there:
            raise LookupError("a long\nmessage")

    def synsets(self, word, pos):
        assert pos == "n"
        return [Node("dog")] if word == "hot_dog" else meanings(word)


@pytest.mark.parametrize("there", [True, False])
def test_wordnet_of_nltk_is_used_where_its_corpus_is(monkeypatch, there):
    package, module = ModuleType("nltk"), ModuleType("nltk.corpus")
    module.wordnet = Corpus(there)
    monkeypatch.setitem(sys.modules, "nltk", package)
    monkeypatch.setitem(sys.modules, "nltk.corpus", module)
    monkeypatch.setattr(_wups, "find_spec", lambda name: object())
    if there:
        assert wups(["hot dog"], [["cat"]], 0.0)[0] == pytest.approx(2 / 3)
        assert [node.path[-1] for node in wordnet()("car")] == ["car"]
        return
    with pytest.raises(MissingExtraError, match="corpus 'wordnet'") as caught:
        wordnet()
    assert "\n" not in str(caught.value)
    assert answer_scores(["dog"], [["dog"]]).corpus["wups_0.9"] is None


@pytest.mark.parametrize(
    ("answers", "references", "error", "words"),
    [
        ([], [], DataError, "none"),
        (["a"], [[]], DataError, "item 0 has no reference"),
        (["a"], ["red"], DataError, "item 0 are one string"),
        (["a", "b"], [["a"]], ArrayError, "got 2 answers for 1 items"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_a_line(answers, references, error, words):
    with pytest.raises(error, match=words):
        answer_scores(answers, references, meanings)


def test_a_threshold_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="from 0 to 1"):
        wups(["a"], [["a"]], 1.5, meanings)
