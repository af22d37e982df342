"""`fusible graph` in process: a model folder, JSON alone on standard output, one line and exit code 2."""

import json

import pandas as pd
import pytest
from _cases import call


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "people.tsv"
    lines = [f"p{n}\tknows\tp{(n + step) % 20}" for n in range(20) for step in (1, 2, 3)]
    path.write_text("\n".join([*lines, *(f"p{n}\tlives in\t{'Ulm' if n % 2 else 'Bonn'}" for n in range(20))]) + "\n")
    return path


@pytest.fixture(scope="module")
def model(people, tmp_path_factory):
    import fusible
    from fusible.tasks.knowledge.links.fit import LinkSettings

    place = tmp_path_factory.mktemp("links") / "model"
    settings = LinkSettings(width=8, epochs=20)
    fusible.fit_links(people, output=place, settings=settings, penalties=(0.01,))
    return place


def test_fit_writes_a_model_and_prints_what_it_found(capsys, people, tmp_path):
    code, out, err = call(capsys, "graph", "fit", people, "-o", tmp_path / "m", "--width", "4", "--epochs", "5")
    assert code == 0, err
    assert "complex *" in out
    assert "most frequent" in out
    assert (tmp_path / "m" / "weights.safetensors").is_file()


def test_fit_says_json_alone(capsys, people, tmp_path):
    code, out, err = call(
        capsys, "graph", "fit", people, "-o", tmp_path / "m", "--width", "4", "--epochs", "2", "--json",
        "--scorer", "distmult",
    )  # fmt: skip
    assert code == 0, err
    found = json.loads(out)
    assert [row["name"] for row in found["rows"]] == ["most frequent", "distmult"]
    assert set(found["difference"]) == {"mean", "low", "high", "p_better"}
    assert found["sizes"]["entities"] == 22


@pytest.mark.parametrize("option", ["--entities", "--entity-table"])
def test_fit_takes_a_table_of_entities(capsys, people, tmp_path, option):
    told = {"entity": [f"p{n}" for n in range(20)], "town": ["Ulm", "Bonn"] * 10}
    pd.DataFrame(told).to_csv(tmp_path / "told.csv", index=False)
    code, out, err = call(
        capsys, "graph", "fit", people, "-o", tmp_path / "m", "--width", "4", "--epochs", "2", "--json",
        option, tmp_path / "told.csv",
    )  # fmt: skip
    assert code == 0, err
    assert "complex:views" in [row["name"] for row in json.loads(out)["rows"]]


def test_predict_names_entities(capsys, model):
    code, out, err = call(capsys, "graph", "predict", model, "-r", "lives in", "--head", "p3", "-k", "2", "--known")
    assert code == 0, err
    assert "Ulm" in out
    code, out, err = call(capsys, "graph", "predict", model, "-r", "knows", "--tail", "p3", "-k", "4", "--json")
    answers = json.loads(out)["answers"]
    assert len(answers) == 4
    assert not {"p0", "p1", "p2"} & {one["entity"] for one in answers}  # known already


def test_classify_gives_probabilities_and_with_false_triples_says_how_right_they_are(capsys, model, tmp_path):
    true, false = tmp_path / "true.tsv", tmp_path / "false.tsv"
    true.write_text("p1\tlives in\tUlm\np2\tlives in\tBonn\n")
    false.write_text("p1\tlives in\tp3\n")
    code, out, err = call(capsys, "graph", "classify", model, true)
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "head,relation,tail,probability,known"
    assert lines[1].startswith("p1,lives in,Ulm,0.")
    code, out, err = call(capsys, "graph", "classify", model, true, "--json")
    assert [one["tail"] for one in json.loads(out)["triples"]] == ["Ulm", "Bonn"]
    code, out, err = call(capsys, "graph", "classify", model, true, "--negatives", false, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["true"], found["false"]) == (2, 1)
    assert set(found["scores"]) == {"accuracy", "f1", "auroc", "ece"}
    table = tmp_path / "judged.csv"
    code, out, err = call(capsys, "graph", "classify", model, true, "--negatives", false, "-o", table)
    assert "accuracy: " in out
    assert table.read_text().splitlines()[0] == "head,relation,tail,probability,known,true"


def test_classify_refuses_names_that_the_graph_lacks(capsys, model, tmp_path):
    (tmp_path / "t.tsv").write_text("p1\tlives in\tUlm\np99\tlives in\tUlm\n")
    code, out, err = call(capsys, "graph", "classify", model, tmp_path / "t.tsv")
    assert (code, out) == (2, "")
    assert "classify, triple 2: head 'p99' is not in this graph" in " ".join(err.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-r", "knows"], "give --head or --tail"),
        (["-r", "knows", "--head", "p99"], "no entity 'p99' in this graph"),
        (["-r", "hates", "--head", "p1"], "no relation 'hates' in this graph"),
    ],
)
def test_a_wrong_question_is_one_line(capsys, model, arguments, said):
    code, out, err = call(capsys, "graph", "predict", model, *arguments)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())


def test_what_is_no_graph_or_no_model_is_one_line(capsys, people, tmp_path):
    (tmp_path / "bad.tsv").write_text("a\tb\tc\nd e f\n")
    code, _, err = call(capsys, "graph", "fit", tmp_path / "bad.tsv", "-o", tmp_path / "m")
    assert code == 2
    assert "bad.tsv, line 2: 1 columns; expected head, relation and tail, apart by tabs" in " ".join(err.split())
    assert not (tmp_path / "m").exists()
    code, _, err = call(capsys, "graph", "predict", tmp_path, "-r", "x", "--head", "y")
    assert code == 2
    assert "expected a model folder" in " ".join(err.split())


def test_rules_are_printed_and_written(capsys, people, tmp_path):
    code, out, err = call(capsys, "graph", "rules", people, "--min-support", "5", "-o", tmp_path / "rules.csv")
    assert code == 0, err
    assert "lives in(x, y) → " not in out
    assert "lives in(x, y) ∧" in out
    found = pd.read_csv(tmp_path / "rules.csv")
    assert (found["support"] >= 5).all()
    code, out, err = call(capsys, "graph", "rules", people, "-r", "knows", "--length", "1", "--json")
    shown = json.loads(out)["rules"]
    _, out, _ = call(capsys, "graph", "rules", people, "-r", "knows", "--length", "1", "--json", "-k", "1")
    assert json.loads(out)["rules"] == shown[:1]
    assert {rule["head"] for rule in shown} == {"knows"}
    assert {rule["length"] for rule in shown} == {1}


def test_answers_are_explained_by_rules_and_known_triples(capsys, model):
    asked = ("graph", "predict", model, "-r", "lives in", "--head", "p3", "-k", "1", "--known", "--explain")
    code, out, err = call(capsys, *asked)
    assert code == 0, err
    assert "Ulm: " in out
    assert "→ lives in(x, " in out
    code, out, err = call(capsys, *asked, "--json")
    answer = json.loads(out)["answers"][0]
    assert answer["entity"] == "Ulm"
    assert answer["reasons"][0]["confidence"] >= answer["reasons"][-1]["confidence"] > 0
    assert all(len(triple) == 3 for triple in answer["reasons"][0]["triples"])


def test_rules_may_be_a_member(capsys, people, tmp_path):
    asked = ("-o", tmp_path / "m", "--width", "4", "--epochs", "2", "--rules", "--json")
    code, out, err = call(capsys, "graph", "fit", people, *asked)
    assert code == 0, err
    names = [row["name"] for row in json.loads(out)["rows"]]
    assert names == ["most frequent", "complex", "rules", "complex:rules"]


def test_queries_are_answered_with_their_paths(capsys, people, model):
    code, out, err = call(capsys, "graph", "query", people, "?x: 'lives in' Ulm & knows p4")
    assert code == 0, err
    assert "lives in(p1, Ulm) ∧ knows(p1, p4)" in " ".join(out.split())
    code, out, err = call(capsys, "graph", "query", model, "?x: knows p3", "--json", "-k", "6")
    answers = json.loads(out)["answers"]
    assert [one["known"] for one in answers] == [True] * 3 + [False] * 3
    assert {one["values"]["x"] for one in answers[:3]} == {"p0", "p1", "p2"}
    assert answers[3]["path"][0]["by"] == "model"
    code, known, err = call(capsys, "graph", "query", people, "?x: knows p3", "--json", "--model", model, "-k", "6")
    assert json.loads(known)["answers"] == answers
    code, out, err = call(capsys, "graph", "query", model, "?x: knows p3", "--known", "--json")
    assert len(json.loads(out)["answers"]) == 3
    code, out, err = call(capsys, "graph", "query", model, "?x: knows p3", "--rules")
    assert code == 0, err
    assert "→ knows(x," in " ".join(out.split())
    code, out, err = call(capsys, "graph", "query", people, "knows(p3, p3)")
    assert (code, out.strip()) == (0, "no answers")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["?x: lives Ulm"], "no relation 'lives' in this graph (query, character 5): did you mean 'lives in'"),
        (["?x: knows"], "character 5: 1 words; expected term relation term"),
        (["?x: knows p1", "--known", "--rules"], "give one of --model, --rules and --known"),
    ],
)
def test_a_query_of_nothing_is_one_line(capsys, people, arguments, said):
    code, out, err = call(capsys, "graph", "query", people, *arguments)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())


def test_rules_of_nothing_are_refused_in_one_line(capsys, people, tmp_path):
    for arguments, said in (
        (["-r", "know"], "no relation 'know' in this graph: did you mean 'knows'"),
        (["-o", tmp_path / "rules.xyz"], "expected a file ending in"),
    ):
        code, out, err = call(capsys, "graph", "rules", people, *arguments)
        assert (code, out) == (2, "")
        assert said in " ".join(err.split())
