import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusible.encoders.audio_logmel_cnn import AudioLogmelCnn
from fusible.errors import ConfigError


def tone(hertz, seconds, rng):
    times = np.arange(int(8000 * seconds)) / 8000
    return 0.3 * np.sin(2 * np.pi * hertz * times) + 0.05 * rng.normal(size=len(times))


def test_statistics_standardise_training_frames(sound, rng):
    encoder = AudioLogmelCnn(mels=8)
    media = [sound(rng.normal(size=4000)) for _ in range(3)]
    encoder.fit(media)
    assert encoder.rate == 8000
    frames = np.concatenate([encoder.decode(one).astype(np.float32) for one in media], axis=1)
    scaled = (frames - encoder.mean.numpy()[:, None]) / encoder.std.numpy()[:, None]
    np.testing.assert_allclose(scaled.mean(axis=1), 0.0, atol=1e-2)
    np.testing.assert_allclose(scaled.std(axis=1), 1.0, atol=1e-2)


def test_the_vector_is_mean_plus_maximum_of_real_tokens(sound, rng):
    torch.manual_seed(0)
    encoder = AudioLogmelCnn(rate=8000, mels=8, width=6).eval()
    encoded = encoder(encoder.collate([sound(rng.normal(size=n)) for n in (1600, 8000)]))
    assert encoded.mask.sum(dim=1).tolist() == [21 // 8, 101 // 8]
    real = encoded.tokens[0, :2]
    torch.testing.assert_close(encoded.pooled[0], real.mean(dim=0) + real.amax(dim=0))


@settings(max_examples=15)
@given(st.lists(st.integers(1, 70), min_size=1, max_size=4))
def test_padding_never_changes_a_row(lengths):
    torch.manual_seed(0)
    encoder = AudioLogmelCnn(mels=8, width=4).eval()
    rng = np.random.default_rng(0)
    spectra = [rng.normal(-8, 3, (8, length)).astype(np.float16) for length in (*lengths, 75)]
    with torch.no_grad():
        together = encoder(encoder.batch(spectra)).pooled
        alone = torch.cat([encoder(encoder.batch([one])).pooled for one in spectra])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_long_sounds_are_cut(sound):
    encoder = AudioLogmelCnn(rate=8000, max_seconds=1)
    assert encoder.decode(sound(np.zeros(30_000))).shape == (40, 101)


def test_it_learns_high_from_low(sound, rng):
    torch.manual_seed(0)
    label = np.arange(40) % 2
    media = [sound(tone(rng.uniform(*((300, 900), (1200, 2500))[c]), rng.uniform(0.1, 0.3), rng)) for c in label]
    encoder = AudioLogmelCnn(mels=16, width=16)
    encoder.fit(media[:30])
    head = torch.nn.Linear(16, 2)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=3e-3)
    batch, target = encoder.collate(media[:30]), torch.from_numpy(label)
    for _ in range(12):
        loss = torch.nn.functional.cross_entropy(head(encoder(batch).pooled), target[:30])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    encoder.eval()
    guess = head(encoder(encoder.collate(media[30:])).pooled).argmax(dim=1)
    assert (guess == target[30:]).float().mean() >= 0.9


@pytest.mark.parametrize(("setting", "value"), [("mels", 4), ("rate", 500), ("width", 0), ("max_seconds", 0)])
def test_bad_settings_are_named(setting, value):
    with pytest.raises(ConfigError, match=f"setting {setting} must be"):
        AudioLogmelCnn(**{setting: value})
