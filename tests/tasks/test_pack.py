"""Model folders that are damaged or made in malice are refused in one line, and nothing in them is run."""

import shutil

import pytest
import yaml
from safetensors.torch import load_file, save_file

from fusible.errors import ModelFormatError
from fusible.tasks.folder import load


def change(place, edit):
    """Edit the config of a model folder."""
    config = yaml.safe_load((place / "config.yaml").read_text("utf-8"))
    edit(config)
    (place / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")


def refused(place, *words):
    """Loading must fail with one line that holds these words."""
    with pytest.raises(ModelFormatError) as error:
        load(place)
    said = str(error.value)
    assert "\n" not in said
    for word in words:
        assert word in said
    return said


def first_encoder(config, kind=""):
    return next(entry for key, entry in config["encoders"].items() if kind in key)


def set_encoder_name(value):
    return lambda c: first_encoder(c).update(name=value)


def set_setting(**settings):
    return lambda c: first_encoder(c, "image_cnn")["settings"].update(settings)


def first_member(config, kind):
    return next(member for member in config["strategy"]["members"] if member["kind"] == kind)


EDITS = {
    "no name of a part": (set_encoder_name("os"), ["no part of encoders is called 'os'"]),
    "a path": (set_encoder_name("../../evil"), ["'../../evil' is no name of a part of encoders"]),
    "a module": (set_encoder_name("os.system"), ["'os.system' is no name"]),
    "a helper": (set_encoder_name("_base"), ["'_base' is no name"]),
    "a number": (set_encoder_name(3), ["3 is no name"]),
    "a rule": (lambda c: c["strategy"].update(rule="subprocess"), ["no part of ensembles is called 'subprocess'"]),
    "an operator": (lambda c: first_member(c, "network").update(operator="eval"), ["no part of fusion", "eval"]),
    "another setting": (set_setting(hook="x"), ["has no plain setting 'hook'", "size"]),
    "self": (set_setting(self=1), ["has no plain setting 'self'"]),
    "no plain setting": (set_setting(width=[1]), ["has no plain setting 'width'"]),
    "a huge encoder": (set_setting(width=10**9), ["width"]),
    "a negative width": (set_setting(width=-1), ["width"]),
    "another width": (set_setting(width=64), ["expected shape"]),
    "a huge operator": (lambda c: first_member(c, "network").update(width=10**7), ["expected shape"]),
    "a kind of node": (lambda c: c["strategy"].update(kind="code"), ["node kind 'code' is unknown"]),
    "newer": (lambda c: c.update(format=99), ["format 99 is newer than 1", "upgrade"]),
    "no format": (lambda c: c.pop("format"), ["whole number `format`"]),
    "a bool as format": (lambda c: c.update(format=True), ["whole number `format`"]),
    "format zero": (lambda c: c.update(format=0), ["whole number `format`"]),
    "fewer classes": (lambda c: c["target"].update(classes=["x", "y"]), ["expected 2 finite values"]),
    "one class": (lambda c: c["target"].update(classes=["x"]), ["expected two classes or more"]),
    "an unknown task": (lambda c: c["target"].update(kind="regress"), ["expected kind of"]),
    "an unknown transform": (lambda c: c["target"].update(transform="exec"), ["expected transform of"]),
    "a scale of zero": (lambda c: c["target"].update(scale=0.0), ["positive scale"]),
    "text for a number": (lambda c: c["target"].update(mean="x"), ["damaged", "could not convert"]),
    "an extra target field": (lambda c: c["target"].update(hook=1), ["damaged", "hook"]),
    "an unknown metric": (lambda c: c.update(metric="money"), ["metric 'money' is unknown"]),
    "a threshold of words": (lambda c: c.update(threshold="high"), ["damaged"]),
    "an unknown modality": (lambda c: c["views"][0].update(modality="smell"), ["damaged", "smell"]),
    "another modality": (lambda c: c["views"][0].update(modality="audio"), ["its encoder's"]),
    "no views": (lambda c: c.update(views=[]), ["damaged", "KeyError"]),
    "no strategy": (lambda c: c.pop("strategy"), ["damaged", "strategy"]),
    "a list for a mapping": (lambda c: c.update(encoders=[1]), ["damaged"]),
    "temperatures": (lambda c: c["strategy"].update(temperatures=[1.0]), ["one positive temperature"]),
    "a negative temperature": (
        lambda c: c["strategy"].update(temperatures=[-1.0] * len(c["strategy"]["members"])),
        ["one positive temperature"],
    ),
    "no members": (lambda c: c["strategy"].update(members=[], temperatures=[]), ["one positive temperature"]),
    "a predictor that is none": (
        lambda c: first_member(c, "predictor").update(
            encoder=next(k for k in c["encoders"] if "image_cnn" in k), view="photo"
        ),
        ["predicts nothing by itself"],
    ),
}


BASES = {
    "no base": lambda plain: plain.pop("bases"),
    "a base too few": lambda plain: plain["bases"].pop("note"),
    "no offset": lambda plain: plain.pop("offset"),
    "the base of another view": lambda plain: plain["bases"].update(note=plain["bases"]["table"]),
    "a view that is not fused": lambda plain: plain["views"].pop("table"),
}


@pytest.mark.parametrize("what", BASES)
def test_predictors_that_a_network_does_not_start_from_are_refused(saved, tmp_path, what):
    place = shutil.copytree(saved / "feature:concat", tmp_path / "model")
    change(place, lambda c: BASES[what](c["strategy"]))
    refused(place, "expected one base for each view where there is an offset", "sees that view alone")


@pytest.mark.parametrize("what", EDITS)
def test_a_tampered_config_is_refused(copy, what):
    edit, words = EDITS[what]
    change(copy, edit)
    refused(copy, *words)


def test_a_local_path_in_a_config_is_not_read(copy, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr("fusible.encoders.hf.read_folder", lambda *a: read.append(a))
    change(copy, lambda c: first_encoder(c).update(name="hf", settings={"path": str(tmp_path)}))
    refused(copy, "has no plain setting 'path'")
    assert read == []


@pytest.mark.parametrize(
    "line",
    [
        "!!python/object/apply:os.system ['touch {mark}']",
        "!!python/object/new:os.system ['touch {mark}']",
        "!!python/name:os.system",
        "!!python/module:os",
    ],
)
def test_python_tags_are_refused_and_not_run(copy, tmp_path, line):
    mark = tmp_path / "ran"
    with (copy / "config.yaml").open("a") as file:
        file.write(f"\nmore: {line.format(mark=mark)}\n")
    refused(copy, "config.yaml", "could not determine a constructor")
    assert not mark.exists()


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: [", "\x00", "- " * 5000, "x: 2020-99-99"])
def test_a_config_that_is_no_mapping_is_refused(copy, text):
    (copy / "config.yaml").write_text(text)
    refused(copy, "config.yaml")


def test_bytes_that_are_no_text_are_refused(copy):
    (copy / "config.yaml").write_bytes(b"\xff\xfe\xfa")
    refused(copy, "config.yaml")


@pytest.mark.parametrize("name", ["config.yaml", "weights.safetensors"])
def test_missing_files_are_named(copy, name):
    (copy / name).unlink()
    refused(copy, name)


def test_no_folder(tmp_path):
    refused(tmp_path / "nothing", "expected a model folder with config.yaml")


def test_missing_preprocessing_and_trees_are_refused(copy):
    shutil.rmtree(copy / "trees")
    refused(copy, "table_trees", "model texts")
    shutil.rmtree(copy / "preprocessing")
    refused(copy)


@pytest.mark.parametrize("kind", ["preprocessing", "trees"])
@pytest.mark.parametrize("text", ["", "{}", "nonsense", "[" * 100_000])
def test_damaged_texts_are_refused(copy, kind, text):
    for file in (copy / kind).iterdir():
        file.write_text(text)
    refused(copy)


def arrays(place, edit):
    """Edit the arrays of a model folder."""
    held = load_file(str(place / "weights.safetensors"))
    edit(held)
    save_file(held, str(place / "weights.safetensors"))


def test_damaged_weights_are_refused(copy):
    whole = (copy / "weights.safetensors").read_bytes()
    for damaged in (b"", whole[:100], whole[:-10], b"\x80\x04" + whole[2:], b"\xff" * 64):
        (copy / "weights.safetensors").write_bytes(damaged)
        refused(copy, "weights.safetensors")


def test_every_array_must_be_there_in_its_shape(copy):
    whole = load_file(str(copy / "weights.safetensors"))
    needed = [key for key in whole if ".rule." not in key]
    for key in needed[:: max(1, len(needed) // 12)]:
        arrays(copy, lambda held, key=key: held.pop(key))
        refused(copy, key)
        save_file({**whole, key: whole[key].new_zeros(3, 3, 3, 3, 3)}, str(copy / "weights.safetensors"))
        refused(copy, key)
        save_file(whole, str(copy / "weights.safetensors"))
    load(copy)


def test_a_rules_arrays_are_checked(copy):
    whole = load_file(str(copy / "weights.safetensors"))
    for key in (key for key in whole if ".rule." in key):
        save_file({**whole, key: whole[key].new_zeros(2, 9, 2)}, str(copy / "weights.safetensors"))
        refused(copy)


def test_links_are_refused(copy, tmp_path):
    for name in ("config.yaml", "weights.safetensors"):
        shutil.move(copy / name, tmp_path / name)
        (copy / name).symlink_to(tmp_path / name)
        refused(copy, name, "a link, expected a plain file")
        (copy / name).unlink()
        shutil.move(tmp_path / name, copy / name)
    file = next((copy / "preprocessing").iterdir())
    shutil.move(file, tmp_path / file.name)
    file.symlink_to(tmp_path / file.name)
    refused(copy, file.name, "a link")
    file.unlink()
    shutil.move(tmp_path / file.name, file)
    shutil.move(copy / "trees", tmp_path / "trees")
    (copy / "trees").symlink_to(tmp_path / "trees")
    refused(copy, "trees", "a link")
