"""What every registered encoder keeps to, on small real items."""

import copy
import io
import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from PIL import Image

from fusible import registry
from fusible.errors import DataError, SchemaError
from fusible.types import Media, Modality, Task

NAMES = registry.names("encoders")
ENCODING = [name for name in NAMES if registry.get("encoders", name).encodes]
TRAINED = [name for name in NAMES if not registry.get("encoders", name).frozen]
PREDICTING = [name for name in NAMES if registry.get("encoders", name).predicts]
SMALL = {
    "image_efficientnet": {"size": 64},
    "video_frames": {"frames": 4, "size": 32},
    "video_motion": {"frames": 6, "size": 32, "components": 4, "width": 16},
    "video_sequence": {"steps": 6, "size": 32, "components": 4},
    "text_tfidf": {"width": 4},
    "table_trees": {"bags": 2, "threads": 1, "learning_rate": 0.3},
}
TEXTS = [
    "Is there a red shape in the image?",
    "No.",
    "A long review: the dress fits well, the colour is a deep red, and the shape of it flatters. " * 5,
    "Is there a blue shape?",
]


def image(pixels, mode="PNG"):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, mode)
    return Media("photo", 3, data=stream.getvalue())


def sound(seconds, rate=8000):
    stream = io.BytesIO()
    times = np.arange(int(seconds * rate)) / rate
    soundfile.write(stream, 0.3 * np.sin(2 * np.pi * 440 * times).astype(np.float32), rate, format="WAV")
    return Media("sound", 3, data=stream.getvalue())


@pytest.fixture(scope="module")
def items(request):
    from skimage import data

    coffee, cat = data.coffee(), data.cat()
    clips = request.getfixturevalue("clips")
    float_pixels = (coffee[:40, :40, 0] / 255).astype(np.float32)
    return {
        Modality.TEXT: TEXTS,
        Modality.IMAGE: [
            image(coffee[:80, :60]),
            image(cat[:50, :90]),
            image(float_pixels, "TIFF"),
            image(np.zeros((1, 1, 3), np.uint8)),
        ],
        Modality.AUDIO: [sound(0.513), sound(0.02), sound(1.1), sound(0.3)],
        Modality.VIDEO: [
            Media("clip", row, path=str(clips / f"{n}.mp4")) for row, n in enumerate(("bikes", "carphone_pristine"))
        ],
        Modality.TABLE: pd.DataFrame(
            {
                "area": [50.0, np.nan, 80.0, np.inf],
                "rooms": [2.0, 3.0, 4.0, -np.inf],
                "city": np.array(["Rome", "Oslo", None, "Rome"], dtype=object),
            }
        ),
    }


@pytest.fixture(scope="module")
def hf_folder(tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(vocab_size=4, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    BertModel(config).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "red": 1, "shape": 2, "the": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return str(folder)


@pytest.fixture(scope="module")
def build(items, hf_folder):
    def fitted(name):
        torch.manual_seed(0)
        settings = {"path": hf_folder} if name == "hf" else SMALL.get(name, {})
        encoder = registry.build("encoders", name, **settings)
        encoder.fit(items[encoder.modality])
        return encoder.eval()

    return fitted


@pytest.fixture(scope="module")
def make(build):
    """An encoder fitted on the items, built once; a test that changes it takes a copy."""
    return cache(build)


def pick(values, places):
    return values.iloc[places] if isinstance(values, pd.DataFrame) else [values[place] for place in places]


@pytest.fixture(scope="module")
def cut(clips):
    """A JPEG, a WAV and an MP4 that end too early."""
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(stream, "JPEG")
    return {
        Modality.IMAGE: stream.getvalue()[:900],
        Modality.AUDIO: sound(0.1).data[:30],
        Modality.VIDEO: (clips / "bikes.mp4").read_bytes()[:20_000],
    }


def restored(encoder, name):
    """A new instance, from what a model folder would hold."""
    again = registry.build("encoders", name, **json.loads(json.dumps(encoder.settings)))
    again.restore(json.loads(json.dumps(dict(encoder.learned()))))
    again.load_state_dict({key: tensor.clone() for key, tensor in encoder.state_dict().items()})
    again.restore_texts(dict(encoder.texts()))
    return again.eval()


@pytest.mark.parametrize("name", ENCODING)
def test_shapes_and_defined_values(name, make, items):
    encoder = make(name)
    values = items[encoder.modality]
    with torch.no_grad():
        encoded = encoder(encoder.collate(values))
    rows, steps, width = encoded.tokens.shape
    assert (rows, width) == (len(values), encoder.output_width)
    assert encoded.mask.shape == (rows, steps)
    assert encoded.mask.dtype == torch.bool
    assert encoded.mask.any(dim=1).all()
    assert encoded.pooled.shape == (rows, encoder.output_width)
    assert encoded.pooled.dtype == torch.float32
    assert torch.isfinite(encoded.pooled).all()
    assert torch.isfinite(encoded.tokens).all()


@pytest.mark.parametrize("name", ENCODING)
def test_a_row_alone_is_as_in_a_batch(name, make, items):
    encoder = make(name)
    values = items[encoder.modality]
    with torch.no_grad():
        together = encoder(encoder.collate(values))
        for row in range(len(values)):
            alone = encoder(encoder.collate(pick(values, [row])))
            torch.testing.assert_close(alone.pooled[0], together.pooled[row], atol=1e-4, rtol=1e-4)
            real = together.tokens[row][together.mask[row]]
            torch.testing.assert_close(alone.tokens[0][alone.mask[0]], real, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ENCODING)
def test_a_restored_encoder_is_bit_identical(name, make, items):
    encoder = make(name)
    again = restored(encoder, name)
    assert again.output_width == encoder.output_width
    values = items[encoder.modality]
    with torch.no_grad():
        before, after = encoder(encoder.collate(values)), again(again.collate(values))
    assert torch.equal(before.pooled, after.pooled)
    assert torch.equal(before.tokens, after.tokens)
    assert again.fingerprint() == encoder.fingerprint()


@pytest.mark.parametrize("name", ENCODING)
def test_same_seed_same_weights_and_the_frozen_draw_no_numbers(name, make, build):
    first, second = make(name), build(name)
    assert first.fingerprint() == second.fingerprint()
    if first.frozen:
        torch.manual_seed(7)
        expected = torch.rand(1)
        torch.manual_seed(7)
        registry.build("encoders", name, **first.settings)
        assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_batch_passes(name, make, items):
    encoder = make(name)
    values = items[encoder.modality]
    empty = values.iloc[:0] if isinstance(values, pd.DataFrame) else []
    tensors = encoder.batch(empty)
    assert all(len(tensor) == 0 for tensor in tensors.values())
    if encoder.encodes:
        with torch.no_grad():
            assert encoder(tensors).pooled.shape == (0, encoder.output_width)


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_plain_and_rebuild_the_encoder(name, make):
    encoder = make(name)
    assert json.loads(json.dumps(encoder.settings)) == encoder.settings
    assert json.loads(json.dumps(dict(encoder.learned()))) == dict(encoder.learned())
    assert "path" not in encoder.settings
    assert type(registry.build("encoders", name, **encoder.settings)) is type(encoder)


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("rows", [1, 4])
def test_gradients_are_finite_and_reach_the_weights(name, rows, make, items):
    encoder = copy.deepcopy(make(name)).train()
    values = items[encoder.modality]
    encoded = encoder(encoder.collate(pick(values, list(range(min(rows, len(values)))))))
    (encoded.pooled.square().mean() + encoded.tokens.square().mean()).backward()
    gradients = [p.grad for p in encoder.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert any(gradient.abs().sum() > 0 for gradient in gradients)
    assert all(parameter.grad is not None for parameter in encoder.parameters() if parameter.numel())


@pytest.mark.parametrize("name", [name for name in NAMES if name not in TRAINED])
def test_frozen_encoders_stay_in_evaluation_mode_without_gradients(name, make):
    encoder = make(name).train()
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert not any(module.training for module in encoder.modules() if next(module.parameters(), None) is not None)


@pytest.mark.parametrize("name", [n for n in ENCODING if n.startswith(("image", "audio", "video"))])
@pytest.mark.parametrize("bad", ["empty", "text", "truncated", "missing"])
def test_bad_media_name_row_and_column(name, bad, make, cut, tmp_path):
    encoder = make(name)
    if bad == "truncated":
        media = Media("cell", 11, data=cut[encoder.modality])
    elif bad == "missing":
        media = Media("cell", 11, path=str(tmp_path / "none.bin"))
    else:
        media = Media("cell", 11, data=b"" if bad == "empty" else b"no media, plain words\n" * 9)
    with pytest.raises(DataError, match=r"row 11, column 'cell'"):
        encoder.decode(media)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("table")])
def test_a_missing_column_is_named(name, make, items):
    encoder = make(name)
    with pytest.raises(SchemaError, match="rooms"):
        encoder.collate(items[Modality.TABLE].drop(columns="rooms"))


@pytest.mark.parametrize("name", PREDICTING)
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
def test_predictors_predict_and_restore(name, kind, make, rng):
    encoder = copy.deepcopy(make(name))
    label = rng.integers(0, 2, 80)
    if encoder.modality is Modality.TABLE:
        values = pd.DataFrame({"area": label + rng.normal(0, 0.1, 80), "rooms": 1.0, "city": "Rome"}, dtype=object)
        values = values.astype({"area": float, "rooms": float})
        held = values.iloc[60:]
        known = values.iloc[:60]
    else:
        values = [("good red" if one else "bad blue") + f" item {n % 5}" for n, one in enumerate(label)]
        held, known = values[60:], values[:60]
    encoder.fit(known)
    task = {
        "binary": Task("binary", ("no", "yes")),
        "multiclass": Task("multiclass", ("a", "b", "never")),
        "multilabel": Task("multilabel", ("x", "not x", "never")),
        "regression": Task("regression"),
    }[kind]
    target = {
        "multilabel": np.stack([label, 1 - label, np.zeros(80, int)], axis=1),
        "regression": label * 10.0,
    }.get(kind, label)
    encoder.fit_target(known, target[:60], task, (held, target[60:]), seed=0)
    scores = encoder.predict_scores(held)
    assert scores.shape == (20, task.outputs)
    assert np.isfinite(scores).all()
    if kind == "regression":
        assert np.abs(scores[:, 0] - target[60:]).max() < 3.0
    elif kind == "multilabel":
        assert ((scores[:, :2] > 0.5) == target[60:, :2]).all()
        assert (scores[:, 2] < 0.05).all()
    else:
        np.testing.assert_allclose(scores.sum(axis=1), 1.0)
        assert (scores.argmax(axis=1) == target[60:]).all()
        assert (scores[:, 2:] < 1e-6).all()
    again = restored(encoder, name)
    np.testing.assert_array_equal(again.predict_scores(held), scores)
    assert again.predict_scores(held[:0]).shape == (0, task.outputs)
