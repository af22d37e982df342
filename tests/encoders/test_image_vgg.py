"""The small VGG-style network, and VGG16 from a local file against PyTorch's functions."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fusible.encoders._resolve import resolve
from fusible.encoders._vgg import LAYERS, MEAN, STD, vgg16
from fusible.encoders.image_vgg import ImageVgg
from fusible.errors import ConfigError
from fusible.types import Modality


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights of VGG16 with torchvision's names, in both kinds of file."""
    torch.manual_seed(0)
    state = {f"features.{name}": tensor for name, tensor in vgg16().state_dict().items()}
    folder = tmp_path_factory.mktemp("vgg")
    torch.save({**state, "classifier.0.weight": torch.zeros(2, 2)}, folder / "vgg16.pth")
    save_file(state, str(folder / "vgg16.safetensors"))
    return folder, state


def pixels(rng, side=48, count=2):
    return [rng.integers(0, 255, (side, side, 3), dtype=np.uint8) for _ in range(count)]


def test_convolutions_are_doubled_and_learn_their_size(image, rng):
    encoder = ImageVgg(width=16)
    encoder.fit([image(one) for one in pixels(rng, 32, 4)])
    assert sum(isinstance(part, nn.Conv2d) for part in encoder.modules()) == 8
    assert all(part.kernel_size == (3, 3) for part in encoder.modules() if isinstance(part, nn.Conv2d))
    encoded = encoder.eval()(encoder.collate([image(one) for one in pixels(rng, 32, 3)]))
    assert encoded.tokens.shape == (3, 16, 16)
    torch.testing.assert_close(encoded.pooled, encoded.tokens.amax(dim=1))


def test_names_and_shapes_are_torchvisions():
    shapes = {name: tuple(tensor.shape) for name, tensor in vgg16().state_dict().items()}
    assert [name for name in shapes if name.endswith("weight")] == [
        f"{place}.weight" for place in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    ]
    assert shapes["0.weight"] == (64, 3, 3, 3)
    assert shapes["28.weight"] == (512, 512, 3, 3)
    assert sum(tensor.numel() for tensor in vgg16().state_dict().values()) == 14_714_688


@pytest.mark.parametrize("file", ["vgg16.pth", "vgg16.safetensors"])
def test_weights_from_a_file_give_vgg16s_maps(file, weights, image, rng):
    folder, state = weights
    encoder = ImageVgg(size=64, path=str(folder / file))
    encoder.fit([])
    shown = pixels(rng, 64)
    maps = torch.from_numpy(np.stack(shown)).float().permute(0, 3, 1, 2) / 255
    maps = (maps - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    place = 0
    for width in LAYERS:
        if width:
            maps = nn.functional.conv2d(
                maps, state[f"features.{place}.weight"], state[f"features.{place}.bias"], padding=1
            ).relu()
            place += 2
        else:
            maps = nn.functional.max_pool2d(maps, 2)
            place += 1
    encoded = encoder(encoder.collate([image(one) for one in shown]))
    assert encoded.tokens.shape == (2, 4, 512)
    close = {"atol": 0.02 * float(maps.abs().max()), "rtol": 0.02}  # bfloat16 where the machine is fast at it
    torch.testing.assert_close(encoded.tokens, maps.flatten(2).transpose(1, 2), **close)
    torch.testing.assert_close(encoded.pooled, maps.mean(dim=(2, 3)), **close)


def test_weights_stay_as_they_are_and_no_path_is_kept(weights):
    encoder = resolve(f"image_vgg:{weights[0] / 'vgg16.pth'}", Modality.IMAGE).train()
    assert encoder.frozen
    assert not ImageVgg.frozen
    assert not any(part.training for part in encoder.features)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert encoder.settings == {"size": 0, "width": 128, "shift": 0.08, "full": True, "tuned": False}
    again = ImageVgg(**encoder.settings)
    again.restore(encoder.learned())
    again.load_state_dict(encoder.state_dict())
    assert (again.size, again.output_width, again.frozen) == (224, 512, True)
    assert again.fingerprint() == encoder.fingerprint()


def test_tuned_weights_are_trained(weights, rng):
    encoder = ImageVgg(size=32, tuned=True, path=str(weights[0] / "vgg16.safetensors")).train()
    assert not encoder.frozen
    encoder(encoder.batch(pixels(rng, 32))).pooled.sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_files_that_are_no_vgg16_are_refused(weights, tmp_path):
    _, state = weights
    with pytest.raises(ConfigError, match=r"expected a local \.pth or \.safetensors file"):
        ImageVgg(path=str(tmp_path / "none.pth"))
    (tmp_path / "damaged.pth").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match="cannot be read as plain arrays"):
        ImageVgg(path=str(tmp_path / "damaged.pth"))
    torch.save([1], tmp_path / "list.pth")
    with pytest.raises(ConfigError, match="expected a mapping of arrays, got list"):
        ImageVgg(path=str(tmp_path / "list.pth"))
    save_file({"features.0.weight": torch.zeros(8, 3, 3, 3)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(ConfigError, match=r"features\.0\.weight: expected shape \(64, 3, 3, 3\), got \(8, 3, 3, 3\)"):
        ImageVgg(path=str(tmp_path / "other.safetensors"))
    save_file({"features.0.weight": state["features.0.weight"]}, str(tmp_path / "part.safetensors"))
    with pytest.raises(ConfigError, match=r"features\.0\.bias: expected shape \(64,\), got nothing"):
        ImageVgg(path=str(tmp_path / "part.safetensors"))


def test_a_file_that_would_run_code_is_refused(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ConfigError, match="cannot be read as plain arrays"):
        ImageVgg(path=str(tmp_path / "evil.pth"))


def test_odd_settings_are_refused(weights):
    with pytest.raises(ConfigError, match="tuned is for weights from a file"):
        ImageVgg(tuned=True)
    with pytest.raises(ConfigError, match="setting size must be a number from 32"):
        ImageVgg(size=16, path=str(weights[0] / "vgg16.pth"))
    with pytest.raises(ConfigError, match="text_gru: has no setting 'path'"):
        resolve("text_gru:somewhere")
