"""Captioning end to end: what is learned of pictures and sounds, what it is compared with, and what is refused."""

import copy
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _told import told

import fusible
from fusible.data.read import read
from fusible.decoders._generate import Generated, Generation
from fusible.decoders._vocabulary import Vocabulary
from fusible.encoders._resolve import resolve
from fusible.errors import ConfigError, DataError, FusibleError, ModelFormatError, RegistryError, SchemaError
from fusible.evaluation.ratio import Ratio
from fusible.evaluation.written import WriterResult
from fusible.tasks import _caption_critic, _caption_examples, _caption_tune, captioning
from fusible.tasks._caption_data import columns_of, material, note_rows
from fusible.tasks._caption_look import words_of
from fusible.tasks._caption_tune import tune
from fusible.tasks._caption_verdict import chosen_of
from fusible.tasks.captioner import CaptionModel, holds_captioner
from fusible.tasks.captioning import fit_captions
from fusible.tasks.source import Source
from fusible.tasks.writer import Author, Writer, Writers, build_captioner, sequence_feed, width_of
from fusible.training.loop import TrainSettings
from fusible.types import Column, Modality, Role, View

ENCODERS = {"photo": "image_cnn", "tone": "audio_sequence"}
OPTIONS = {"image": "photo", "audio": "tone", "encoders": ENCODERS, "metric": "exact", "workers": 1}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    place = tmp_path_factory.mktemp("captions") / "out"
    return fusible.fit_captions(told(180), "said", epochs=20, output=place, **OPTIONS), place


def test_needs_both_views_and_says_so(result):
    found, _ = result
    assert found.chosen == "fused:concat"
    assert found.row("fused:concat").metrics["exact"] > 0.9
    for view in ("photo", "tone"):
        assert found.row(f"single:{view}").metrics["exact"] < 0.8
    assert found.against["blind decoder"].low > 0.3
    assert found.fusion["verdict"] == "helps"
    assert {row.name for row in found.rows if row.kind == "baseline"} == {
        "blind decoder", "nearest neighbour", "most frequent",
    }  # fmt: skip
    assert found.row("most frequent").metrics["exact"] == pytest.approx(
        np.mean([refs[0] == found.row("most frequent").texts[0] for refs in found.references])
    )


def test_the_blind_decoder_sees_nothing_when_it_writes(result):
    """It was shown the views, which it had never learned to read."""
    found, _ = result
    assert len(set(found.row("blind decoder").texts)) == 1


def test_verdict_compares_with_the_best_baseline(result):
    found, _ = result
    scores = {row.name: row.scores["exact"].score for row in found.rows if row.kind == "baseline"}
    assert scores[found.rival] == max(scores.values())
    assert found.difference.mean == pytest.approx(found.row(found.chosen).scores["exact"].score - scores[found.rival])
    assert found.rival in found.statement


def test_json_is_plain_and_the_folder_whole(result):
    found, place = result
    plain = json.loads((place / "captions.json").read_text())
    assert plain == json.loads(json.dumps(found.to_json()))
    assert plain["items"] == {"train": 120, "valid": 30, "test": 30}
    assert {one["name"] for one in plain["writers"]} == {row.name for row in found.rows}
    page = (place / "report.html").read_text()
    assert found.statement.split(",")[0] in page
    assert page.count("<figure>") >= 10
    assert "<script" not in page


def test_a_saved_model_writes_the_same(result):
    found, place = result
    frame = told(180).drop(columns=["said", "split"]).iloc[:30]
    loaded = fusible.load_captioner(place)
    for settings in ({}, {"beams": 1}, {"sample": True, "seed": 3}):
        one, other = found.model.caption(frame, **settings), loaded.caption(frame, **settings)
        pd.testing.assert_frame_equal(one, other)
    assert loaded.writer.fit_seconds == 0.0 < found.model.writer.fit_seconds


def test_alone_is_as_among_many_and_one_beam_is_greedy(result):
    model = result[0].model
    frame = told(180).drop(columns=["said", "split"]).iloc[:12]
    many = model.caption(frame, beams=1)
    for row in range(0, 12, 5):
        alone = model.caption(frame.iloc[[row]], beams=1)
        assert alone["caption"][0] == many["caption"][row]
        assert alone["confidence"][0] == pytest.approx(many["confidence"][row], abs=1e-4)
    assert many["confidence"].between(0, 1).all()
    drawn = model.caption(frame, sample=True, seed=1)
    again = model.caption(frame.iloc[:6], sample=True, seed=1)
    assert drawn["caption"].tolist()[:6] == again["caption"].tolist()


def test_views_may_be_missing_when_it_writes(result):
    model = result[0].model
    frame = told(12).drop(columns=["said", "split"])
    frame.loc[0, "tone"], frame.loc[1, "photo"] = None, None
    frame.loc[2, ["photo", "tone"]] = None
    frame.at[3, "photo"] = b"no picture"
    written = model.caption(frame)
    assert len(written) == 12
    assert written["caption"].str.len().gt(0).all()
    assert any("photo" in line for line in written.attrs["problems"])


@pytest.mark.parametrize("rows", [1, 3])
def test_a_view_may_be_missing_in_all_rows(result, rows):
    model = result[0].model
    frame = told(rows).drop(columns=["said", "split"])
    frame["tone"] = None
    written = model.caption(frame)
    assert written["caption"].str.len().gt(0).all()
    assert model.look(frame).text == written["caption"][0]


@pytest.mark.parametrize("name", ["audio_sequence", "video_sequence"])
def test_sequences_of_no_item_keep_their_shape(name):
    encoder = resolve(name, Modality(name.partition("_")[0]))
    view = View("heard", encoder.modality, ("heard",))
    column = Column("heard", encoder.modality, Role.INPUT, "test")
    source = Source(read(pd.DataFrame({"heard": [None, None]}), like=[column]))
    feed = sequence_feed(source, view, encoder)
    assert encoder.steps > 1
    assert feed.tokens.shape == (0, encoder.steps, width_of(encoder))


def test_where_it_looked(result):
    model = result[0].model
    frame = told(12).drop(columns=["said", "split"])
    seen = model.look(frame, 4)
    assert seen.text == model.caption(frame)["caption"][4]
    assert " ".join(seen.words) == seen.text
    drawn = {"sample": True, "seed": 2, "temperature": 2.0}
    assert model.look(frame, 5, **drawn).text == model.caption(frame, **drawn)["caption"][5]
    total = seen.fused + sum(seen.whole.values()) + sum(w.sum(axis=1) for w in seen.weights.values())
    np.testing.assert_allclose(total, 1.0, atol=1e-4)
    with pytest.raises(DataError, match="row 12: the table has rows 0 to 11"):
        model.look(frame, 12)


def test_it_computes_where_the_source_says(result, monkeypatch):
    writer = copy.deepcopy(result[0].model.writer)
    column = result[0].model.read(told(2).drop(columns=["said", "split"]))
    source = Source(column, workers=1)
    feeds, rows = writer.feeds(source), np.arange(2)
    moved = []
    monkeypatch.setattr(Writer, "to", lambda self, device: moved.append(device))
    writer.write(source, rows, Generation())
    assert moved == ["cpu"]
    monkeypatch.undo()
    writer.to("meta")  # no arithmetic: only where things are
    batches = writer.batches(feeds, rows)
    assert {batch.index.device.type for batch in batches.values()} == {"meta"}
    said = Generated([[5, 6], [7]], [[0.0], [0.0]], [])
    texts = _caption_critic._texts(said, 2, "meta")
    assert texts.index.device.type == texts.tensors["ids"].device.type == "meta"
    assert _caption_critic._texts(said, 2, "cpu").tensors["ids"].tolist() == [[1, 5, 6], [1, 7, 2]]


def test_references_of_an_item_are_gathered_and_stay_in_one_part():
    frame = told(60, references=2).drop(columns=["split"])
    found = fit_captions(frame, "said", image="photo", encoders={"photo": "image_cnn"}, epochs=1, workers=1)
    assert all(len(refs) == 2 for refs in found.references)
    assert sum(found.items.values()) == 60


def test_several_text_columns_are_references():
    frame = told(60)
    frame["other"] = [None if i % 5 else f"{text} indeed" for i, text in enumerate(frame["said"])]
    found = fit_captions(
        frame, ["said", "other"], image="photo", encoders={"photo": "image_cnn"}, epochs=1, workers=1, decoder="lstm"
    )
    assert {len(refs) for refs in found.references} == {1, 2}
    assert found.settings["design"]["decoder"] == "lstm"


@dataclass
class Watched:
    """What was done while a table with gaps was fitted: writers by name, what they wrote by, rows they were shown."""

    found: Any
    frame: Any
    writers: dict = field(default_factory=dict)
    taught: dict = field(default_factory=dict)
    longest: list = field(default_factory=list)
    criticised: dict = field(default_factory=dict)


@pytest.fixture(scope="module")
def gaps():
    """A fit where half of the training photos are missing, and what goes without one is said in more words."""
    frame = told(48)
    gone = (frame["split"] == "train") & (frame.index % 2 == 0)
    frame.loc[gone, "photo"] = None
    frame.loc[gone, "said"] += " and nothing else that anyone could see or hear"
    watched = Watched(None, frame)
    fit, step, write = captioning.fit_writer, _caption_critic._step, Author.write

    def fitted(found, name, *args, **options):
        watched.writers[name] = writer = fit(found, name, *args, **options)
        watched.taught[name] = writer.fit_seconds
        return writer

    def stepped(writer, feeds, rows, *args):
        watched.criticised.setdefault(writer.name, set()).update(rows.tolist())
        step(writer, feeds, rows, *args)

    def written(author, source, rows, settings, first=0):
        watched.longest.append((author.name, author.longest, settings.longest))
        return write(author, source, rows, settings, first)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captioning, "fit_writer", fitted)
        patch.setattr(_caption_critic, "_step", stepped)
        patch.setattr(Author, "write", written)
        watched.found = fit_captions(frame, "said", epochs=1, self_critical=1, beams=1, **OPTIONS)
    return watched


def test_the_blind_decoder_is_trained_as_the_others_are(gaps):
    blind, fused = gaps.writers["blind decoder"], gaps.writers["fused:concat"]
    assert blind.info["pairs"] == fused.info["pairs"] == 32 > gaps.writers["single:photo"].info["pairs"]
    assert len(blind.info["self_critical"]) == 2
    assert gaps.criticised["blind decoder"] == gaps.criticised["fused:concat"]
    assert len(set(gaps.found.row("blind decoder").texts)) == 1


def test_self_critical_training_shows_no_row_without_the_view(gaps):
    train = gaps.frame[gaps.frame["split"] == "train"]
    assert gaps.criticised["single:tone"] == set(train.index)
    assert gaps.criticised["single:photo"] == set(train.index[train["photo"].notna()])


def test_each_writes_as_long_as_its_own_texts(gaps):
    known = {name: (own, given) for name, own, given in gaps.longest}
    assert known["single:photo"][0] < known["single:tone"][0]
    assert all(own == given for _, own, given in gaps.longest)
    chosen = gaps.found.model.writer.longest
    assert gaps.found.settings["generation"]["longest"] == gaps.found.model.settings.longest == chosen


def test_what_training_took_is_counted_whole(gaps):
    for name, taught in gaps.taught.items():
        row = gaps.found.row(name)
        assert row.fit_seconds == gaps.writers[name].fit_seconds > taught
        assert row.parameters == gaps.writers[name].parameters()
    assert gaps.found.row("most frequent").parameters == 0


def test_self_critical_training_keeps_the_best_epoch():
    found = fit_captions(
        told(90), "said", image="photo", encoders={"photo": "image_cnn"}, epochs=3, self_critical=2, workers=1
    )
    history = found.model.writer.info["self_critical"]
    assert len(history) == 3
    assert max(history) >= history[0]
    assert found.settings["self_critical"] == 2


def test_tuning_trains_a_pretrained_encoder_and_is_saved(tmp_path):
    pytest.importorskip("efficientnet_lite_pytorch", reason="the extra 'vision' is not installed")
    found = fit_captions(
        told(24), "said", image="photo", encoders={"photo": "image_efficientnet"}, epochs=1, tune=True, workers=1
    )
    writer = found.model.writer
    assert writer.info["tuned"]["kept"]
    assert writer.live == ("photo",)
    loaded = fusible.load_captioner(found.model.save(tmp_path / "model"))
    frame = told(24).drop(columns=["said", "split"])
    pd.testing.assert_frame_equal(loaded.caption(frame), found.model.caption(frame))


def test_tuning_leaves_a_writer_that_it_cannot_tune_as_it_is(result):
    writer = result[0].model.writer
    assert tune(None, writer, TrainSettings()) is writer


def test_tuning_that_is_not_kept_has_taken_its_time(result, monkeypatch):
    writer = copy.copy(result[0].model.writer)
    writer.info = {"seconds": 1.5, "valid_loss": 1.0}
    encoder = writer.encoders["photo"]
    monkeypatch.setattr(type(encoder), "thaw", lambda self: None, raising=False)
    monkeypatch.setattr(_caption_tune, "_tunable", lambda one: one is encoder)
    monkeypatch.setattr(_caption_tune, "teach", lambda _, other, *__: other.info.update(valid_loss=2.0, seconds=3.0))
    assert tune(None, writer, TrainSettings()) is writer
    assert writer.fit_seconds == 4.5
    assert not writer.info["tuned"]["kept"]


def test_what_cannot_be_tuned_is_refused_before_training(monkeypatch):
    monkeypatch.setattr(captioning, "fit_writer", lambda *_, **__: pytest.fail("it was trained"))
    with pytest.raises(ConfigError, match="tune: no encoder has pretrained weights"):
        fit_captions(told(24), "said", epochs=1, tune=True, **OPTIONS)


def test_a_prompt_is_read_with_the_picture(tmp_path):
    frame = told(120)
    shape = np.arange(120) % 12 < 6
    frame["asked"] = np.where(shape, "what shape?", "which colour?")
    colours = [text.split()[1] for text in frame["said"]]
    frame["reply"] = np.where(shape, "square", colours)
    found = fit_captions(
        frame, "reply", image="photo", prompt="asked", epochs=30, metric="exact", workers=1,
        encoders={"photo": "image_cnn", "asked": "text_gru"},
    )  # fmt: skip
    blind = found.row("blind decoder")
    assert found.row("single:photo").metrics["exact"] > blind.metrics["exact"] + 0.1
    asked = {"square": set(), "colour": set()}
    for text, (reply,) in zip(blind.texts, found.references, strict=True):
        asked["square" if reply == "square" else "colour"].add(text)
    assert asked["square"] == {"square"}  # it reads the question
    assert len(asked["colour"]) == 1  # and sees no picture
    said, sure = found.model.ask([frame["photo"][6]], "which colour?")
    alone = found.model.caption(frame[["photo", "asked"]].iloc[[6]])
    assert (said, sure) == (alone["caption"][0], pytest.approx(alone["confidence"][0], abs=1e-5))
    with pytest.raises(ConfigError, match="column 'photo': expected paths or the bytes of files, got ndarray"):
        found.model.ask([np.zeros((4, 4, 3))], "which colour?")
    assert fusible.load_captioner(found.model.save(tmp_path / "m")).caption(frame)["caption"].str.len().gt(0).all()


@pytest.mark.parametrize("text", ["一只猫坐在沙发上", "قطة على الأريكة", "cat 🐈‍⬛ on sofa 🛋️"])
def test_any_script_is_learned_without_loss(text):
    frame = told(30)
    frame["said"] = text
    found = fit_captions(frame, "said", image="photo", encoders={"photo": "image_cnn"}, epochs=15, workers=1)
    assert set(found.row(found.chosen).texts) == {text}


def test_a_vocabulary_of_one_word():
    frame = told(30)
    frame["said"] = "yes"
    found = fit_captions(frame, "said", image="photo", encoders={"photo": "image_cnn"}, epochs=8, metric="exact")
    assert found.row("most frequent").metrics["exact"] == 1.0
    assert found.verdict == "no evidence"


def test_a_text_of_ten_thousand_words_is_cut():
    frame = told(30)
    frame.loc[0, "said"] = "word " * 10_000
    found = fit_captions(frame, "said", image="photo", encoders={"photo": "image_cnn"}, epochs=1, workers=1)
    assert any("longer than 256 tokens" in note for note in found.notes)


def test_only_texts_that_are_cut_are_noted():
    vocabulary = Vocabulary.learn(["a a a"])
    texts = [" ".join(["a"] * number) for number in (255, 256, 257)]
    assert [len(vocabulary.encode(text)) - 2 for text in texts] == [255, 256, 257]
    nothing = np.zeros(0, int)
    found = SimpleNamespace(
        pairs=lambda part: (nothing, texts if part == "train" else []),
        rows_of=lambda _: nothing,
        items=nothing,
        notes=[],
    )
    note_rows(found, vocabulary)
    assert found.notes == ["1 texts longer than 256 tokens are cut there for learning"]


def test_test_inputs_that_training_shows_are_counted():
    frame = told(18)
    frame.loc[[5, 11], "photo"] = frame.loc[[0, 1], "photo"].to_numpy()
    found = fit_captions(frame, "said", image="photo", encoders={"photo": "image_cnn"}, epochs=1, workers=1)
    assert found.notes == ["2 test inputs also stand in training"]


@pytest.mark.parametrize(
    ("cell", "first"),
    [
        (lambda text: [f"{text} {place}" for place in range(5)], "a white square with a high tone 0"),
        (len, "31"),
    ],
)
def test_texts_may_be_lists_and_numbers(cell, first):
    frame = told(18)
    frame["said"] = [cell(text) for text in frame["said"]]
    found = material(frame, ["said"], columns_of({"image": "photo", "audio": None, "video": None, "prompt": None}))
    assert found.texts[0][0] == first
    assert {len(texts) for texts in found.texts} == {1 if first == "31" else 5}


def test_rows_without_a_text_are_left_out_and_counted():
    frame = told(60)
    frame.loc[[0, 1], "said"] = [None, "  "]
    found = fit_captions(frame, "said", image="photo", encoders={"photo": "image_cnn"}, epochs=1, workers=1)
    assert found.notes[0].startswith("2 rows without a text")
    assert found.items["train"] == 38


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"text": "nothing"}, FusibleError, "nothing"),
        ({"image": None}, ConfigError, "inputs: expected a column of pictures"),
        ({"image": ["photo", "photo"]}, ConfigError, "named twice"),
        ({"image": "said"}, ConfigError, "both read and written"),
        ({"audio": "photo"}, ConfigError, "column 'photo': expected one kind of input, got image and audio"),
        ({"prompt": "photo"}, ConfigError, "column 'photo': expected one kind of input, got image and prompt"),
        ({"beams": 0}, ConfigError, "expected beams from 1"),
        ({"decoder": "gru"}, RegistryError, "no part of decoders is called 'gru'"),
        ({"operator": "conkat"}, RegistryError, "did you mean concat"),
        ({"metric": "bleu"}, ConfigError, "metric 'bleu': expected one of"),
        ({"epochs": 0}, ConfigError, "epochs: expected 1 or more"),
        ({"encoders": {"picture": "image_cnn"}}, SchemaError, "no view is called 'picture'"),
        ({"encoders": {"photo": "text_gru"}}, ConfigError, "expected an encoder of image"),
        ({"tokenizer": "none.json"}, ConfigError, "tokenizer none.json"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line(changed, error, message):
    given = {"text": "said", "image": "photo", "encoders": {"photo": "image_cnn"}, "epochs": 1, **changed}
    with pytest.raises(error, match=message) as caught:
        fit_captions(told(18), **given)
    assert "\n" not in str(caught.value)


def test_a_video_may_be_a_sound_too():
    given = {"image": None, "audio": "clip", "video": "clip", "prompt": None}
    assert columns_of(given)["audio"] == columns_of(given)["video"] == ["clip"]


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_a_part_of_which_nothing_can_be_read_is_refused_before_training(part, monkeypatch):
    monkeypatch.setattr(captioning, "fit_writer", lambda *_, **__: pytest.fail("it was trained"))
    frame = told(18)
    here = frame["split"] == part
    frame.loc[here, "photo"] = [b"no picture %d" % place for place in range(here.sum())]
    with pytest.raises(DataError, match=rf"the {part} part\b.*that can be read") as caught:
        fit_captions(frame, "said", image="photo", encoders={"photo": "image_cnn"}, epochs=1, workers=1)
    assert "\n" not in str(caught.value)


def test_a_writer_without_a_validation_score_is_never_chosen():
    rows = [WriterResult("single:a", "single", {}), WriterResult("single:b", "single", {}, valid=0.9)]
    assert chosen_of(rows, "wer") == "single:b"
    with pytest.raises(ValueError, match="empty"):
        chosen_of(rows[:1], "wer")


def test_an_example_has_the_score_that_it_is_ranked_by(monkeypatch):
    monkeypatch.setattr(_caption_examples, "_seen", lambda *_: {})
    found = SimpleNamespace(rows_of=lambda _: np.arange(2), references=lambda _: [["?"], ["a dog"]])
    ratios = {"wer": Ratio(np.array([2.0, 1.0]), np.array([0.0, 2.0]))}
    row = WriterResult("one", "single", {}, ratios=ratios, texts=["a cat", "a cat"], confidence=[0.5, 0.5])
    shown = _caption_examples.examples(found, None, row, row, "wer", None, 0)
    assert [(one["kind"], one["said"], one["score"]) for one in shown] == [
        ("worst", "a cat", 2.0), ("worst", "a cat", 0.5),
    ]  # fmt: skip


def test_no_text_at_all_is_refused():
    frame = told(18)
    frame["said"] = ""
    with pytest.raises(DataError, match="no row has a text"):
        fit_captions(frame, "said", image="photo")


def test_models_refuse_what_they_cannot_do(result, tmp_path):
    found, place = result
    with pytest.raises(ConfigError, match="has no setting 'beam'"):
        found.model.caption(told(6), beam=2)
    with pytest.raises(ConfigError, match="give a table that has them"):
        found.model.caption(["a.png"])
    with pytest.raises(SchemaError):
        found.model.caption(told(6).drop(columns=["photo"]))
    with pytest.raises(ModelFormatError, match="holds no caption model"):
        fusible.load_captioner(_other(tmp_path))
    with pytest.raises(ModelFormatError, match=r"fusible\.load_captioner"):
        fusible.load(place / "model")


def _other(tmp_path):
    frame = pd.DataFrame({"a": np.arange(60.0), "y": np.arange(60) % 2})
    fusible.fit(frame, "y", strategy="single:table", encoders={"table": "table_trees"}, output=tmp_path / "m")
    return tmp_path / "m"


def test_damaged_folders_are_refused(result, tmp_path):
    import shutil

    import yaml

    place = tmp_path / "model"
    shutil.copytree(result[1] / "model", place)
    config = yaml.safe_load((place / "config.yaml").read_text())
    for name, value in (("width", 10**9), ("decoder", "os.system"), ("layers", "2"), ("operator", "../x")):
        writer = config["captioner"]["writers"][0]
        changed = [{**writer, "recipe": {**writer["recipe"], name: value}}]
        spoilt = {**config, "captioner": {**config["captioner"], "writers": changed}}
        (place / "config.yaml").write_text(yaml.safe_dump(spoilt))
        with pytest.raises(ModelFormatError):
            fusible.load_captioner(place)
    captioner = config["captioner"]
    for longest in (10**9, 2.5, True):
        spoilt = {**captioner, "writers": [{**captioner["writers"][0], "longest": longest}]}
        (place / "config.yaml").write_text(yaml.safe_dump({**config, "captioner": spoilt}))
        with pytest.raises(ModelFormatError, match=r"longest: expected a whole number up to 4096, got [12T][^\n]*\Z"):
            fusible.load_captioner(place)
    for name, value in (("beams", 2.5), ("longest", 10**9), ("seed", "1"), ("sample", 1), ("top_p", None)):
        spoilt = {**captioner, "generation": {**captioner["generation"], name: value}}
        (place / "config.yaml").write_text(yaml.safe_dump({**config, "captioner": spoilt}))
        with pytest.raises(ModelFormatError, match=rf"generation: expected {name} [^\n]*\Z"):
            fusible.load_captioner(place)
    (place / "config.yaml").write_text(yaml.safe_dump({**config, "captioner": {**captioner, "writers": []}}))
    with pytest.raises(ModelFormatError, match="writers: expected a list"):
        fusible.load_captioner(place)


def test_what_holds_no_captioner_is_told_without_an_error(result, tmp_path):
    assert holds_captioner(result[1])
    assert holds_captioner(result[1] / "model")
    assert not holds_captioner(tmp_path)
    (tmp_path / "config.yaml").write_text("captioner: " + "[" * 3_000 + "]" * 3_000)
    assert not holds_captioner(tmp_path)
    (tmp_path / "config.yaml").unlink()
    (tmp_path / "config.yaml").symlink_to(result[1] / "model" / "config.yaml")
    assert not holds_captioner(tmp_path)
    (tmp_path / "config.yaml").unlink()
    (tmp_path / "captions.json").write_text("{}")
    (tmp_path / "model").symlink_to(result[1] / "model")
    assert not holds_captioner(tmp_path)


def test_a_decoder_that_takes_heads_has_those_of_the_network():
    recipe = {
        "decoder": "transformer", "operator": None, "width": 12, "layers": 1, "decoder_layers": 1, "sequences": (),
        "dropout": 0.1, "modality_dropout": 0.0,
    }  # fmt: skip
    for heads in (1, 3, 4):
        built = build_captioner({**recipe, "heads": heads}, {}, {"photo": 6}, 11)
        assert (built.decoder.heads, built.heads) == (heads, heads)
        assert built.decoder.blocks[0].heads == heads
    assert not hasattr(
        build_captioner({**recipe, "decoder": "lstm", "heads": 3}, {}, {"photo": 6}, 11).decoder, "heads"
    )


@pytest.fixture(scope="module")
def together(result, tmp_path_factory):
    """A model of two writers, each of one view, as it was fitted and as it is loaded."""
    found, _ = result
    model = found.model
    views = model.views
    writers = [single(found, view) for view in views]
    joint = CaptionModel(Writers("model:product", tuple(writers)), model.columns, model.settings, dict(model.info))
    return joint, fusible.load_captioner(joint.save(tmp_path_factory.mktemp("together") / "model"))


def single(found, view):
    """A writer of one view of the fused model's material, trained briefly."""
    alone = "image" if view.name == "photo" else "audio"
    encoders = {view.name: ENCODERS[view.name]}
    tokenizer = found.model.writer.vocabulary
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "tokenizer.json"
        place.write_text(tokenizer.to_json())
        one = fit_captions(
            told(90), "said", **{alone: view.name}, encoders=encoders, epochs=3, workers=1, tokenizer=place
        )
    return one.model.writer


def test_writers_of_single_views_write_together(together):
    model, loaded = together
    frame = told(40).drop(columns=["said", "split"])
    frame.loc[0, "tone"], frame.loc[1, "photo"] = None, None
    frame.loc[2, ["photo", "tone"]] = None
    for settings in ({}, {"beams": 1}, {"sample": True, "seed": 3}):
        pd.testing.assert_frame_equal(model.caption(frame, **settings), loaded.caption(frame, **settings))
    photo, tone = model.writer.members
    alone = CaptionModel(photo, model.columns, model.settings).caption(frame)
    assert model.caption(frame)["caption"][0] == alone["caption"][0]  # who sees nothing has no say
    assert model.caption(frame)["confidence"][0] == pytest.approx(alone["confidence"][0], abs=1e-5)
    assert [view.name for view in loaded.views] == ["photo", "tone"]
    assert model.writer.parameters() == photo.parameters() + tone.parameters()


def test_files_are_paths_or_bytes(together, tmp_path):
    model = together[0]
    photo = next(member for member in model.writer.members if member.views[0].name == "photo")
    alone = CaptionModel(photo, model.columns[:1], model.settings)
    frame = told(2)[["photo"]]
    paths = [tmp_path / f"{place}.png" for place in range(2)]
    for path, cell in zip(paths, frame["photo"], strict=True):
        path.write_bytes(cell)
    said = alone.caption(frame)
    pd.testing.assert_frame_equal(alone.caption(list(frame["photo"])), said)
    pd.testing.assert_frame_equal(alone.caption(paths), said)
    assert len(alone.caption([None])) == 1
    for odd, message in (
        ([np.zeros((4, 4, 3))], "expected paths or the bytes of files, got ndarray"),
        ([paths[0], frame["photo"][1]], "expected all paths or all bytes"),
        (frame["photo"][0], "expected a list of paths or bytes, got bytes"),
    ):
        with pytest.raises(ConfigError, match=message):
            alone.caption(odd)


def test_where_writers_of_several_views_looked(together):
    seen = together[1].look(told(12).drop(columns=["said", "split"]), 4)
    assert set(seen.weights) == set(seen.whole) == {"photo", "tone"}
    total = seen.fused + sum(seen.whole.values()) + sum(w.sum(axis=1) for w in seen.weights.values())
    np.testing.assert_allclose(total, 1.0, atol=1e-4)
    assert not seen.fused.any()


def test_what_is_written_together_stands_beside_each(result):
    found, _ = result
    row = found.row("model:product")
    members = [found.row(name) for name in ("fused:concat", "single:photo", "single:tone")]
    assert row.kind == "model"
    assert row.parameters == sum(member.parameters for member in members)
    assert row.fit_seconds == pytest.approx(sum(member.fit_seconds for member in members))
    assert row.metrics["exact"] >= max(member.metrics["exact"] for member in members[1:])
    assert found.fusion["best_fused"] in {"fused:concat", "model:product"}


def test_generation_settings_of_the_model(result):
    model = result[0].model
    assert model.generation(beams=None) == model.settings
    assert isinstance(model.generation(longest=3), Generation)
    frame = told(6).drop(columns=["said", "split"])
    short = model.caption(frame, longest=2, beams=1)
    assert all(len(model.writer.vocabulary.encode(text)) <= 4 for text in short["caption"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a red dog", ["a", "red", "dog"]),
        ("红色的狗", ["红", "色", "的", "狗"]),
        ("สีแดง red", ["ส", "ี", "แ", "ด", "ง", "red"]),
        ("犬 dog 犬", ["犬", "dog", "犬"]),
    ],
)
def test_words_that_a_writer_looked_for(text, words):
    """Characters of scripts without spaces are words; every token's attention goes to one."""
    vocabulary = Vocabulary.learn(["a red cat"])
    tokens = vocabulary.encode(text)[1:-1].tolist()
    found, attention = words_of(vocabulary, tokens, np.full((len(tokens), 2), 0.5))
    assert found == words
    np.testing.assert_allclose(attention, 0.5)
    cut = words_of(vocabulary, tokens[:-1], np.full((len(tokens) - 1, 2), 0.5))
    assert len(cut[0]) == len(cut[1])
