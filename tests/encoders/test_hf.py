import json
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from fusible.encoders._hf import empty_model
from fusible.encoders._resolve import resolve
from fusible.encoders.hf import Hf
from fusible.errors import ConfigError, ModelFormatError, RegistryError
from fusible.types import Modality


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    from transformers.utils import logging

    logging.disable_progress_bar()


@pytest.fixture
def vit(tmp_path):
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8
    )
    model = ViTModel(config)
    model.save_pretrained(tmp_path)
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 32, "width": 32},
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.2, 0.3, 0.4],
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    return tmp_path, model.eval()


@pytest.fixture
def wav2vec(tmp_path):
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8, 8),
        conv_stride=(5, 4),
        conv_kernel=(10, 8),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )
    model = Wav2Vec2Model(config)
    model.save_pretrained(tmp_path)
    extractor = {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "sampling_rate": 8000,
        "do_normalize": True,
        "return_attention_mask": False,
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(extractor))
    return tmp_path, model.eval()


def again(encoder):
    """A new instance from what a model folder would hold."""
    other = Hf(**encoder.settings)
    other.restore(json.loads(json.dumps(encoder.learned())))
    other.load_state_dict(encoder.state_dict())
    return other


def test_an_image_model_sees_what_transformers_gives_it(vit, image):
    folder, model = vit
    encoder = resolve(f"hf:{folder}", Modality.IMAGE)
    pixels = data.coffee()[:64, :48]
    encoded = encoder(encoder.collate([image(pixels)]))
    from PIL import Image

    small = np.asarray(Image.fromarray(pixels).resize((32, 32), Image.Resampling.BILINEAR)) / 255
    given = torch.from_numpy((small - [0.4, 0.5, 0.6]) / [0.2, 0.3, 0.4]).float().permute(2, 0, 1).unsqueeze(0)
    with torch.no_grad():
        expected = model(given).last_hidden_state
    torch.testing.assert_close(encoded.tokens, expected, atol=1e-4, rtol=1e-4)
    assert encoder.modality is Modality.IMAGE
    assert torch.equal(again(encoder)(encoder.collate([image(pixels)])).pooled, encoded.pooled)


def test_a_sound_model_sees_each_sound_without_pads(wav2vec, sound, rng):
    folder, model = wav2vec
    encoder = resolve(f"hf:{folder}", Modality.AUDIO)
    waves = [rng.normal(size=n).astype(np.float32) for n in (1000, 2200)]
    encoded = encoder(encoder.collate([sound(wave) for wave in waves]))
    for row, wave in enumerate(waves):
        scaled = torch.from_numpy((wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)).unsqueeze(0)
        with torch.no_grad():
            expected = model(scaled).last_hidden_state[0]
        torch.testing.assert_close(encoded.tokens[row][encoded.mask[row]], expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(again(encoder)(encoder.collate([sound(waves[0])])).tokens[0], encoded.tokens[0, :48])


def test_a_saved_model_holds_no_path_and_no_code(vit):
    folder, _ = vit
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "evil.Model"}}))
    encoder = Hf(modality="image", path=str(folder))
    saved = json.dumps([encoder.settings, dict(encoder.learned())])
    assert str(folder) not in saved
    assert "auto_map" not in saved


def test_what_is_no_model_folder_is_named(tmp_path, vit):
    with pytest.raises(ConfigError, match=r"no local Hugging Face folder"):
        resolve("hf:some/name-of-the-hub", Modality.TEXT)
    folder, _ = vit
    with pytest.raises(ConfigError, match=r"tokenizer\.json"):
        resolve(f"hf:{folder}", Modality.TEXT)
    (folder / "model.safetensors").rename(folder / "weights.bin")
    with pytest.raises(ConfigError, match="safetensors"):
        resolve(f"hf:{folder}", Modality.IMAGE)
    with pytest.raises(ConfigError, match="modality must be one of text, image, audio"):
        resolve(f"hf:{folder}", Modality.VIDEO)


def test_nothing_elsewhere_is_read_or_fetched(vit, tmp_path_factory):
    folder, _ = vit
    config = json.loads((folder / "config.json").read_text())
    for asked in ({"use_pretrained_backbone": True}, {"text_config": {"backbone": "microsoft/resnet-50"}}):
        (folder / "config.json").write_text(json.dumps({**config, **asked}))
        with pytest.raises(ConfigError, match="asks for what is not its own"):
            resolve(f"hf:{folder}", Modality.IMAGE)
        with pytest.raises(ModelFormatError, match="asks for what is not its own"):
            empty_model({**config, **asked})
    (folder / "config.json").write_text(json.dumps(config))
    outside = tmp_path_factory.mktemp("outside") / "model.safetensors"
    (folder / "model.safetensors").rename(outside)
    (folder / "model.safetensors").symlink_to(outside)
    with pytest.raises(ConfigError, match="a link that leads out of the folder"):
        resolve(f"hf:{folder}", Modality.IMAGE)


def test_a_folder_of_the_hubs_own_cache_is_read(vit, tmp_path):
    folder, _ = vit
    snapshot, blobs = tmp_path / "models--a--b" / "snapshots" / "0123", tmp_path / "models--a--b" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, name in enumerate(("config.json", "preprocessor_config.json", "model.safetensors")):
        (folder / name).rename(blobs / str(number))
        (snapshot / name).symlink_to(Path("..") / ".." / "blobs" / str(number))
    assert resolve(f"hf:{snapshot}", Modality.IMAGE).output_width


def test_a_config_can_name_only_architectures_of_transformers():
    for config in ({"model_type": "os.system"}, {}):
        with pytest.raises(ModelFormatError, match="model_type"):
            Hf().restore({"config": config, "pooling": "mean", "tokenizer": "{}"})


def test_a_preprocessor_can_name_only_classes_of_transformers(vit):
    folder, _ = vit
    kept = dict(Hf(modality="image", path=str(folder)).learned())
    with pytest.raises(ModelFormatError, match="image_processor_type"):
        Hf(modality="image").restore({**kept, "preprocessor": {"image_processor_type": "Popen"}})


def test_without_a_model_it_says_so():
    with pytest.raises(ConfigError, match="hf:PATH"):
        Hf().decode("text")


def test_names_and_settings_are_checked():
    assert resolve("text_gru", Modality.TEXT, width=32).output_width == 32
    with pytest.raises(ConfigError, match="has no setting 'depth'; expected one of width"):
        resolve("text_gru", depth=1)
    with pytest.raises(RegistryError, match="did you mean text_gru"):
        resolve("text_gri")
