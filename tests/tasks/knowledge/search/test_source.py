"""What is searched: plain triples, stored graphs, and tables that tell more."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from _founders import ENTITIES, stored, table

from fusible.errors import DataError, SchemaError
from fusible.tasks.knowledge.search.documents import documents
from fusible.tasks.knowledge.search.source import searchable
from fusible.tasks.knowledge.search.words import key_of, label_of, words_of


def test_a_table_tells_names_types_and_descriptions():
    held = searchable(table(), ENTITIES)
    place = held.graph.entities.index("Acme")
    assert held.names[place] == ("Acme", "Acme Corporation", "ACM")
    assert held.types[place] == ("company",)
    assert held.about[place] == "makes anvils"
    assert held.graph.entities[-1] == "Far Away"  # only the table names it
    assert len(held.names) == len(held.types) == len(held.about) == len(held)
    assert documents(held)[place].startswith("Acme. company. makes anvils. founded by: Ada Low; based in: Ulm")


def test_a_stored_graph_brings_confidence_and_mentions(tmp_path):
    held = searchable(stored(tmp_path / "g"))
    assert held.confidence.tolist() == [0.5, *[0.9] * 9]
    assert held.names[held.graph.entities.index("Acme")] == ("Acme", "The Acme Works")
    assert held.about[0] == ""  # counts tell nothing
    assert held.mentions["triple"].tolist() == list(range(10))
    assert held.mentions["sentence"][0] == "Acme was founded by Ada Low."


def test_mentions_of_triples_that_the_graph_lacks_are_left_out(tmp_path):
    place = stored(tmp_path / "g")
    mentions = pd.read_parquet(place / "mentions.parquet")
    mentions.loc[0, "tail"] = "Nobody"
    mentions.to_parquet(place / "mentions.parquet")
    assert searchable(place).mentions["triple"].tolist() == list(range(1, 10))


def test_relations_get_labels_and_descriptions():
    graph = pd.DataFrame([("Q1", "P19", "Q2"), ("Q1", "runwayLength", "Q2")], columns=["head", "relation", "tail"])
    told = pd.DataFrame({"relation": ["P19", "P99"], "label": ["place of birth", "x"], "description": ["where", "y"]})
    held = searchable(graph, relations=told)
    assert held.labels == ["place of birth", "runway length"]
    assert held.told == ["where", ""]


def test_what_cannot_be_read_is_said_in_one_line(tmp_path):
    place = stored(tmp_path / "g")
    pd.DataFrame({"head": ["a"]}).to_parquet(place / "mentions.parquet")
    with pytest.raises(DataError, match=r"mentions\.parquet: no column 'relation'"):
        searchable(place)
    (place / "triples.parquet").write_text("no")
    with pytest.raises(DataError, match=r"triples\.parquet: not a Parquet file"):
        searchable(place)
    with pytest.raises(DataError, match="no triples"):
        searchable(pa.table({name: pa.array([], pa.string()) for name in ("head", "relation", "tail")}))
    with pytest.raises(DataError, match="none of the column 'relation' is in the graph"):
        searchable(table(), relations=pd.DataFrame({"relation": ["none"], "label": ["x"]}))
    with pytest.raises(SchemaError):
        searchable(table(), ENTITIES.rename(columns={"entity": "who"}))


def test_names_are_compared_by_stems():
    assert key_of("the Companies") == key_of("company") == "company"
    assert key_of("São Paulo") == key_of("Sao paulo")
    assert key_of("!!!") == "!!!"
    assert label_of("elevationAboveTheSeaLevel") == "elevation above the sea level"
    shown = [label_of(name) for name in ("<http://a/b>", "<b>bold</b>", "x <y>", " ", "__")]
    assert shown == ["http://a/b", "<b>bold</b>", "x <y>", " ", "__"]
    text = "Who founded Zoë's companies?"
    assert [text[word.start : word.end] for word in words_of(text)] == ["Who", "founded", "Zoë", "companies"]
    assert np.array([word.tells for word in words_of(text)]).tolist() == [False, True, True, True]
