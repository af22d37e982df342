"""`fusible recommend` in process: a model folder, JSON alone on standard output, one line and exit code 2."""

import json

import _liked
import pytest
from _cases import call


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The small world as files."""
    place = tmp_path_factory.mktemp("liked")
    _liked.ratings().to_csv(place / "ratings.csv", index=False)
    _liked.films().drop(columns="about").to_csv(place / "films.csv", index=False)
    _liked.links().to_csv(place / "links.csv", index=False)
    _liked.people().to_csv(place / "people.csv", index=False)
    _liked.triples().to_csv(place / "graph.tsv", sep="\t", index=False, header=False)
    return place


@pytest.fixture(scope="module")
def model(world):
    import fusible

    place = world / "model"
    fusible.fit_recommender(
        world / "ratings.csv",
        items=world / "films.csv",
        item="film_id",
        users=world / "people.csv",
        encoders={"text": "text_tfidf"},
        factors=False,
        output=place,
    )
    return place


def test_fit_writes_a_model_and_prints_what_it_found(capsys, world, tmp_path):
    code, out, err = call(
        capsys, "recommend", "fit", world / "ratings.csv", "--items", world / "films.csv", "--item-id", "film_id",
        "--graph", world / "graph.tsv", "--links", world / "links.csv", "--encoder", "text=text_tfidf", "--no-factors",
        "--cold", "0.2", "-o", tmp_path / "m",
    )  # fmt: skip
    assert code == 0, err
    assert "user: user, item: item, rating: rating" in out
    assert "ease+views" in out
    assert "items that nobody had" in out
    assert "'genre' taken as several tags per cell" in " ".join(err.split())
    assert (tmp_path / "m" / "weights.safetensors").is_file()


def test_columns_are_shown_as_they_are_called(capsys, world, tmp_path):
    import pandas as pd

    place = tmp_path / "ratings.csv"
    pd.read_csv(world / "ratings.csv").rename(columns={"user": "[/b]"}).to_csv(place, index=False)
    code, out, err = call(
        capsys, "recommend", "fit", place, "--user-column", "[/b]", "--no-factors", "-o", tmp_path / "m"
    )
    assert code == 0, err
    assert "user: [/b], item: item" in out


def test_fit_says_json_alone(capsys, world, tmp_path):
    code, out, err = call(
        capsys,
        "recommend",
        "fit",
        world / "ratings.csv",
        "--no-factors",
        "--least",
        "3",
        "--json",
        "-o",
        tmp_path / "m",
    )
    assert code == 0, err
    found = json.loads(out)
    assert [row["name"] for row in found["rows"]] == ["popular", "nearest items", "ease", "ease damped", "fused"]
    assert found["columns"] == {"user": "user", "item": "item", "rating": "rating"}


def test_run_names_items_and_why(capsys, model, tmp_path):
    code, out, err = call(capsys, "recommend", "run", model, "--user", "u2", "-k", "3")
    assert code == 0, err
    lines = out.splitlines()
    assert "(s" in lines[0]
    assert "% " in lines[1]
    assert "'The " in lines[1]  # a reason names an item that was had
    (tmp_path / "had.txt").write_text("l0\nl1\n\n")
    (tmp_path / "no.txt").write_text("l2\n")
    code, out, err = call(
        capsys, "recommend", "run", model, "--history", tmp_path / "had.txt", "--about", "job=poet", "--where",
        "genre contains Love", "--deny", f"@{tmp_path / 'no.txt'}", "--deny", "l3", "--json", "--diversity", "0.3",
    )  # fmt: skip
    assert code == 0, err
    assert sorted(one["item"] for one in json.loads(out)["items"]) == ["l4", "l5", "l6", "l7"]


@pytest.mark.parametrize(
    "asked", [["--item", "s1"], ["--wish", "a star ship"], ["--user", "u3", "--wish", "a star ship", "--seen"]]
)
def test_run_answers_items_and_wishes(capsys, model, asked):
    code, out, err = call(capsys, "recommend", "run", model, *asked, "--json", "-k", "2")
    assert code == 0, err
    assert len(json.loads(out)["items"]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give a user, a history"),
        (["--user", "u22x"], "did you mean 'u22'"),
        (["--user", "u2", "--where", "size > 3"], "no column 'size' of items"),
        (["--user", "u2", "--where", "year > 3000"], "no item of 18 is left to show"),
        (["--user", "u2", "--allow", "@nowhere.txt"], "nowhere.txt: expected a text file of items, one a line"),
        (["--about", "job"], "--about 'job': expected COLUMN=VALUE"),
        (["--user", "u2", "--diversity", "3"], "Invalid value for '--diversity'"),
    ],
)
def test_a_wrong_question_is_one_line(capsys, model, arguments, said):
    code, out, err = call(capsys, "recommend", "run", model, *arguments)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())


def test_what_is_no_table_or_no_model_is_one_line(capsys, world, tmp_path):
    (tmp_path / "odd.csv").write_text("who,what\na,b\n")
    code, _, err = call(capsys, "recommend", "fit", tmp_path / "odd.csv", "-o", tmp_path / "m")
    assert code == 2
    assert "which column names the user? The table has who, what; say --user-column NAME" in " ".join(err.split())
    assert not (tmp_path / "m").exists()
    code, _, err = call(capsys, "recommend", "run", tmp_path, "--user", "x")
    assert code == 2
    assert "expected a model folder" in " ".join(err.split())
