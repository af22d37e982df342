"""Link prediction: what a graph follows is learned, validation triples choose, models are kept."""

import numpy as np
import pandas as pd
import pytest
import torch

from fusible.data.graph import read_graph
from fusible.errors import ConfigError, DataError, ModelFormatError, RegistryError
from fusible.tasks.knowledge._links_network import LinkNetwork, LinkSettings
from fusible.tasks.knowledge.links import FREQUENT, fit_links
from fusible.tasks.knowledge.links_model import load_links

PEOPLE = 40
SETTINGS = LinkSettings(width=16, batch=64, epochs=40, look=10)


@pytest.fixture(scope="module")
def graph():
    """Two colleges; who is at one knows the next five of it and is known by the five before."""
    rows = []
    for college in ("north", "south"):
        names = [f"{college} {number}" for number in range(PEOPLE // 2)]
        for place, name in enumerate(names):
            rows.append((name, "at", college))
            for step in range(1, 6):
                other = names[(place + step) % len(names)]
                rows += [(name, "knows", other), (other, "known by", name)]
    return read_graph(pd.DataFrame(rows, columns=["head", "relation", "tail"]))


@pytest.fixture(scope="module")
def links(graph):
    return fit_links(graph, scorers=("complex", "transe"), penalties=(0.001, 0.01), settings=SETTINGS)


def test_what_follows_from_the_graph_is_found(links):
    assert [row.name for row in links.rows] == [FREQUENT, "complex", "transe"]
    assert links.row(links.chosen).test["mrr"].score > 0.8
    assert links.row(FREQUENT).test["mrr"].score < 0.3
    assert links.difference.low > 0.3
    assert links.chosen == max(links.rows, key=lambda row: row.valid).name
    assert links.sizes["entities"] == PEOPLE + 2


def test_a_model_names_what_is_missing_and_what_is_known(links):
    model = links.model
    known = model.predict("at", head="north 3", k=1, known=True)
    assert known.to_dict("records")[0] | {"score": 0} == {"entity": "north", "score": 0, "known": True}
    assert "north" not in set(model.predict("at", head="north 3", k=50)["entity"])
    heads = model.predict("at", tail="south", k=20, known=True)["entity"]
    assert all(name.startswith("south ") for name in heads)
    assert np.exp(model.scores(np.array([[0, 0]]))).sum() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"relation": "at", "head": "nort 3"}, "no entity 'nort 3' in this graph: did you mean"),
        ({"relation": "born", "head": "north 3"}, "no relation 'born'"),
        ({"relation": "at"}, "give the head or the tail"),
        ({"relation": "at", "head": "a", "tail": "b"}, "give the head or the tail"),
        ({"relation": "at", "head": "north 3", "k": 0}, "k = 0"),
    ],
)
def test_a_question_that_names_nothing_is_refused_in_one_line(links, asked, said):
    with pytest.raises(ConfigError, match=said) as caught:
        links.model.predict(**asked)
    assert "\n" not in str(caught.value)


def test_a_saved_model_answers_alike(links, tmp_path):
    links.model.save(tmp_path / "m")
    again = load_links(tmp_path / "m")
    one, other = (model.predict("knows", head="south 4", known=True) for model in (links.model, again))
    pd.testing.assert_frame_equal(one, other)
    assert again.info["mrr"] == pytest.approx(links.row(links.chosen).test["mrr"].score)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("config.yaml", lambda text: text.replace("scorer: ", "scorer: os.")),
        ("config.yaml", lambda text: text.replace("width: 16", "width: 160000000")),
        ("preprocessing/entities.json", lambda text: "[]"),
        ("preprocessing/entities.json", lambda text: text.replace('"south 4", ', "")),
        ("preprocessing/relations.json", lambda text: "{}"),
    ],
)
def test_a_damaged_folder_is_refused(links, tmp_path, name, change):
    links.model.save(tmp_path / "m")
    path = tmp_path / "m" / name
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    with pytest.raises((ModelFormatError, RegistryError)) as caught:
        load_links(tmp_path / "m")
    assert "\n" not in str(caught.value)


def test_training_is_seeded(graph):
    quick = LinkSettings(width=4, batch=64, epochs=2, look=1)
    one, other, third = (fit_links(graph, penalties=(0.01,), settings=quick, seed=seed) for seed in (0, 0, 1))
    assert one.row("complex").valid == other.row("complex").valid
    weights = [result.model.network.entities.weight for result in (one, other, third)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_penalty_and_relations_are_part_of_the_loss():
    torch.manual_seed(0)
    network = LinkNetwork(5, 2, "complex", 3)
    torch.nn.init.normal_(network.entities.weight)
    queries, answers = torch.tensor([[0, 1], [3, 2]]), torch.tensor([4, 4])
    bare, weighed, told = (
        network.loss(queries, answers, LinkSettings(penalty=penalty, kinds=kinds)).item()
        for penalty, kinds in ((0.0, 0.0), (0.5, 0.0), (0.0, 2.0))
    )
    every = network.vectors()
    heads, tails = every[queries[:, 0]], every[answers]
    cubes = sum((part**3).sum() for part in network.scorer.factors(heads, queries[:, 1], tails))
    assert weighed - bare == pytest.approx(0.5 * cubes.item() / 2, rel=1e-4)
    right = torch.nn.functional.cross_entropy(network.scorer.kinds(heads, tails), queries[:, 1]).item()
    assert told - bare == pytest.approx(2 * right, rel=1e-4)


def test_what_cannot_be_learned_from_is_refused(tmp_path, graph):
    with pytest.raises(RegistryError, match="no part of scorers is called 'complx': did you mean complex"):
        fit_links(graph, scorers=("complx",), settings=SETTINGS)
    (tmp_path / "train.txt").write_text("a\tr\tb\n")
    (tmp_path / "test.txt").write_text("b\tr\ta\n")
    with pytest.raises(DataError, match="no valid triples"):
        fit_links(tmp_path)
