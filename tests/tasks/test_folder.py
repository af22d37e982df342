"""Model folders: what comes back is what went in, and writing is all or nothing."""

import socket
import sys

import numpy as np
import pytest
from safetensors.torch import load_file

from fusible import registry
from fusible.errors import DataError
from fusible.tasks import folder as folders
from fusible.tasks.folder import load

STRATEGIES = (
    "single:note",
    "single:photo",
    "single:table",
    *(f"feature:{name}" for name in registry.names("fusion")),
    *(f"model:{name}" for name in registry.names("ensembles")),
    "end_to_end:joint",
)


def test_the_study_holds_every_family(models):
    assert set(models) == set(STRATEGIES)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_loaded_model_predicts_bit_for_bit_the_same(saved, models, mixed, unseen, name, monkeypatch):
    def no_network(*_):
        raise OSError("the network is off")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    loaded = load(saved / name)
    for table in (unseen, mixed):
        assert np.array_equal(loaded.predict_scores(table), models[name].predict_scores(table))
    frame, same = loaded.predict(unseen), models[name].predict(unseen)
    assert frame.equals(same)
    assert frame.attrs == same.attrs
    assert (loaded.target, loaded.metric, loaded.columns, loaded.views) == (
        models[name].target,
        models[name].metric,
        models[name].columns,
        models[name].views,
    )


@pytest.mark.parametrize("name", STRATEGIES)
def test_saving_again_writes_the_same_arrays(saved, tmp_path, name):
    load(saved / name).save(tmp_path / "again")
    first, again = (load_file(str(p / "weights.safetensors")) for p in (saved / name, tmp_path / "again"))
    assert first.keys() == again.keys()
    assert all(first[key].equal(again[key]) for key in first)
    assert (saved / name / "config.yaml").read_text() == (tmp_path / "again" / "config.yaml").read_text()


def test_a_folder_holds_arrays_and_plain_text_only(saved):
    for file in saved.rglob("*"):
        assert not file.is_symlink()
        if file.is_file() and file.suffix != ".safetensors":
            assert file.suffix in {".yaml", ".json", ".txt", ".md"}, file
            file.read_text("utf-8")


# -- writing ----------------------------------------------------------------------------------------------------------


def contents(place):
    """Files of a folder and their bytes."""
    return {str(f.relative_to(place)): f.read_bytes() for f in sorted(place.rglob("*")) if f.is_file()}


STEPS = ("yaml.safe_dump", "safetensors.torch.save_file", "fusible.tasks.folder.replace")


@pytest.mark.parametrize("step", STEPS)
def test_a_failed_save_leaves_what_was_there(copy, models, step, monkeypatch):
    before, around = contents(copy), sorted(copy.parent.iterdir())

    def fail(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(step, fail)
    for place in (copy, copy.parent / "new"):
        with pytest.raises(OSError, match="no space left"):
            models["single:note"].save(place)
        assert contents(copy) == before
        assert sorted(copy.parent.iterdir()) == around


def test_a_failed_rename_puts_the_old_folder_back(copy, models, monkeypatch):
    before, around = contents(copy), sorted(copy.parent.iterdir())
    rename = type(copy).rename

    def fail(self, target):
        if target == copy and self.name != "old":
            raise OSError("rename failed")
        return rename(self, target)

    monkeypatch.setattr(type(copy), "rename", fail)
    monkeypatch.setattr("fusible.tasks.folder.exchanged", lambda *_: False)
    with pytest.raises(OSError, match="rename failed"):
        models["single:note"].save(copy)
    assert contents(copy) == before
    assert sorted(copy.parent.iterdir()) == around


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux exchanges two folders in one step")
def test_there_is_no_moment_without_a_model(copy, models, saved, monkeypatch):
    def fail(self, target):
        raise AssertionError("between two renames nothing would stand there")

    monkeypatch.setattr(type(copy), "rename", fail)
    models["single:note"].save(copy)
    assert contents(copy) == contents(saved / "single:note")


@pytest.mark.parametrize("steps", [1, 2])
def test_a_new_model_replaces_the_old_one(copy, models, saved, steps, monkeypatch):
    if steps == 2:
        monkeypatch.setattr("fusible.tasks.folder.exchanged", lambda *_: False)
    models["single:note"].save(copy)
    assert contents(copy) == contents(saved / "single:note")
    assert list(copy.parent.iterdir()) == [copy]


def test_saving_makes_folders_above_and_takes_an_empty_one(models, tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "a" / "b", tmp_path / "empty"):
        assert models["single:note"].save(place) == place
        assert load(place).node.name == "single:note"


def test_what_is_no_model_is_not_overwritten(models, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    alike = tmp_path / "alike"
    alike.mkdir()
    for name in ("config.yaml", "weights.safetensors", "thesis.txt"):
        (alike / name).write_text("mine")
    with pytest.raises(DataError, match="expected a folder to write the model to, got a file"):
        models["single:note"].save(file)
    for place in (other, alike):
        before = contents(place)
        with pytest.raises(DataError, match="expected a new path, an empty folder or a model folder, got other files"):
            models["single:note"].save(place)
        assert contents(place) == before
    assert file.read_text() == "mine"


def test_format_is_one():
    assert folders.FORMAT == 1
