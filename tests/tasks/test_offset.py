"""Feature-level strategies start from what the single views' own predictors say, and add what held-out rows confirm."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fusible.tasks import features, offset
from fusible.tasks._ground import Memory
from fusible.tasks.build import build_network
from fusible.tasks.evidence import DOUBT, evidence, outputs_of
from fusible.tasks.fill import filled_scores
from fusible.tasks.nodes import NetworkNode, activate
from fusible.tasks.offset import own_scores

VIEWS = ["note", "photo", "table"]


def singles(study):
    return {f.name.partition(":")[2]: f for f in study.fitted if f.family == "single"}


def concat(study):
    return next(f for f in study.fitted if f.name == "feature:concat")


@pytest.fixture(scope="module")
def own(study):
    return own_scores(study.context, singles(study), VIEWS)


def test_every_view_has_a_part(study, own):
    assert list(own.nodes) == VIEWS
    assert concat(study).node.recipe["offset"] is True
    assert list(concat(study).node.bases) == VIEWS


def test_evidence_is_held_out(study, own):
    context = study.context
    train, valid = context.split.train, context.split.valid
    assert own.starts.tolist() == [True, False, True]  # the pictures' encoder was trained once, on all training rows
    for view, best in singles(study).items():
        there = best.node.presence(context.source, train)
        held = evidence(best.held_out[train], context.prior, context.task)[there]
        seen = evidence(best.node.scores(context.source, train), context.prior, context.task)[there]
        np.testing.assert_allclose(own.evidence[view][train][there], np.nan_to_num(held), atol=1e-6)
        assert view == "photo" or np.abs(held - seen).max() > 0.05
        known = evidence(best.held_out[valid], context.prior, context.task)
        np.testing.assert_allclose(own.evidence[view][valid], known, atol=1e-6)


def test_what_is_put_together(study, own):
    context, valid = study.context, study.context.split.valid
    outputs = outputs_of(context.prior, context.task) + np.zeros((len(valid), context.task.outputs))
    weights = own.offset.weights.numpy()
    there = np.stack([own.nodes[v].presence(context.source, valid) for v in VIEWS], axis=1)
    there[:, 1] &= there.sum(axis=1) == 1  # pictures count where they are alone
    for i, view in enumerate(VIEWS):
        say = there[:, i] * (there @ weights[i])
        outputs += say[:, None] * own.evidence[view][valid]
    np.testing.assert_allclose(own.scores[valid], activate(outputs, context.task), atol=1e-5)
    np.testing.assert_array_equal(np.diag(weights), 1.0)
    assert np.isnan(own.scores[context.split.test]).all()


def test_what_held_out_rows_do_not_confirm_is_not_added(study, own, monkeypatch):
    context, valid = study.context, study.context.split.valid
    monkeypatch.setattr(offset, "_gains", lambda *_: False)
    found = features.fit_feature(context, "concat", study.chosen, own=own)
    assert found.note == (
        "of several views it says what each says alone, put together; where note or photo or table is all there is, it "
        "says what that view's own predictor says: held-out rows confirm no more"
    )
    assert not found.node.network.adds.any()
    there = found.node.presence(context.source, valid)
    np.testing.assert_allclose(found.node.scores(context.source, valid)[there], own.scores[valid][there], atol=1e-5)
    np.testing.assert_array_equal(found.held_out[found.known], own.scores[found.known])
    for view, best in singles(study).items():
        others = {name: np.ones(context.source.dataset.rows, bool) for name in VIEWS if name != view}
        alone = context.source.hiding(others)
        rows = valid[best.node.presence(alone, valid)]
        expected = (1 - DOUBT) * best.node.scores(alone, rows) + DOUBT * context.prior
        np.testing.assert_allclose(found.node.scores(alone, rows), expected, atol=1e-5)


def test_each_case_is_confirmed_by_itself(study, own, monkeypatch):
    context = study.context
    asked = []

    def gains(_, rows, before, after):
        asked.append((rows, before, after))
        return len(asked) != 3  # all but the pictures alone

    monkeypatch.setattr(offset, "_gains", gains)
    found = features.fit_feature(context, "concat", study.chosen, own=own)
    assert found.node.network.adds.tolist() == [True, True, False, True]
    assert found.note.startswith("where photo is all there is, it says what that view's own predictor says: held-out")
    assert (own.cases(context.source)[asked[0][0]] == 0).all()
    pictures = np.flatnonzero(context.source.presence([study.chosen[1].view], context.split.valid)[:, 0])
    np.testing.assert_array_equal(asked[2][0], context.split.valid[pictures])
    np.testing.assert_array_equal(asked[2][1], singles(study)["photo"].node.scores(context.source, asked[2][0]))
    assert np.abs(asked[2][1] - asked[2][2]).max() > 1e-3
    lonely = found.known[own.cases(context.source)[found.known] == 2]
    np.testing.assert_array_equal(found.held_out[lonely], own.scores[lonely])
    valid = context.split.valid
    np.testing.assert_allclose(found.node.scores(context.source, valid), found.held_out[valid], atol=1e-4)


def test_a_gain_counts_from_one_standard_error_on(study, own):
    context, rows = study.context, study.context.split.valid
    before, right = own.scores[rows], np.eye(3)[context.learned[rows].astype(int)]
    assert not offset._gains(context, rows, before, before)
    assert offset._gains(context, rows, before, 0.9 * before + 0.1 * right)
    assert not offset._gains(context, rows, before, 0.9 * before + 0.1 * (1 - right) / 2)
    assert offset._gains(context, rows[:0], before[:0], before[:0])  # nothing is known against it


def test_scores_of_some_rows_are_those_of_all(study):
    context, node = study.context, concat(study).node
    rows = context.split.test
    whole = node.scores(context.source, rows)
    np.testing.assert_allclose([node.scores(context.source, rows[[i]])[0] for i in range(4)], whole[:4], atol=1e-6)


def test_its_predictors_count_among_its_parameters(study):
    node = concat(study).node
    bare = NetworkNode(node.name, node.task, node.prior, node.views, node.encoders, node.network, node.recipe)
    shared = sum(p.numel() for p in node.encoders["photo"].parameters())
    assert shared > 1_000
    own = sum(base.parameters() for base in node.bases.values())
    assert node.parameters() == bare.parameters() + own - shared


def test_a_filled_view_says_zero_or_what_it_says_in_the_mean(study):
    context, node = study.context, concat(study).node
    rows, train = context.split.test[:12], context.split.train
    hidden = {"note": np.ones(context.source.dataset.rows, bool)}
    feeds = node.feeds(context.source, np.union1d(rows, train))
    network_sees = {}
    forward = type(node.network).forward

    def watched(network, batches):
        network_sees.update({view: batch.evidence for view, batch in batches.items()})
        return forward(network, batches)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(node.network), "forward", watched)
        filled_scores(node, context.source, rows, hidden, "mean", train)
        present = train[feeds["note"].presence[train]]
        mean = torch.from_numpy(feeds["note"].evidence[present].mean(axis=0)).expand(len(rows), -1)
        torch.testing.assert_close(network_sees["note"], mean)
        filled_scores(node, context.source, rows, hidden, "zeros")
        assert not network_sees["note"].any()
        there = feeds["table"].presence[rows]
        torch.testing.assert_close(network_sees["table"][there], torch.from_numpy(feeds["table"].evidence[rows[there]]))


def test_networks_that_start_from_the_same_predictors_ask_them_once(study):
    memory = Memory()
    nodes = [memory.shared(f.node) for f in study.fitted if f.name in {"feature:concat", "feature:gated"}]
    assert nodes[0].bases["note"] is nodes[1].bases["note"]
    rows = study.context.split.test
    np.testing.assert_allclose(
        nodes[0].scores(study.context.source, rows), concat(study).node.scores(study.context.source, rows)
    )
    nodes[1].scores(study.context.source, rows)
    assert len(nodes[1].bases["note"].kept) == 1


def test_without_held_out_evidence_a_network_begins_as_any_other(study, own, monkeypatch):
    context = study.context
    monkeypatch.setattr(offset, "_gains", lambda *_: False)
    best = {}
    for view, one in singles(study).items():
        held_out = one.held_out.copy()
        held_out[context.split.train] = np.nan
        best[view] = replace(one, held_out=held_out)
    silent = own_scores(context, best, VIEWS)
    assert (own.tells, silent.tells) == (True, False)
    widths = {c.view.name: c.encoder.output_width for c in study.chosen}
    recipe = {"network": "joint", "operator": "concat", "width": 8, "offset": True}
    networks = [build_network(recipe, {}, widths, 3) for _ in range(2)]
    own.start(networks[0])
    silent.start(networks[1])
    assert not networks[0].head.linear.weight.any()
    assert networks[1].head.linear.weight.any()
    found = features.fit_feature(context, "concat", study.chosen, own=silent)
    assert found.node.network.adds.tolist() == [True, False, False, False]
    assert found.note.startswith("where note or photo or table is all there is")
