"""What rules are told of the rows of a study beside their members' scores."""

import numpy as np
import pytest

from fusible import registry
from fusible.errors import ConfigError, ModelFormatError
from fusible.tasks import combine
from fusible.tasks.nodes import encodings, labelled_views, sight
from fusible.tasks.pack import pack
from fusible.tasks.unpack import unpack


def of_name(study, name):
    return next(f for f in study.fitted if f.name == name)


def test_members_are_what_the_rule_asks_for(monkeypatch):
    kinds = {"weighted": "v", "stacking": "c", "greedy": "s"}
    for name, expected in kinds.items():
        assert combine.members_of(name, ["v"], ["c"], ["s"]) == [expected]
    monkeypatch.setattr(registry.get("ensembles", "vote"), "members", "all")
    with pytest.raises(ConfigError, match="rule 'vote': members: expected one of views, candidates, strategies"):
        combine.members_of("vote", [], [], [])


def test_greedy_combines_single_views_and_what_was_fused_and_keeps_those_that_count(study):
    node = of_name(study, "model:greedy").node
    names = [member.name for member in node.members]
    assert any(name.startswith("single:") for name in names)
    assert any(not name.startswith("single:") for name in names)
    assert set(names) < {f.name for f in study.fitted if f.name != "model:greedy"}
    assert node.rule.needed().all()
    assert len(node.temperatures) == len(names)


def test_rules_are_told_who_sees_what(study):
    context, rows = study.context, np.arange(20)
    names = ["single:note", "single:photo", "single:table", "feature:concat"]
    members = [of_name(study, name).node for name in names]
    told = sight(members, context.source, rows)
    assert told["views"] == ("note", "photo", "table")
    np.testing.assert_array_equal(told["sees"][:3], np.eye(3, dtype=bool))
    assert told["sees"][3].all()
    views = list(context.source.dataset.views.values())
    np.testing.assert_array_equal(told["seen"], context.source.presence(views, rows))
    present = np.stack([member.presence(context.source, rows) for member in members], axis=1)
    np.testing.assert_array_equal(told["seen"] @ told["sees"].T, present)


def test_encodings_are_nan_where_absent_and_on_rows_whose_labels_the_encoder_saw(study):
    context, node = study.context, of_name(study, "model:gate").node
    everything = np.arange(context.source.dataset.rows)
    found = encodings(node.members, context.source, everything)
    for name, values in found.items():
        view = context.source.dataset.views[name]
        present = context.source.presence([view], everything)[:, 0]
        np.testing.assert_array_equal(np.isfinite(values).all(axis=1), present)
        assert values.dtype == np.float32
    trained = labelled_views(node.members)
    assert "photo" in trained
    assert "note" not in trained
    fitted = [of_name(study, member.name) for member in node.members]
    told = combine._Told(context, fitted, node.rule).of(everything)["encodings"]
    train, valid = context.split.train, context.split.valid
    assert np.isnan(told["photo"][train]).all()
    np.testing.assert_array_equal(told["photo"][valid], found["photo"][valid])
    np.testing.assert_array_equal(told["note"], found["note"])


@pytest.mark.parametrize("name", ["weighted", "gate", "greedy", "evidential", "stacking"])
def test_a_row_alone_is_predicted_as_in_a_batch(study, name):
    context, node = study.context, of_name(study, f"model:{name}").node
    rows = context.split.test
    whole = node.scores(context.source, rows)
    np.testing.assert_allclose(whole[:3], [node.scores(context.source, rows[[i]])[0] for i in range(3)], atol=1e-5)


@pytest.mark.parametrize("name", ["weighted", "gate", "greedy", "evidential", "stacking"])
def test_damaged_arrays_are_refused(study, name):
    views, task = study.context.source.dataset.views, study.context.task
    packed = pack(of_name(study, f"model:{name}").node)
    whole = {key: array for key, array in packed.arrays.items() if key.startswith("node1.rule.")}
    for key, array in whole.items():
        if array.is_floating_point():
            packed.arrays[key] = array * float("nan")
            with pytest.raises(ModelFormatError, match="expected finite values"):
                unpack(packed, views, task)
        packed.arrays[key] = array[..., :-1]
        with pytest.raises((ModelFormatError, ValueError)):  # what is no message of ours becomes one in `load`
            unpack(packed, views, task)
        packed.arrays[key] = array
    assert unpack(packed, views, task).name == f"model:{name}"
