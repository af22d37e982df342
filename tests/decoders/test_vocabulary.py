"""Vocabularies: any text comes back as it was, and no text can say a special token."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.decoders._base import END, PAD, SPECIALS, START
from fusible.decoders._vocabulary import Vocabulary, stack_texts
from fusible.errors import ConfigError, ModelFormatError

TEXTS = ["a red circle", "a blue circle", "two red squares, and a circle"] * 3
LEARNED = Vocabulary.learn(TEXTS)


@given(st.text())
def test_any_text_comes_back(text):
    assert LEARNED.decode(LEARNED.encode(text, 10_000)) == text.encode("utf-8", "ignore").decode()


@pytest.mark.parametrize(
    "text", ["一只猫坐在沙发上。", "قطة على الأريكة", "🎉👩‍👩‍👧 ok ⭐", "[PAD] <s> </s>", "a  b ", " a"]
)
def test_scripts_emoji_and_spaces_come_back(text):
    for words in (LEARNED, Vocabulary.learn([text])):
        ids = words.encode(text)
        assert words.decode(ids) == text
        assert "".join(words.pieces(ids[1:-1].tolist())).removeprefix(" ") in {text, text.removeprefix(" ")}


def test_frequent_words_are_one_token_wherever_they_stand():
    ids = LEARNED.encode("circle a circle")[1:-1]
    assert ids[0] == ids[2]
    assert len(ids) == 3


def test_no_text_says_a_special_token():
    for text in ("[PAD]", "[START]", "[END]", "\x00\x01\x02"):
        inner = LEARNED.encode(text)[1:-1]
        assert inner.min() >= SPECIALS
    ids = LEARNED.encode("a")
    assert (ids[0], ids[-1]) == (START, END)
    assert LEARNED.decode([START, *ids[1:-1], END, PAD]) == "a"


def test_long_texts_are_cut_without_an_end():
    ids = LEARNED.encode("circle " * 10_000, longest=50)
    assert len(ids) == 51
    assert END not in ids
    assert len(LEARNED.encode("a circle", longest=2)) == 4


def test_one_word_is_a_vocabulary():
    words = Vocabulary.learn(["yes"])
    assert words.decode(words.encode("yes")) == "yes"
    assert words.size >= 256 + SPECIALS


def test_json_round_trip_and_files(tmp_path):
    again = Vocabulary(LEARNED.to_json())
    np.testing.assert_array_equal(again.encode("a red square"), LEARNED.encode("a red square"))
    (tmp_path / "tokenizer.json").write_text(LEARNED.to_json())
    assert Vocabulary.read(tmp_path).size == Vocabulary.read(tmp_path / "tokenizer.json").size == LEARNED.size
    with pytest.raises(ConfigError, match=r"expected a tokenizer\.json"):
        Vocabulary.read(tmp_path / "none.json")
    with pytest.raises(ModelFormatError, match="expected the JSON of a tokenizer"):
        Vocabulary("{}")


def test_a_pretrained_word_piece_tokenizer_serves(tmp_path):
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    plain = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "red": 2, "##s": 3, "circle": 4}, unk_token="[UNK]"))
    plain.normalizer = normalizers.Lowercase()
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    plain.decoder = decoders.WordPiece()
    plain.save(str(tmp_path / "tokenizer.json"))
    words = Vocabulary.read(tmp_path)
    assert words.encode("A red circles").tolist() == [START, 4, 5, 7, 6, END]
    assert words.decode(words.encode("a red circles")) == "a red circles"


def test_ids_of_a_tokenizer_may_have_gaps(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    def saved(last):
        plain = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "red": 2, "dog": last}, unk_token="[UNK]"))
        plain.pre_tokenizer = pre_tokenizers.Whitespace()
        plain.save(str(tmp_path / "tokenizer.json"))
        return tmp_path

    words = Vocabulary.read(saved(50))
    ids = words.encode("a red dog")
    assert words.size == 51 + SPECIALS == ids.max() + 1
    assert words.decode(ids) == "a red dog"
    assert words.decode([*ids, 30 + SPECIALS]) == "a red dog"  # an id that nothing has says nothing
    with pytest.raises(ConfigError, match="expected ids below 2000000, got 2000000; number its tokens") as caught:
        Vocabulary.read(saved(2_000_000))
    assert "\n" not in str(caught.value)


def test_stacked_texts_are_padded():
    stacked = stack_texts([np.array([START, 9, END]), np.array([START, END])])
    assert stacked["ids"].tolist() == [[START, 9, END], [START, END, PAD]]
    assert stacked["lengths"].tolist() == [3, 2]
    assert stack_texts([])["ids"].shape == (0, 2)
