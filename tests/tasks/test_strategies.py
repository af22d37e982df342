"""Which strategies a study runs, with which encoders, and how they are told apart."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fusible import registry
from fusible.errors import ConfigError, RegistryError, TooLargeError
from fusible.evaluation.cost import Stages
from fusible.tasks import singles, strategies
from fusible.tasks.choose import best_of
from fusible.tasks.encoders import encoders_of, ready_encoder
from fusible.tasks.end_to_end import fit_end_to_end
from fusible.tasks.features import fit_feature
from fusible.tasks.nodes import activate
from fusible.tasks.settings import describe, grouping
from fusible.tasks.singles import best_input, is_cheap, represent
from fusible.tasks.strategies import Plan, plan
from fusible.types import Modality, Task, View


def test_without_names_everything_registered_runs():
    assert plan(None, 2) == Plan(registry.names("fusion"), registry.names("ensembles"), ("joint",), named=False)
    assert plan(None, 1) == Plan()


def test_default_stands_for_everything_beside_further_names():
    found = plan(["default", "feature:concat", "end_to_end:multimodal_transformer"], 2)
    assert found.features == registry.names("fusion")
    assert found.rules == registry.names("ensembles")
    assert found.networks == ("joint", "multimodal_transformer")


def test_an_operator_too_large_is_skipped_with_a_word_unless_it_was_named(study, monkeypatch):
    def too_large(context, operator, chosen, *, own):
        raise TooLargeError("tensor: would need 9 GB; take low_rank")

    monkeypatch.setattr(strategies, "fit_feature", too_large)
    monkeypatch.setattr(study.context, "notes", [])
    singles = {c.view.name: c.fitted for c in study.chosen}
    rest = (study.context, Plan(("tensor",), named=False), study.candidates, singles, study.chosen, Stages())
    assert strategies.fit(*rest) == []
    assert study.context.notes == ["feature:tensor was skipped: tensor: would need 9 GB; take low_rank"]
    with pytest.raises(TooLargeError, match="low_rank"):
        strategies.fit(rest[0], Plan(("tensor",)), *rest[2:])


def test_names_are_read():
    given = ["single:a", "auto", "model:stacking", "feature:multiply", "end_to_end:joint", "end_to_end:joint+multiply"]
    assert plan(given, 3) == Plan(("multiply",), ("stacking",), ("joint", "joint+multiply"))


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("feature:conct", RegistryError, "did you mean concat"),
        ("model:", RegistryError, "no part of ensembles is called ''"),
        ("end_to_end:nothing", RegistryError, "no part of networks"),
        ("end_to_end:joint+nothing", RegistryError, "no part of fusion"),
        ("feature", RegistryError, "no part of fusion is called ''"),
        ("feature:caa+concat", RegistryError, "no part of alignment is called 'caa': did you mean"),
        ("feature:cca+", RegistryError, "no part of fusion is called ''"),
        ("feature:+concat", RegistryError, "no part of alignment is called ''"),
        ("concat", ConfigError, "strategy 'concat': expected single:<view>, feature:<operator>"),
    ],
)
def test_unknown_names_are_refused(name, error, words):
    with pytest.raises(error, match=words):
        plan([name], 2)


def test_activation_gives_probabilities():
    raw = np.array([[0.0, 1.0, -1.0]], np.float32)
    several = activate(raw, Task("multilabel", ("a", "b", "c")))
    np.testing.assert_allclose(several, 1 / (1 + np.exp(-raw.astype(float))))
    classes = activate(raw, Task("multiclass", ("a", "b", "c")))
    np.testing.assert_allclose(classes, np.exp(raw.astype(float)) / np.exp(raw.astype(float)).sum())
    np.testing.assert_array_equal(activate(raw[:, :1], Task("regression")), raw[:, :1])


def test_named_encoders_are_taken_and_others_follow_the_rule(study):
    names, reasons = encoders_of(study.context, study.views, {"note": "text_gru"})
    assert names["note"] == ("text_gru",)
    assert reasons["note"] == "named by the user"
    assert names["table"] == ("table_mlp", "table_trees")
    assert reasons["table"]


def test_ready_encoders_are_seeded_and_learn_from_training_rows_only(study):
    context = study.context
    view = context.source.dataset.views["note"]
    first, again = (ready_encoder(context, view, "text_tfidf") for _ in range(2))
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])
    words = {w for i in context.split.train for w in str(context.source.dataset.to_pandas(["note"])["note"][i]).split()}
    assert {w for term in first.terms for w in term.split()} <= words
    table = context.source.dataset.views["table"]
    with torch.random.fork_rng():
        one, two = (ready_encoder(context, table, "table_mlp") for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_the_better_candidate_represents_its_view(study):
    found = study.candidates["table"]
    assert [c.encoder_name for c in found] == ["table_mlp", "table_trees"]
    rows = np.intersect1d(found[0].fitted.known, found[1].fitted.known)
    truth = study.context.learned[rows]
    right = [(c.fitted.held_out[rows].argmax(axis=1) == truth).mean() for c in found]
    assert best_of(study.context, [c.fitted for c in found]) == int(np.argmax(right))


def test_a_view_is_represented_by_no_less_than_its_best_candidate(study):
    found = study.candidates["table"]
    shown = represent(study.context, found)
    rows = np.intersect1d(shown.known, np.intersect1d(found[0].fitted.known, found[1].fitted.known))
    truth = study.context.learned[rows]
    score = [(f.held_out[rows].argmax(axis=1) == truth).mean() for f in (shown, *(c.fitted for c in found))]
    assert score[0] >= max(score[1:])
    assert (shown.name, shown.family) == ("single:table", "single")
    assert best_input(study.context, found).encoder_name == "table_mlp"


@pytest.mark.parametrize(("mended", "is_shown"), [(1, False), (6, True)])
def test_encoders_are_stacked_only_where_held_out_rows_confirm_it(study, monkeypatch, mended, is_shown):
    found = study.candidates["table"]
    best = found[best_of(study.context, [c.fitted for c in found])]
    held_out, truth = best.fitted.held_out.copy(), study.context.learned
    rows = best.fitted.known
    for row in rows[held_out[rows].argmax(axis=1) != truth[rows]][:mended]:
        held_out[row] = np.eye(3)[int(truth[row])]
    stacked = replace(best.fitted, held_out=held_out, note="stacked")
    monkeypatch.setattr(singles, "fit_ensemble", lambda *args, **given: stacked)
    assert represent(study.context, found) is (stacked if is_shown else best.fitted)


def test_trees_are_no_input_of_operators(study):
    chosen = {c.view.name: c.encoder_name for c in study.chosen}
    assert chosen == {"note": "text_tfidf", "photo": "image_cnn", "table": "table_mlp"}


def test_refitting_is_cheap_without_training_media_or_text(study):
    cheap = {c.encoder_name: is_cheap(c.view, c.encoder) for found in study.candidates.values() for c in found}
    assert cheap == {"text_tfidf": True, "image_cnn": False, "table_mlp": True, "table_trees": True}


def test_feature_fusion_leaves_encoders_as_they_were(study, quick):
    before = [{k: v.clone() for k, v in c.encoder.state_dict().items()} for c in study.chosen]
    with quick():
        fitted = fit_feature(study.context, "concat", study.chosen)
    for old, candidate in zip(before, study.chosen, strict=True):
        assert all(torch.equal(old[k], v) for k, v in candidate.encoder.state_dict().items())
    assert fitted.node.live == ()
    assert np.isfinite(fitted.held_out[study.context.split.valid]).all()
    assert np.isnan(fitted.held_out[study.context.split.test]).all()


def test_joint_training_starts_from_new_encoders(study):
    joint = next(f for f in study.fitted if f.name == "end_to_end:joint")
    for candidate in study.chosen:
        same = joint.node.encoders[candidate.view.name] is candidate.encoder
        assert same == candidate.encoder.frozen
    assert np.isnan(joint.held_out[study.context.split.train]).all(), "it saw the training rows"


def test_joint_needs_an_encoder_to_train(study):
    frozen = [c for c in study.chosen if c.encoder.frozen]
    assert frozen
    recipe = {"network": "joint", "operator": "concat", "width": 8}
    assert fit_end_to_end(study.context, "end_to_end:joint", recipe, frozen) is None


def test_batches_are_grouped_by_the_item_that_repeats_most(study):
    class Context:
        split = study.context.split

        class source:  # noqa: N801
            @staticmethod
            def data(view):
                ids = {"few": np.arange(100) // 10, "many": np.arange(100), "gaps": np.arange(100) // 10 - 1}
                return type("Data", (), {"ids": ids[view.name][:, None]})

    views = [View(name, Modality.IMAGE, (name,)) for name in ("many", "few", "gaps")]
    assert grouping(Context, views) == "few"
    assert grouping(Context, views[:1]) is None
    assert grouping(Context, views[2:]) is None
    assert grouping(Context, [View("few", Modality.TEXT, ("few",))]) is None


def test_every_setting_is_told(study):
    told = describe(study.context, list(study.views))
    assert told["folds"] == 5
    assert told["head"]["epochs"] >= 1
    assert told["end_to_end"]["peak_rate"] > 0
