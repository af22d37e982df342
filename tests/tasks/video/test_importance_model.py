"""Importance learned from a table of people's scores: read, learned, saved, loaded, and used in summaries."""

import numpy as np
import pandas as pd
import pytest
from _scenes import scenes

import fusible
from fusible.errors import ConfigError, DataError, ModelFormatError, SchemaError
from fusible.tasks.video._scores_table import scored
from fusible.tasks.video.importance_model import agreement
from fusible.tasks.video.summary import summarize

LIKED = 1


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Four films of scenes 0, 1 and 2 in several orders; people like scene 1 alone."""
    folder = tmp_path_factory.mktemp("scored")
    orders = ([0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1])
    rows = []
    for number, order in enumerate(orders):
        scenes(folder / f"{number}.mp4", [2, 2, 2], order, sound=False)
        for person in ("a", "b"):
            for place, seed in enumerate(order):
                score = (3 if person == "a" else 5) if seed == LIKED else 1
                rows.append((f"{number}.mp4", 2 * place, 2 * place + 2, score, person))
    pd.DataFrame(rows, columns=["file", "start", "end", "score", "person"]).to_csv(folder / "scores.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def model(films):
    return fusible.fit_importance(films / "scores.csv")


def test_it_says_how_it_agrees_with_people_on_films_left_out(model):
    found = model.info["agreement"]
    assert (model.info["films"], model.info["people"]) == (4, 2)
    assert list(found) == ["learned", "not learned", "random", "people"]
    assert found["people"]["spearman"] == pytest.approx(1.0)  # both like the same
    assert abs(found["random"]["spearman"]) < 0.3
    assert found["learned"]["spearman"] > found["random"]["spearman"]
    assert not model.failures


def test_agreement_is_that_of_films_whose_scores_follow_their_encodings(rng):
    films = [rng.normal(size=(80, 6)) for _ in range(6)]
    scores = [np.stack([film[:, 0], film[:, 0] + rng.normal(0, 0.5, 80)]) for film in films]
    found = agreement(films, scores, [rng.random(80) for _ in films], 0.5)
    assert found["learned"].spearman > 0.75
    assert found["learned"].kendall > 0.5
    assert found["people"].kendall > 0.5
    assert abs(found["not learned"].spearman) < 0.2
    alone = agreement(films[:1], scores[:1], [rng.random(80)], 0.5)
    assert list(alone) == ["not learned", "random", "people"]


def test_it_is_saved_and_loaded_and_leads_a_summary(model, films, tmp_path):
    again = fusible.load_importance(model.save(tmp_path / "model"))
    path = films / "0.mp4"
    found = fusible.summarize_video(path, ratio=0.34, importance=again)
    important = model.importance(found.analysis)
    np.testing.assert_allclose(again.importance(found.analysis), important, atol=1e-9)
    times = found.analysis.timeline.times
    liked = (times >= 2) & (times < 4)
    assert important[liked].mean() > important[~liked].mean() + 0.2
    assert found.summary.spans == summarize(important, times, found.analysis.segments, ratio=0.34).spans
    with pytest.raises(ConfigError, match=r"learned with --step 0\.5"):
        fusible.summarize_video(path, importance=again, step=1.0)


def test_a_diverse_summary_of_a_film(films):
    found = fusible.summarize_video(films / "0.mp4", ratio=0.7, choose="diverse")
    assert 0 < found.summary.seconds <= 0.7 * 6 + 1e-6
    with pytest.raises(ConfigError, match="choose by knapsack or diverse, got 'other'"):
        fusible.summarize_video(films / "0.mp4", choose="other")


def test_films_that_cannot_be_read_are_named(films, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    table = pd.DataFrame({"file": [str(tmp_path / "bad.mp4"), str(films / "0.mp4"), str(films / "0.mp4")]})
    table["start"], table["score"] = [0.0, 0.0, 2.0], [1.0, 2.0, 3.0]
    model = fusible.fit_importance(table)
    assert list(model.failures) == [str(tmp_path / "bad.mp4")]
    with pytest.raises(DataError, match="none of 1 films can be learned from"):
        fusible.fit_importance(table[:1])


def test_what_is_no_importance_model_is_refused(tmp_path):
    with pytest.raises(ModelFormatError):
        fusible.load_importance(tmp_path)


def test_scores_without_ends_hold_until_the_next():
    table = pd.DataFrame({"file": ["a"] * 3, "time": [0.0, 1.0, 2.0], "score": [1.0, 2.0, 3.0]})
    (film,) = scored(table)
    assert film.on(8, 0.5).tolist() == [[1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 2.0, 2.0]]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"score": None}, SchemaError, "no column of the score"),
        ({"start": [0.0, 0.5]}, DataError, "do not overlap"),
        ({"start": [0.0, 3.0]}, DataError, "end after their start"),
        ({"score": [1.0, np.nan]}, DataError, "row 1, column 'score': expected a number"),
    ],
)
def test_tables_that_hold_no_scores_are_refused(change, error, said):
    cells = {"file": ["a", "a"], "start": [0.0, 1.0], "end": [1.0, 2.0], "score": [1.0, 2.0], **change}
    table = pd.DataFrame({name: values for name, values in cells.items() if values is not None})
    with pytest.raises(error, match=said):
        scored(table)
