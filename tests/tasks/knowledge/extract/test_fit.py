"""The trained extractor: learns a planted language, tells places and probabilities, and is saved as it was."""

import json

import numpy as np
import pandas as pd
import pytest
from _triples import rows

import fusible
from fusible.errors import ConfigError, DataError, ModelFormatError
from fusible.tasks.knowledge.extract.extracted import Said
from fusible.tasks.knowledge.extract.fit import ExtractSettings, judged

SMALL = ExtractSettings(epochs=12, batch=10, rate=1e-2, hidden=48)
STRANGE = "Cork lies in Ireland. Murphy is the mayor of Cork."


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    return fusible.fit_extractor(
        pd.DataFrame(rows()), tune=False, settings=SMALL, cache=tmp_path_factory.mktemp("cache")
    )


def test_a_planted_language_is_read_of_names_never_seen(fitted):
    assert fitted.test["tolerant"]["f1"].score == 1.0
    assert fitted.aligned == 1.0
    surest = max(fitted.model.extract([STRANGE], threshold=0.0)[0], key=lambda one: one.confidence)
    assert (surest.head, surest.relation, surest.tail) == ("Cork", "country", "Ireland")


def test_places_are_those_of_the_words(fitted):
    for one in fitted.model.extract([STRANGE], threshold=0.0)[0]:
        assert STRANGE[slice(*one.head_at)] == one.head
        assert STRANGE[slice(*one.tail_at)] == one.tail
        assert one.sentence[0] <= min(one.head_at[0], one.tail_at[0])
        assert one.sentence[1] >= max(one.head_at[1], one.tail_at[1])
        assert 0 <= one.confidence <= 1


def test_texts_do_not_mix_and_empty_ones_say_nothing(fitted):
    long = " ".join(row["text"] for row in rows() * 2)
    together = fitted.model.extract(["", STRANGE, long, "   "], threshold=0.1)
    assert together[0] == together[3] == []
    alone = fitted.model.extract([STRANGE], threshold=0.1)[0]
    assert [(one.head, one.relation, one.tail) for one in together[1]] == [
        (one.head, one.relation, one.tail) for one in alone
    ]
    assert max(one.tail_at[1] for one in together[2]) > 1000, "the end of a long text is read as well"


def test_a_saved_model_says_the_same(fitted, tmp_path):
    fitted.model.save(tmp_path / "m")
    loaded = fusible.load_extractor(tmp_path / "m")
    assert loaded.name == fitted.model.name
    assert loaded.extract([STRANGE], threshold=0.0) == fitted.model.extract([STRANGE], threshold=0.0)
    config = (tmp_path / "m" / "config.yaml").read_text()
    (tmp_path / "m" / "config.yaml").write_text(config.replace("relations: 2", "relations: 3"))
    with pytest.raises(ModelFormatError, match="do not go with"):
        fusible.load_extractor(tmp_path / "m")


def test_a_graph_is_built_by_a_trained_extractor(fitted, tmp_path):
    fitted.model.save(tmp_path / "m")
    built = fusible.build_graph({"a": STRANGE}, tmp_path / "g", extractor=tmp_path / "m", encodings=False)
    assert built.store.info["extractors"] == [fitted.model.name]
    said = {(row["head"], row["relation"], row["tail"]) for row in built.store.triples.to_pylist()}
    assert said == {(one.head, one.relation, one.tail) for one in fitted.model.extract([STRANGE])[0]}


def test_results_are_plain(fitted):
    found = json.loads(json.dumps(fitted.to_json()))
    assert found["sizes"] == {"relations": 2, "names": 0, "train": 20, "valid": 2, "test": 2}
    assert set(found["test"]["exact"]) == {"precision", "recall", "f1"}


def test_a_threshold_is_a_probability(fitted):
    with pytest.raises(ConfigError, match="threshold = 2"):
        fitted.model.extract(["x"], threshold=2)


def test_what_is_odd_is_told():
    table = pd.DataFrame(
        [
            *({**row, "split": "train"} for row in rows()[:6]),
            {"text": "Nothing of it.", "triples": [["Ulm", "twin", "Lyon"]], "split": "train"},
            {"text": "", "triples": [["Ulm", "country", "Germany"]], "split": "train"},
            {**rows()[6], "split": "valid"},
            {"text": "Ulm loves Graz.", "triples": [["Ulm", "loves", "Graz"]], "split": "test"},
        ]
    )
    found = fusible.fit_extractor(table, settings=ExtractSettings(epochs=1, layers=1, hidden=8))
    told = " ".join(problem.message for problem in found.problems)
    assert "1 of 9 training triples could not be found in their texts, such as (Ulm, twin, Lyon)" in told
    assert "1 relation(s) stand in one training row only, such as 'twin'" in told
    assert "1 relation(s) of held-out rows are in no training row, such as 'loves'" in told
    assert "1 row(s) have no text" in told
    assert found.test["tolerant"]["f1"].score == 0.0


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([{"text": f"Town {n} lies.", "triples": []} for n in range(9)], "training rows have no triples"),
        ([{"text": f"a {n}", "triples": [["x", "r", f"y {n}"]]} for n in range(9)], "none of 7 triples could be found"),
        ([{"text": "a", "triples": [["x", "y"]]}], "row 1: expected a list of triples"),
        ([{"text": "a", "triples": "5"}], "row 1: expected a list of triples .* got '5'"),
        ([{"text": "a", "triples": 5}], "row 1: expected a list of triples .* got '5'"),
        ([{"text": 5, "triples": "[]"}], "row 1: expected a text, or a list of texts, got '5'"),
        ([{"text": "a", "triples": "[1"}], "row 1: expected a list of triples .* as JSON"),
        ([{"words": "a", "triples": "[]"}], "no column 'text'"),
        ([{"text": "a", "triples": '[["a", "r", "b"]]'}], "1 row.s. with different triples"),
        ([{"text": "a", "triples": '[["a", "r", "b"]]', "split": part} for part in ("train", "dev")], "no test texts"),
    ],
)
def test_pairs_that_cannot_be_used_are_one_line(table, message):
    with pytest.raises(DataError, match=message):
        fusible.fit_extractor(pd.DataFrame(table))


def test_layers_are_those_of_the_encoder():
    with pytest.raises(ConfigError, match="layers = 9"):
        fusible.fit_extractor(pd.DataFrame(rows()), settings=ExtractSettings(layers=9))


def test_judged_triples_are_the_surest_of_each_spelling():
    def say(head, confidence):
        return Said(head, "r", "b", (0, 9), (0, 1), (2, 3), confidence)

    confidence, right = judged([[say("A", 0.4), say("a", 0.9), say("c", 0.2)], []], [[("a", "r", "b")], []])
    np.testing.assert_array_equal(confidence, [0.9, 0.2])
    np.testing.assert_array_equal(right, [1, 0])
