"""PTB tokenisation: our sentences as Stanford's tokenizer split them, the live tokenizer where it is, any text."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.evaluation._ptb import tokens
from fusible.evaluation._ptb_characters import SPELLING, shape
from fusible.evaluation._ptb_rules import RULES

SENTENCES = json.loads(Path(__file__).with_name("ptb_sentences.json").read_text(encoding="utf-8"))
LEFT_OUT = {"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"}
JAVA = find_spec("pycocoevalcap") is not None and shutil.which("java") is not None
SIGNS = st.text(alphabet=st.sampled_from("ab BX.,'-!?’“”\"()/:5 0@#&$%<>½é中😀\t\n\xa0\xad…–"), max_size=30)


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence["text"][:30])
def test_sentences_are_split_as_java_split_them(sentence):
    assert tokens(sentence["text"]) == sentence["tokens"]


@pytest.mark.skipif(not JAVA, reason="pycocoevalcap or java is not there; the stored sentences are checked")
def test_the_live_tokenizer_says_the_same():
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    texts = [sentence["text"] for sentence in SENTENCES]
    apart = [line for text in texts for line in (text, "zz")]  # the next line would be read ahead otherwise
    found = PTBTokenizer().tokenize({number: [{"caption": line}] for number, line in enumerate(apart)})
    split = [[token for token in found[2 * number][0].split(" ") if token] for number in range(len(texts))]
    assert [tokens(text) for text in texts] == split


@given(st.text(max_size=60) | SIGNS)
def test_any_text_is_split_into_tokens_without_blanks_or_punctuation(text):
    found = tokens(text)
    assert all(found)
    assert not any(token in LEFT_OUT or set(token) & set(" \t\n") for token in found)


@given(st.lists(st.sampled_from(["dog", "Red", "isn't", "U.S.", "5kg", "(a)", "well-known", "don’t"]), max_size=8))
def test_words_apart_are_split_one_by_one(words):
    assert tokens(" ".join(words)) == [token for word in words for token in tokens(word)]


@given(st.text(max_size=40), st.sampled_from([" ", "  ", " . ", " ! "]))
def test_blanks_around_change_nothing(text, blank):
    assert tokens(f"{blank}dog {text}") == tokens(f"dog {text}")


@given(st.text(max_size=60))
def test_a_shape_is_as_long_as_its_text_and_ascii_stands_for_itself(text):
    assert len(shape(text)) == len(text)
    printed = "".join(chr(number) for number in range(32, 127))
    assert shape(printed) == printed


def test_every_caption_of_flickr_like_words_takes_the_short_way():
    assert tokens("A Dog runs , and a cat sleeps .") == ["a", "dog", "runs", "and", "a", "cat", "sleeps"]


def test_line_breaks_are_blanks():
    for sign in "\n\r\x0b\x0c\x85\u2028\u2029":
        assert tokens(f"one{sign}two") == ["one", "two"], hex(ord(sign))


def test_a_very_long_caption_is_split():
    assert tokens("a dog's ball " * 2_500) == ["a", "dog", "'s", "ball"] * 2_500


def test_symbols_that_are_spelt_otherwise_are_one_character():
    assert all(len(sign) == 1 and shape(sign) == "½" for sign in SPELLING)


def test_rules_say_where_they_begin():
    # A rule is tried only where its kind of first character stands: every match must begin with one.
    kinds = {"a": "aBé\u0300", "1": "5٣", ".": "'’&<>.-@#(+!?*_\\~‘½"}
    for text in [sentence["text"] for sentence in SENTENCES]:
        shaped = shape(text)
        for rule in RULES:
            for match in rule.pattern.finditer(shaped):
                if match.end() > match.start():
                    first = shaped[match.start()]
                    kind = "1" if first in "0123456789٣" else "a" if first.isalpha() or first == "\u0300" else "."
                    assert kind in rule.begins, (rule.pattern.pattern, match.group())
    assert all(set(rule.begins) <= set(kinds) for rule in RULES)
