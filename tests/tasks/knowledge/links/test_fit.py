"""Link prediction: what a graph follows is learned, validation triples choose, models are kept."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from fusible.data.graph import read_graph, split_graph
from fusible.errors import ConfigError, DataError, ModelFormatError, RegistryError, SchemaError
from fusible.evaluation.links import Known, per_triple
from fusible.tasks.knowledge.links import _fitting
from fusible.tasks.knowledge.links import model as link_model
from fusible.tasks.knowledge.links._fitting import Fitting
from fusible.tasks.knowledge.links._network import LinkNetwork, LinkSettings
from fusible.tasks.knowledge.links._train import Asked, ranked
from fusible.tasks.knowledge.links._weights import fit_weights, pooled
from fusible.tasks.knowledge.links.fit import FREQUENT, fit_links
from fusible.tasks.knowledge.links.model import LinkModel, load_links, log_chances, mean_chances
from fusible.tasks.knowledge.rules._pack import packed, unpacked
from fusible.tasks.knowledge.rules.mined import mine_rules

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


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("trained", torch.zeros(1, dtype=torch.bool)),
        ("trained", None),
        ("calibration", torch.full((3, 10), float("nan"))),
        ("weights", torch.full((6, 1), float("inf"))),
    ],
)
def test_numbers_that_cannot_be_are_refused(links, tmp_path, name, values):
    links.model.save(tmp_path / "m")
    path = tmp_path / "m" / "weights.safetensors"
    arrays = load_file(path)
    arrays[f"links.{name}"] = arrays[f"links.{name}"].to(torch.int64) if values is None else values
    save_file(arrays, path)
    with pytest.raises(ModelFormatError, match=rf"^weights.safetensors: links.{name}: expected"):
        load_links(tmp_path / "m")


def test_training_is_seeded(graph):
    quick = LinkSettings(width=4, batch=64, epochs=2, look=1)
    one, other, third = (fit_links(graph, penalties=(0.01,), settings=quick, seed=seed) for seed in (0, 0, 1))
    assert one.row("complex").valid == other.row("complex").valid
    weights = [result.model.networks[0].entities.own.weight for result in (one, other, third)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_mean_of_several_networks_is_a_candidate_and_kept_whole(graph, tmp_path):
    settings = LinkSettings(width=16, batch=64, epochs=20, look=10)
    result = fit_links(graph, penalties=(0.001,), settings=settings, members=3)
    assert [row.name for row in result.rows] == [FREQUENT, "complex", "complex:mean"]
    one, mean = result.row("complex"), result.row("complex:mean")
    assert mean.parameters == 3 * one.parameters
    assert mean.cpu_seconds > one.cpu_seconds
    assert result.chosen == max(result.rows, key=lambda row: row.valid).name
    model = result.model
    queries = np.array([[0, 0], [3, 4]])
    parts = [log_chances(network.scores(queries)) for network in model.networks]
    np.testing.assert_allclose(model.scores(queries), log_chances(np.mean(parts, axis=0)), rtol=1e-5)
    model.save(tmp_path / "m")
    again = load_links(tmp_path / "m")
    assert len(again.networks) == len(model.networks)
    np.testing.assert_array_equal(again.scores(queries), model.scores(queries))
    np.testing.assert_array_equal(again.probabilities(graph.triples[:5]), model.probabilities(graph.triples[:5]))
    with pytest.raises(ConfigError, match="members = 0"):
        fit_links(graph, members=0)


def test_a_penalty_and_relations_are_part_of_the_loss():
    torch.manual_seed(0)
    network = LinkNetwork(5, 2, "complex", 3)
    torch.nn.init.normal_(network.entities.own.weight)
    queries, answers = torch.tensor([[0, 1], [3, 2]]), torch.tensor([4, 4])
    bare, weighed, told = (
        network.loss(queries, answers, LinkSettings(penalty=penalty, kinds=kinds)).item()
        for penalty, kinds in ((0.0, 0.0), (0.5, 0.0), (0.0, 2.0))
    )
    every = network.entities()
    heads, tails = every[queries[:, 0]], every[answers]
    cubes = sum((part**3).sum() for part in network.scorer.factors(heads, queries[:, 1], tails))
    assert weighed - bare == pytest.approx(0.5 * cubes.item() / 2, rel=1e-4)
    right = torch.nn.functional.cross_entropy(network.scorer.kinds(heads, tails), queries[:, 1]).item()
    assert told - bare == pytest.approx(2 * right, rel=1e-4)


@pytest.mark.parametrize("scorer", ["complex", "rotate"])
def test_a_query_with_several_answers_is_scored_once_and_weighs_as_often_as_it_is_asked(scorer):
    torch.manual_seed(0)
    network = LinkNetwork(6, 2, scorer, 3)
    torch.nn.init.normal_(network.entities.own.weight)
    settings = LinkSettings(penalty=0.3, kinds=0.5, smoothing=0.1)
    queries, answers, counts = torch.tensor([[0, 1], [3, 2]]), torch.tensor([4, 2, 4, 1]), torch.tensor([3, 1])
    found = []
    for given in ((queries, answers, settings, counts), (queries.repeat_interleave(counts, 0), answers, settings)):
        network.zero_grad()
        loss = network.loss(*given)
        loss.backward()
        found.append([loss.detach(), *(parameter.grad.clone() for parameter in network.parameters())])
    for once, often in zip(*found, strict=True):
        torch.testing.assert_close(once, often, rtol=1e-4, atol=1e-6)


def test_smoothing_is_that_of_torch():
    torch.manual_seed(0)
    network = LinkNetwork(6, 2, "distmult", 3)
    torch.nn.init.normal_(network.entities.own.weight)
    queries, answers = torch.tensor([[0, 1], [3, 2]]), torch.tensor([4, 2])
    scores = torch.from_numpy(network.scores(queries.numpy()))
    expected = torch.nn.functional.cross_entropy(scores, answers, label_smoothing=0.2).item()
    assert network.loss(queries, answers, LinkSettings(penalty=0, smoothing=0.2)).item() == pytest.approx(expected)


def test_batches_hold_every_triple_both_ways_once():
    triples = np.array([[0, 0, 1], [0, 0, 2], [0, 0, 3], [4, 1, 3], [2, 1, 2]])
    found, sizes = [], []
    for queries, answers, counts in Asked(triples, 2).batches(3):
        asked = queries.repeat_interleave(counts, 0)
        found += torch.cat([asked, answers[:, None]], 1).tolist()
        sizes.append(len(answers))
        assert len(queries.unique(dim=0)) == len(queries)
    expected = [[h, r, t] for h, r, t in triples.tolist()] + [[t, r + 2, h] for h, r, t in triples.tolist()]
    assert sorted(found) == sorted(expected)
    assert len(sizes) > 1
    assert max(sizes) <= 3 + 2  # whole queries: the last one may go over


@pytest.mark.parametrize(
    ("given", "said"),
    [({"batch": 0}, "batch = 0"), ({"look": 0}, "look = 0"), ({"penalty": float("nan")}, "penalty = nan")],
)
def test_settings_out_of_their_range_are_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        LinkSettings(**given)


@pytest.mark.parametrize("given", [{"scorers": ()}, {"penalties": ()}])
def test_nothing_to_try_is_refused(graph, given):
    with pytest.raises(ConfigError, match="expected one of each"):
        fit_links(graph, **given)


def test_what_cannot_be_learned_from_is_refused(tmp_path, graph):
    with pytest.raises(RegistryError, match="no part of scorers is called 'complx': did you mean complex"):
        fit_links(graph, scorers=("complx",), settings=SETTINGS)
    (tmp_path / "train.txt").write_text("a\tr\tb\n")
    (tmp_path / "test.txt").write_text("b\tr\ta\n")
    with pytest.raises(DataError, match="no valid triples"):
        fit_links(tmp_path)


@pytest.fixture(scope="module")
def table():
    """What the people of the graph say of themselves; two have no links, some say nothing."""
    rows = [
        {"entity": f"{college} {number}", "about": f"studies at the {college} college, room {number}"}
        for college in ("north", "south")
        for number in range(PEOPLE // 2 + 1)
    ]
    for row in rows[::9]:
        row["about"] = None
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def told(graph, table, tmp_path_factory):
    options = {"settings": SETTINGS, "penalties": (0.001,), "cache": tmp_path_factory.mktemp("cache")}
    return fit_links(graph, entities=table, encoders={"about": "text_tfidf"}, **options)


def test_views_of_entities_are_candidates(told):
    assert [row.name for row in told.rows] == [
        FREQUENT, "complex", "complex:views", "complex+views", "complex:weighted",
    ]  # fmt: skip
    assert told.sizes["entities"] == PEOPLE + 4
    assert told.row("complex:views").test["mrr"].score > told.row(FREQUENT).test["mrr"].score
    assert told.model.views == ("about",)


def test_who_has_no_links_is_answered_by_what_is_said_of_him(told):
    model = told.model
    for cells, college in (("north 20", "north"), ("south 20", "south"), ({"about": "the south college"}, "south")):
        found = model.predict("at", head=cells, k=1)
        assert found["entity"].tolist() == [college]
    assert not model.networks[0].entities.seen[model.entities.index("north 20")]
    with pytest.raises(ConfigError, match="no column 'colour'; entities are told by about"):
        model.predict("at", head={"colour": "red"})


def test_who_has_no_links_is_an_answer_by_what_is_said_of_him(told):
    """Vectors of strangers are never trained: as answers, too, they are what their views say."""
    model, strangers = told.model, [told.model.entities.index(f"{college} 20") for college in ("north", "south")]
    query = np.array(
        [[model.entities.index("north"), len(model.relations) + model.relations.index("at")]]
    )  # who is at the north college?
    scores = model.scores(query)[0]
    assert scores[strangers[0]] > scores[strangers[1]]
    assert np.exp(scores).sum() == pytest.approx(1.0, abs=1e-4)


def test_what_training_never_sees_and_nobody_tells_of_has_a_score(graph):
    """A relation that only test triples have, an entity without links or text, loops and triples that stand twice."""
    rows = [(f"{graph.entities[h]}", graph.relations[r], graph.entities[t]) for h, r, t in graph.triples.tolist()]
    split = np.where(np.arange(len(rows)) % 10 == 0, "valid", np.where(np.arange(len(rows)) % 10 == 1, "test", "train"))
    table = pd.DataFrame(rows, columns=["head", "relation", "tail"]).assign(split=split)
    odd = [
        ("north 1", "likes", "north 2", "test"),
        ("north 3", "knows", "north 3", "train"),
        ("north 3", "knows", "north 3", "test"),
        ("stranger", "knows", "north 3", "test"),
    ]
    table = pd.concat([table, pd.DataFrame(odd, columns=table.columns)])
    about = pd.DataFrame(
        {"entity": ["north 1", "south 1", "stranger", "nobody"], "about": ["north", "south", None, None]}
    )
    settings = LinkSettings(width=4, batch=64, epochs=2, look=1)
    told = {"entities": about, "encoders": {"about": "text_tfidf"}}
    result = fit_links(table, settings=settings, penalties=(0.01,), **told)
    kinds = {(problem.kind, problem.column) for problem in result.problems}
    assert kinds == {("duplicate", "graph"), ("loop", "graph"), ("unseen", "entity"), ("unseen", "relation")}
    for row in result.rows:
        assert all(np.isfinite(score.score) for score in row.test.values())
    model = result.model
    for relation, head in (("likes", "north 1"), ("knows", "nobody"), ("likes", "stranger"), ("knows", "north 3")):
        assert model.predict(relation, head=head, k=5)["score"].notna().all()
    asked = table.loc[table["split"] == "test", ["head", "relation", "tail"]]
    assert model.classify(asked)["probability"].between(0, 1).all()


def test_what_is_measured_is_what_the_model_says_of_strangers_too(graph):
    rows = [(graph.entities[h], graph.relations[r], graph.entities[t], "train") for h, r, t in graph.triples.tolist()]
    odd = [("new", "at", "north", "test"), ("new", "knows", "north 3", "test"), *((*one[:3], "valid") for one in rows)]
    kept = [one for place, one in enumerate(rows) if place % 10]
    table = pd.DataFrame([*kept, *odd[:2], *odd[2::10]], columns=["head", "relation", "tail", "split"])
    about = pd.DataFrame({"entity": [*graph.entities, "new"], "about": [*graph.entities, "a north one"]})
    given = {"entities": about, "encoders": {"about": "text_tfidf"}, "penalties": (0.01,)}
    result = fit_links(table, settings=LinkSettings(width=4, batch=64, epochs=2, look=1), **given)
    model, names = result.model, result.model.entities
    triples = [(names.index(h), model.relations.index(r), names.index(t)) for h, r, t, _ in odd[:2]]
    size = len(model.relations)
    found = per_triple(ranked(model.scores, np.array(triples), Known(model.triples, size), size))
    np.testing.assert_allclose(result.row(result.chosen).values["mrr"], found["mrr"])


def test_a_model_with_views_is_saved_whole(told, tmp_path):
    told.model.save(tmp_path / "m")
    again = load_links(tmp_path / "m")
    for asked in ("north 3", "north 20", {"about": "studies at the north college"}):
        one, other = (model.predict("knows", head=asked) for model in (told.model, again))
        pd.testing.assert_frame_equal(one, other)


def test_without_a_table_strangers_are_refused(links):
    with pytest.raises(ConfigError, match="knows entities by their links alone"):
        links.model.predict("at", head={"about": "north"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda t: t.rename(columns={"entity": "name"}),
            "column 'entity': no such column; columns are 'name', 'about'",
        ),
        (lambda t: pd.concat([t, t.head(1)]), "'north 0' stands in two rows"),
        (lambda t: t.assign(entity=[None, *t["entity"][1:]]), "row 0 has no 'entity'"),
        (lambda t: t.assign(entity=[f"x{i}" for i in range(len(t))]), "none of the column 'entity' is in the graph"),
        (lambda t: t[["entity"]], "no column besides the name"),
    ],
)
def test_a_table_that_tells_of_nobody_is_refused(graph, table, change, said):
    with pytest.raises((DataError, SchemaError), match=said) as caught:
        fit_links(graph, entities=change(table), settings=SETTINGS)
    assert "\n" not in str(caught.value)


def test_weights_of_relations_are_those_that_are_right():
    """Views say nothing of the second relation; of the first, unit normal scores that are 2 higher where right.

    Log-likelihood ratios are then the scores of structure, 1 higher where right, and twice those of views.
    """
    rng = np.random.default_rng(0)
    kinds, answers = rng.integers(0, 2, 400), rng.integers(0, 9, 400)
    structure, views = rng.normal(size=(2, 400, 9)).astype(np.float32)
    structure[np.arange(400), answers] += 1.0
    first = np.flatnonzero(kinds == 0)
    views[first, answers[first]] += 2.0
    structure, views = log_chances(structure), log_chances(views)
    weights, held = fit_weights([structure, views], kinds, answers, 3, seed=0)
    assert held.shape == (400, 1)
    weights, held = weights[:, 0], held[:, 0]
    assert weights[0] == pytest.approx(2.0, abs=0.3)
    assert weights[1] < 0.2
    assert 0 < weights[2] < weights[0]  # nobody asked: that of all
    np.testing.assert_allclose(held, weights[kinds], atol=0.4)


def test_each_member_has_weights_of_its_own():
    """Scores that are 1 and 2 higher where right, with deviation one, weigh one to two; noise weighs nothing."""
    rng = np.random.default_rng(0)
    kinds, answers = rng.integers(0, 2, 400), rng.integers(0, 9, 400)
    members = list(rng.normal(size=(3, 400, 9)).astype(np.float32))
    for member, gain in zip(members, (1.0, 2.0, 0.0), strict=True):
        member[np.arange(400), answers] += gain
    members = [log_chances(member) for member in members]
    weights, held = fit_weights(members, kinds, answers, 2, seed=0)
    assert weights.shape == (2, 2)
    assert held.shape == (400, 2)
    np.testing.assert_allclose(weights[:, 0], 2.0, atol=0.4)
    assert (weights[:, 1] < 0.2).all()
    own = members[0] + held[:, :1] * members[1] + held[:, 1:] * members[2]
    np.testing.assert_allclose(pooled(members, held), own)


def test_weights_are_what_the_judge_finds_best():
    """A member that is too sure of what it remembers makes noise likely; ranks, which forgive that, leave it out."""
    rng = np.random.default_rng(0)
    kinds, answers = np.zeros(300, np.int64), rng.integers(1, 9, 300)
    first, noise = rng.normal(size=(2, 300, 9)).astype(np.float32)
    first[np.arange(300), answers] += 3.0
    first[:, 0] += 12.0  # what it remembers, and what nobody asks for
    noise[:, 0] -= 12.0
    members = [log_chances(first), log_chances(noise)]

    def judge(scores):
        own = scores[np.arange(300), answers]
        return float((1 / (scores[:, 1:] >= own[:, None]).sum(axis=1)).mean())

    likely, _ = fit_weights(members, kinds, answers, 1, seed=0)
    judged, held = fit_weights(members, kinds, answers, 1, seed=0, judge=judge)
    assert likely.min() > 0.5
    assert judged.max() < 0.2
    assert judge(pooled(members, held)) >= judge(members[0])


def test_candidates_are_compared_on_the_same_queries_where_weights_are_learned_on_some(graph, monkeypatch):
    fitting = Fitting(split_graph(graph), SETTINGS, seed=0)
    lead = np.random.default_rng(0).normal(size=(2 * len(graph.relations), len(graph.entities)))

    def said(queries):
        return lead[queries[:, 1]]

    def even(queries):
        return np.zeros((len(queries), len(graph.entities)))

    monkeypatch.setattr(_fitting, "MOST_QUERIES", 10)
    row, _ = fitting.weighted("both", [said, even])  # who says the same of all changes no rank
    assert row.valid == pytest.approx(fitting.valid(said))


def test_many_queries_are_scored_some_at_a_time(links, monkeypatch):
    queries = np.array([[place, place % 6] for place in range(20)])
    whole = links.model.scores(queries)
    monkeypatch.setattr(link_model, "CELLS", 3 * len(links.model.entities))
    parts = []
    scores = LinkModel._scores
    monkeypatch.setattr(LinkModel, "_scores", lambda model, rows: parts.append(len(rows)) or scores(model, rows))
    np.testing.assert_allclose(links.model.scores(queries), whole, rtol=1e-5, atol=1e-6)
    assert parts == [3] * 6 + [2]


def test_rules_that_explain_are_mined_once(links):
    first = links.model.reasoning()
    assert len(first)
    assert links.model.reasoning() is first


@pytest.fixture(scope="module")
def ruled(graph):
    return fit_links(graph, rules=True, penalties=(0.01,), settings=SETTINGS)


def test_rules_are_a_member_where_validation_says_so(ruled, graph):
    assert [row.name for row in ruled.rows] == [FREQUENT, "complex", "rules", "complex:rules"]
    assert ruled.row("rules").valid > ruled.row(FREQUENT).valid
    best = max((row for row in ruled.rows if row.kind == "scorer"), key=lambda row: row.valid)
    assert ruled.chosen == best.name
    assert (ruled.model.rules is None) == (ruled.chosen == "complex")
    if ruled.model.rules is not None:
        assert len(ruled.model.rules.triples) == ruled.sizes["train"]


def test_a_model_with_rules_is_saved_whole(ruled, graph, tmp_path):
    model = ruled.model
    rules = mine_rules(graph)
    weights = np.full((2 * len(graph.relations), 1), 0.7)
    model = LinkModel(model.networks[:1], model.entities, model.relations, model.triples, weights, rules=rules)
    model.save(tmp_path / "m")
    again = load_links(tmp_path / "m")
    assert again.rules.rules == rules.rules
    queries = np.array([[0, 0], [3, 1], [5, 4]])
    np.testing.assert_array_equal(again.scores(queries), model.scores(queries))
    own = log_chances(model.networks[0].scores(queries)) + 0.7 * rules.log_chances(queries)
    np.testing.assert_allclose(model.scores(queries), log_chances(own), rtol=1e-4, atol=1e-5)


def test_the_mean_of_several_networks_and_rules_are_two_members(graph, tmp_path):
    found = fit_links(graph, rules=True, members=2, penalties=(0.01,), settings=SETTINGS)
    assert {row.name for row in found.rows} >= {"complex:mean", "rules"}
    one, other = (torch.manual_seed(place) and _untrained(graph) for place in (1, 2))
    weights = np.full((2 * len(graph.relations), 1), 0.7)
    rules = mine_rules(graph)
    model = LinkModel((one, other), graph.entities, graph.relations, graph.triples, weights, rules=rules)
    queries = np.array([[0, 0], [3, 1], [5, 4]])
    own = mean_chances((one, other), queries) + 0.7 * rules.log_chances(queries)
    np.testing.assert_allclose(model.scores(queries), log_chances(own), rtol=1e-4, atol=1e-5)
    again = load_links(model.save(tmp_path / "m"))
    np.testing.assert_array_equal(again.scores(queries), model.scores(queries))


def _untrained(graph):
    return LinkNetwork(len(graph.entities), len(graph.relations), "complex", 8).eval()


@pytest.mark.parametrize(
    "damage",
    [
        lambda arrays: arrays.pop("heads"),
        lambda arrays: arrays["heads"].fill(99),
        lambda arrays: arrays["bodies"].fill(-1),
        lambda arrays: arrays["names"].fill(9_999),
        lambda arrays: arrays["figures"].fill(np.nan),
        lambda arrays: arrays.update(names=arrays["names"][:-1]),
    ],
)
def test_damaged_rules_are_refused(graph, damage):
    arrays = packed(mine_rules(graph))
    damage(arrays)
    with pytest.raises(ModelFormatError, match=r"weights.safetensors: rules"):
        unpacked(arrays, graph.entities, graph.relations)


@pytest.fixture(scope="module")
def carried(graph, table):
    quick = LinkSettings(width=8, batch=200, epochs=20, look=10)
    options = {"penalties": (0.001,), "settings": quick, "encoders": {"about": "text_tfidf"}}
    return fit_links(graph, entities=table, scorers=("complex:relational",), **options)


def test_vectors_are_carried_along_edges(carried):
    assert carried.rows[1].name == "complex:relational"
    assert carried.row("complex:relational").test["mrr"].score > carried.row(FREQUENT).test["mrr"].score + 0.2


def test_who_has_no_links_is_asked_about_in_a_network_too(carried, tmp_path):
    carried.model.save(tmp_path / "m")
    again = load_links(tmp_path / "m")
    for asked in ("north 3", "north 20", {"about": "studies at the north college"}):
        one, other = (model.predict("knows", head=asked) for model in (carried.model, again))
        pd.testing.assert_frame_equal(one, other)
    assert carried.model.stranger is not None
    assert len(carried.model.stranger.triples) == carried.sizes["train"]


def test_triples_that_are_asked_for_carry_nothing(graph):
    torch.manual_seed(0)
    triples = torch.from_numpy(graph.part("train"))
    network = LinkNetwork(
        len(graph.entities), len(graph.relations), "distmult:compositional", 4, triples=triples
    ).eval()
    torch.nn.init.normal_(network.entities.own.weight)
    rows = triples[:5]
    less = LinkNetwork(
        len(graph.entities), len(graph.relations), "distmult:compositional", 4, triples=triples[5:]
    ).eval()
    less.load_state_dict(network.state_dict() | {"triples": triples[5:]})
    for queries, answers in (
        (rows[:, :2], rows[:, 2]),
        (torch.stack([rows[:, 2], rows[:, 1] + len(graph.relations)], 1), rows[:, 0]),
    ):
        settings = LinkSettings(penalty=0.1)
        one, other = (built.loss(queries, answers, settings) for built in (network, less))
        torch.testing.assert_close(one, other)


def test_networks_that_are_not_there_are_refused(graph):
    with pytest.raises(RegistryError, match="no part of propagation is called 'relation': did you mean relational"):
        fit_links(graph, scorers=("complex:relation",), settings=SETTINGS)
