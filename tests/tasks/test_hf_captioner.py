"""Captioners in Hugging Face format: tiny random models of the three kinds, against transformers' own `generate`."""

import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from _cases import call
from PIL import Image
from safetensors.torch import load_file, save_file

import fusible
from fusible.errors import ConfigError, DataError, ModelFormatError, SchemaError
from fusible.tasks import _hf_folder, hf_captioner
from fusible.tasks.hf_captioner import HfCaptionModel

KINDS = ("ved", "blip", "git")
SIDE, PLACES = 16, 12
PAD, UNKNOWN, START, END = range(4)
MEAN, SPREAD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.4]
WORDS = ["a red dog runs in the sun", "the blue cat sits by a sea", "one green bird sings over two old hills"]
SMALL = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SEES = {**SMALL, "image_size": SIDE, "patch_size": 8}
SPECIAL = {"bos_token_id": START, "eos_token_id": END, "pad_token_id": PAD}


def tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    plain = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    plain.pre_tokenizer, plain.decoder = pre_tokenizers.Whitespace(), decoders.WordPiece()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    plain.train_from_iterator(
        WORDS, trainers.WordPieceTrainer(vocab_size=90, special_tokens=names, show_progress=False)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def network(kind, vocabulary):
    """A model whose words depend on the picture, and which ends some texts early."""
    import transformers as hf

    torch.manual_seed(0)
    says = {**SMALL, **SPECIAL, "vocab_size": vocabulary, "max_position_embeddings": PLACES}
    if kind == "ved":
        writes = hf.BertConfig(**says, is_decoder=True, add_cross_attention=True)
        model = hf.VisionEncoderDecoderModel(
            hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(hf.ViTConfig(**SEES), writes)
        )
        model.generation_config.update(decoder_start_token_id=START, **SPECIAL)
        bias = model.decoder.cls.predictions.bias
    elif kind == "blip":
        text = {**says, "sep_token_id": END, "encoder_hidden_size": 16}
        model = hf.BlipForConditionalGeneration(hf.BlipConfig(text_config=text, vision_config=SEES, projection_dim=8))
        bias = model.text_decoder.cls.predictions.bias
    else:
        model = hf.GitForCausalLM(hf.GitConfig(**says, vision_config=SEES))
        bias = model.output.bias
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.4 if "embed" in name else 0.5)
        bias[END] += 4.0
        bias[[PAD, UNKNOWN, START]] -= 30.0
    return model.eval()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders of the three kinds, saved as transformers saves them, and the models."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    words, found = tokenizer(), {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp(kind)
        model = network(kind, len(words))
        model.save_pretrained(folder)
        words.save_pretrained(folder)
        looks = {"size": {"height": SIDE, "width": SIDE}, "image_mean": MEAN, "image_std": SPREAD, "resample": 2}
        if kind == "blip":  # as a processor of pictures and texts saves it
            inner = {**looks, "image_processor_type": "BlipImageProcessor"}
            (folder / "processor_config.json").write_text(json.dumps({"image_processor": inner}))
        else:
            name = {"ved": "feature_extractor_type", "git": "image_processor_type"}[kind]
            kinds = {"ved": "ViTFeatureExtractor", "git": "ViTImageProcessorFast"}
            (folder / "preprocessor_config.json").write_text(json.dumps({**looks, name: kinds[kind]}))
        found[kind] = (folder, model, words)
    return found


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Files of pictures of different sizes."""
    rng, place = np.random.default_rng(3), tmp_path_factory.mktemp("pictures")
    files = []
    for i, shape in enumerate([(16, 16), (30, 20), (16, 40), (25, 25), (12, 12), (20, 31)]):
        pixels = (rng.integers(0, 256, 3) * rng.random((*shape, 1))).astype(np.uint8)
        files.append(str(place / f"{i}.png"))
        Image.fromarray(pixels).save(files[-1])
    return files


@pytest.fixture(scope="module")
def loaded(made):
    """The folders' models, loaded."""
    return {kind: fusible.load_captioner(folder) for kind, (folder, _, _) in made.items()}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def copy(made, tmp_path):
    """A copy of a folder, to be spoiled."""

    def one(kind="ved"):
        place = tmp_path / "copy"
        shutil.copytree(made[kind][0], place)
        return place

    return one


def spoil(file, **changes):
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def inputs(files):
    """What the preprocessing comes to, in closed form but for Pillow's bilinear resize."""
    small = [np.asarray(Image.open(f).resize((SIDE, SIDE), Image.Resampling.BILINEAR)) / 255 for f in files]
    return torch.from_numpy((np.stack(small) - MEAN) / SPREAD).float().permute(0, 3, 1, 2)


def forced(kind, model, pixels, tokens):
    """Log-probabilities (tokens,) of a text by teacher forcing; `tokens` begins with the start."""
    given = torch.tensor([tokens[:-1]])
    name = "decoder_input_ids" if kind == "ved" else "input_ids"
    with torch.no_grad():
        logits = model(pixel_values=pixels[None], **{name: given}).logits[0, -len(tokens) + 1 :]
    return logits.log_softmax(-1).gather(1, torch.tensor(tokens[1:])[:, None])[:, 0].numpy()


@pytest.mark.parametrize("settings", [{}, {"beams": 3}, {"beams": 3, "length_penalty": 0.0, "shortest": 4}], ids=str)
def test_it_says_what_transformers_says_and_how_sure_it_is(made, loaded, pictures, kind, settings):
    _, model, words = made[kind]
    found = loaded[kind].caption(pictures, longest=8, **settings)
    pixels = inputs(pictures)
    given = {"num_beams": settings.get("beams", 1), "length_penalty": settings.get("length_penalty", 1.0)}
    for row, one in enumerate(pixels):
        said = model.generate(
            pixel_values=one[None], max_new_tokens=8, min_new_tokens=settings.get("shortest", 0), **given
        )
        tokens = said[0].tolist()
        tokens = tokens[: tokens.index(END) + 1] if END in tokens else tokens
        assert found["caption"][row] == words.decode(tokens, skip_special_tokens=True)
        expected = np.exp(forced(kind, model, one, tokens).mean())
        assert found["confidence"][row] == pytest.approx(expected, rel=1e-3)
        assert len(tokens) - 1 > settings.get("shortest", 0) or len(tokens) == 9
    assert found.attrs["problems"] == []
    assert found["caption"].nunique() > 2


def test_texts_of_different_lengths_stand_in_one_batch(loaded, pictures):
    for model in loaded.values():
        texts = model.caption(pictures)["caption"]
        assert len({len(model.tokenizer(text)["input_ids"]) for text in texts}) > 1


@pytest.mark.parametrize("settings", [{}, {"beams": 2}, {"sample": True, "seed": 5}], ids=str)
def test_a_batch_of_one_is_as_one_of_many(loaded, pictures, monkeypatch, kind, settings):
    model, twice = loaded[kind], pictures[:4] * 2
    many = model.caption(twice, **settings)
    monkeypatch.setattr(hf_captioner, "HYPOTHESES", 1)
    monkeypatch.setattr(hf_captioner, "CHUNK", 5)
    one = model.caption(twice, **settings)
    assert many["caption"].tolist() == one["caption"].tolist()
    np.testing.assert_allclose(many["confidence"], one["confidence"], rtol=1e-4)
    if not settings.get("sample"):
        assert many["caption"][:4].tolist() == many["caption"][4:].tolist()


def test_drawing_is_by_seed_and_by_row(loaded, pictures, kind):
    model = loaded[kind]
    same = [pictures[0]] * 12
    drawn = model.caption(same, sample=True, seed=1)["caption"]
    assert drawn.nunique() > 1
    assert drawn.tolist() == model.caption(same, sample=True, seed=1)["caption"].tolist()
    assert drawn.tolist() != model.caption(same, sample=True, seed=2)["caption"].tolist()
    greedy = model.caption(same[:1])["caption"][0]
    cold = model.caption(same, sample=True, temperature=1e-3)["caption"]
    narrow = model.caption(same, sample=True, top_p=1e-9)["caption"]
    assert set(cold) == set(narrow) == {greedy}


def test_lengths_and_positions(loaded, pictures, kind):
    model = loaded[kind]
    assert model.settings.longest == PLACES  # 30 by itself, but it has no more positions
    full = model.caption(pictures, longest=PLACES, shortest=PLACES, beams=2)
    assert (full["caption"].str.len() > 0).all()
    with pytest.raises(ConfigError, match=f"longest up to {PLACES}"):
        model.caption(pictures, longest=PLACES + 1)
    with pytest.raises(ConfigError, match="has no setting 'depth'"):
        model.caption(pictures, depth=2)


def test_the_folders_own_settings_count_where_nothing_else_is_said(copy, pictures):
    place = copy("git")
    own = {"max_length": 7, "min_length": 3, "num_beams": 2, "length_penalty": 0.5, "no_repeat_ngram_size": 1}
    spoil(place / "generation_config.json", **own, penalty_alpha=0.6, top_k=4, custom_generate="some/where")
    model = fusible.load_captioner(place)
    chosen = model.settings
    assert (chosen.beams, chosen.longest, chosen.shortest, chosen.length_penalty) == (2, 6, 2, 0.5)
    assert model.network.generation_config.penalty_alpha is None  # a mode whose code is fetched
    tokens = [model.tokenizer(text)["input_ids"] for text in model.caption(pictures)["caption"]]
    assert all(len(set(row)) == len(row) <= 6 for row in tokens)


def test_no_more_tokens_than_can_be(copy, monkeypatch):
    place = copy()
    monkeypatch.setattr(_hf_folder, "positions", lambda network: 2**31)
    spoil(place / "generation_config.json", max_length=10**9)
    assert fusible.load_captioner(place).settings.longest == 4_096


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [({"num_beams": 0}, "expected beams from 1"), ({"num_beams": "x"}, "invalid literal"), ({"top_p": []}, "float")],
)
def test_settings_that_cannot_be_are_named(copy, spoilt, words):
    place = copy()
    spoil(place / "generation_config.json", **spoilt)
    with pytest.raises(ConfigError, match=f"generation_config.json: .*{words}"):
        fusible.load_captioner(place)


def test_tables_and_cells_that_cannot_be_read(loaded, pictures, tmp_path):
    model = loaded["ved"]
    (tmp_path / "bad.png").write_bytes(b"no picture")
    told = model.caption(pictures[:2])
    frame = pd.DataFrame(
        {"id": range(5), "photo": [pictures[0], None, str(tmp_path / "bad.png"), pictures[1], "no.png"]}
    )
    found = model.caption(frame)
    assert found["caption"].tolist() == [told["caption"][0], "", "", told["caption"][1], ""]
    assert found["confidence"].tolist()[1:3] == [0.0, 0.0]
    assert len(found.attrs["problems"]) == 2
    assert "no.png" in found.attrs["problems"][0]
    assert "row 2, column 'photo'" in found.attrs["problems"][1]
    assert [problem.rows for problem in model.problems] == [(4,), (2,)]
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert model.caption(str(tmp_path / "t.csv"))["caption"].tolist() == found["caption"].tolist()
    two = frame.assign(image=pictures[:5])
    assert model.caption(two)["caption"].tolist() == model.caption(pictures[:5])["caption"].tolist()
    with pytest.raises(SchemaError, match="columns of pictures 'photo', 'other'; call the one to write of 'image'"):
        model.caption(frame.assign(other=pictures[:5]))
    with pytest.raises(SchemaError, match="no column of pictures"):
        model.caption(frame[["id"]])
    with pytest.raises(DataError, match="got none"):
        model.caption([])
    with pytest.raises(ConfigError, match="does not say where it looked"):
        model.look(pictures)
    assert isinstance(model, HfCaptionModel)
    assert (model.explains, model.views[0].columns, model.columns[0].name) == (False, ("image",), "image")


def test_pictures_may_be_bytes(loaded, pictures):
    model, raw = loaded["ved"], [Path(file).read_bytes() for file in pictures]
    told = model.caption(pictures)
    pd.testing.assert_frame_equal(model.caption(raw), told)
    pd.testing.assert_frame_equal(model.caption([bytearray(raw[0]), *map(memoryview, raw[1:])]), told)
    pd.testing.assert_frame_equal(model.caption([Path(file) for file in pictures]), told)
    found = model.caption([raw[0], b"no picture"])
    assert found["caption"].tolist() == [told["caption"][0], ""]
    assert "row 1, column 'image': not a readable image" in found.attrs["problems"][0]
    for odd, place in (([raw[0], pictures[1]], 1), ([pictures[0], raw[1]], 1), ([None], 0), ([np.zeros((4, 4))], 0)):
        with pytest.raises(DataError, match=rf"only paths, or only bytes, got \w+ at place {place}\Z"):
            model.caption(odd)


@pytest.mark.parametrize("cells", [[1.5, 2.5], [1, 2], [True, False], [["a.png"], ["b.png"]], pd.Timestamp("2020-1-1")])
def test_a_column_of_no_pictures_is_refused_in_a_line(loaded, cells):
    with pytest.raises(SchemaError, match=r"column 'image': expected pictures, as paths or bytes, got cells of .*\Z"):
        loaded["ved"].caption(pd.DataFrame({"image": cells, "n": [1, 2]}))
    nothing = loaded["ved"].caption(pd.DataFrame({"image": [None, None], "n": [1, 2]}))
    assert nothing["caption"].tolist() == ["", ""]


def test_odd_pictures_are_written_of(loaded, tmp_path):
    dot = tmp_path / "dot.png"
    Image.fromarray(np.full((1, 1), 9, np.uint8)).save(dot)
    deep = tmp_path / "deep.tiff"
    Image.fromarray(np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)).save(deep)
    for model in loaded.values():
        assert (model.caption([dot, deep])["confidence"] > 0).all()


def refused(place, words, error=ConfigError):
    with pytest.raises(error) as caught:
        fusible.load_captioner(place)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_captioner_is_refused_in_a_line(copy, tmp_path):
    refused("some/name-of-the-hub", "or a local Hugging Face folder (config.json); found neither", ModelFormatError)
    with pytest.raises(ConfigError, match=r"Hugging Face folder with config\.json"):
        hf_captioner.load_hf_captioner(tmp_path)
    place = copy()
    config = (place / "config.json").read_text()
    spoil(place / "config.json", model_type="bert", architectures=["BertModel"])
    refused(place, "expected a model that writes of pictures, vision-encoder-decoder (VisionEncoderDecoderModel)")
    spoil(place / "config.json", model_type="blip", architectures=["BlipForQuestionAnswering"])
    refused(place, "got 'blip' (['BlipForQuestionAnswering'])")
    spoil(place / "config.json", model_type=["blip"], architectures="os.system")
    refused(place, "got ['blip']")
    (place / "config.json").write_text("[1]")
    refused(place, "expected a JSON object, got list")
    (place / "config.json").write_text("{")
    refused(place, "config.json: expected JSON")
    (place / "config.json").write_text(config)
    (place / "adapter_config.json").write_text("{}")
    refused(place, "holds an adapter")
    (place / "adapter_config.json").unlink()
    (place / "model.safetensors").rename(place / "pytorch_model.bin")
    refused(place, "has no .safetensors file; other formats can run code")
    (place / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    refused(place, "cannot be loaded")


@pytest.mark.parametrize("name", ["config", "tokenizer_config", "preprocessor_config", "generation_config"])
def test_code_of_a_folder_is_refused(copy, name):
    place = copy()
    (place / "evil.py").write_text("raise SystemExit")
    spoil(place / f"{name}.json", inner={"auto_map": {"AutoModelForImageTextToText": "evil.Model"}})
    refused(place, f"{name}.json asks for code of its own")


@pytest.fixture
def asked(monkeypatch):
    """What asked the network, none of which gets through."""
    found = []

    def spy(*names, **_):
        found.append(names)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", spy)
    monkeypatch.setattr(socket.socket, "connect", spy)
    return found


BACKBONE = {"model_type": "dpt", "use_pretrained_backbone": True, "backbone": "microsoft/resnet-50"}


@pytest.mark.parametrize(
    ("name", "changes", "key"),
    [
        ("config", {"encoder": BACKBONE}, "backbone"),
        ("config", {"encoder": {"model_type": "dpt", "inner": [[{"use_timm_backbone": True}]]}}, "use_timm_backbone"),
        ("config", {"encoder": {"model_type": "dpt", "backbone_kwargs": {"a": 1}}}, "backbone_kwargs"),
        ("config", {"transformers_weights": "sub/other.safetensors"}, "transformers_weights"),
        ("preprocessor_config", {"use_pretrained_backbone": 1}, "use_pretrained_backbone"),
    ],
)
def test_a_folder_that_asks_for_another_model_is_refused(copy, asked, name, changes, key):
    place = copy()
    spoil(place / f"{name}.json", **changes)
    refused(place, f"{name}.json asks for what is not its own ({key}); save the whole model")
    assert asked == []


def test_the_hub_is_out_of_reach_while_a_folder_is_read(copy, asked, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    place = copy()
    looks = {"image_processor_type": "OneFormerImageProcessor", "class_info_file": "a.json", "repo_path": "some/where"}
    spoil(place / "preprocessor_config.json", **looks)  # which fetches the names of its classes
    refused(place, "cannot be loaded")
    assert asked == []
    assert not constants.HF_HUB_OFFLINE


def test_keys_that_are_set_to_nothing_ask_for_nothing(copy):
    place = copy()
    encoder = {**json.loads((place / "config.json").read_text())["encoder"], "backbone": None, "use_timm_backbone": 0}
    spoil(place / "config.json", encoder=encoder)
    fusible.load_captioner(place)


def test_nothing_outside_of_the_folder_is_read(copy, tmp_path):
    place, outside = copy(), tmp_path / "outside.safetensors"
    (place / "model.safetensors").rename(outside)
    (place / "model.safetensors").symlink_to(outside)
    refused(place, "model.safetensors: a link that leads out of the folder; copy what it points to")
    (place / "model.safetensors").unlink()
    shutil.copy(outside, place / "part.safetensors")
    index = place / "model.safetensors.index.json"
    for named in ("../outside.safetensors", str(outside), "sub/part.safetensors", ["part.safetensors"], 3):
        index.write_text(json.dumps({"metadata": {}, "weight_map": {"a": "part.safetensors", "b": named}}))
        refused(place, f"index.json: expected names of files of the folder, got {named!r}")
    index.write_text("{}")
    refused(place, "expected names of files of the folder, got None")
    names = dict.fromkeys(load_file(outside), "part.safetensors")
    index.write_text(json.dumps({"metadata": {}, "weight_map": names}))
    fusible.load_captioner(place)
    templates = place / "additional_chat_templates"
    templates.mkdir()
    (templates / "a.jinja").symlink_to(outside)
    refused(place, "a.jinja: a link that leads")


@pytest.mark.parametrize("name", ["config", "tokenizer_config", "preprocessor_config", "generation_config"])
def test_a_configuration_without_end_is_refused(copy, name):
    place = copy()
    (place / f"{name}.json").write_text('{"a": ' + "[" * 900 + "]" * 900 + "}")
    refused(place, f"{name}.json: expected at most 32 levels, got more")


def test_kernels_that_would_be_fetched_are_left(copy, pictures):
    place = copy()
    told = fusible.load_captioner(place).caption(pictures[:1])["caption"][0]
    config = json.loads((place / "config.json").read_text())
    for part in (config, config["encoder"], config["decoder"]):
        part["_attn_implementation"] = part["attn_implementation"] = "someone/kernels"
    (place / "config.json").write_text(json.dumps(config))
    assert fusible.load_captioner(place).caption(pictures[:1])["caption"][0] == told


def test_parts_that_lack_or_do_not_fit_are_named(copy, pictures):
    place = copy("git")
    weights = load_file(place / "model.safetensors")
    save_file({k: v for k, v in weights.items() if k != "output.bias"}, place / "model.safetensors", {"format": "pt"})
    refused(place, "lack 1 tensors, the first 'output.bias'")
    save_file(weights, place / "model.safetensors", {"format": "pt"})
    spoil(place / "config.json", num_image_with_embedding=6)
    refused(place, "several pictures")
    spoil(place / "config.json", num_image_with_embedding=None)
    spoil(place / "preprocessor_config.json", size={"height": 24, "width": 24})
    with pytest.raises(ConfigError, match="do not fit one another"):
        fusible.load_captioner(place).caption(pictures)
    spoil(place / "preprocessor_config.json", image_processor_type="Popen")
    refused(place, "is no class of transformers", ModelFormatError)
    (place / "preprocessor_config.json").unlink()
    refused(place, "expected preprocessor_config.json")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (place / name).unlink()
    spoil(place / "config.json", vocab_size=5)
    refused(place, "cannot be loaded")


def test_the_command_line(capsys, made, loaded, pictures, tmp_path):
    folder = made["blip"][0]
    told = loaded["blip"].caption(pictures[:2], beams=2)
    page = tmp_path / "page.html"
    code, out, err = call(capsys, "caption", "run", folder, *pictures[:2], "--beams", "2", "--json", "--html", page)
    assert code == 0, err
    found = pd.DataFrame(json.loads(out)["captions"])
    assert found["caption"].tolist() == told["caption"].tolist()
    assert found["file"].tolist() == pictures[:2]
    text = page.read_text()
    assert told["caption"][0] in text
    assert text.count("data:image/png") == 2
    assert "Where it looked" not in text
    table = tmp_path / "t.csv"
    pd.DataFrame({"photo": [pictures[0], "gone.png"], "n": [1, 2]}).to_csv(table, index=False)
    code, out, err = call(capsys, "caption", "run", folder, table, "--html", page)
    assert code == 0, err
    assert "gone.png" in err
    assert len(out.strip().splitlines()) == 3
    assert page.read_text().count("data:image/png") == 1
    code, out, err = call(capsys, "caption", "run", folder, pictures[0], "--longest", PLACES + 1)
    assert (code, out) == (2, "")
    assert err.strip().splitlines()[-1].startswith("error: generation: expected longest")
