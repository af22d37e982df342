"""Noisy spoken and written digits: what fusing picture and sound gains when the two are independent given the digit.

Each row pairs an MNIST image with an FSDD recording of the same digit; the product of calibrated experts is near the
best possible. Images in [0, 1] get Gaussian noise of
sigma 1 and are not clipped; recordings are cut or padded to 1 s and get white noise at -5 dB SNR. Official splits on
both sides: no image and no recording of the test part is seen in training.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import soundfile
from _harness import Benchmark, arguments, data_folder, study_rows
from PIL import Image
from scipy.io import wavfile

RATE = 8000
SIGMA = 1.0
SNR_DB = -5.0
VALID_TAKES = range(5, 10)
"""Takes of the official training recordings kept for validation, so that its recordings are new as the test's are."""


def build(seed: int, train: int = 10_000, test: int = 2_000) -> pa.Table:
    """Build the table: image (TIFF bytes), audio (WAV bytes), digit, split.

    `train` pairs are divided 9:1 into the splits train and valid, which share no image and no recording.
    """
    rng = np.random.default_rng(seed)
    valid = train // 10
    images, labels = _mnist("train")
    order = rng.permutation(len(labels))[:train]
    test_images, test_labels = _mnist("t10k")
    test_order = rng.permutation(len(test_labels))[:test]
    recordings = _recordings()
    parts = [
        _part(rng, images[order[valid:]], labels[order[valid:]], recordings["train"], "train"),
        _part(rng, images[order[:valid]], labels[order[:valid]], recordings["valid"], "valid"),
        _part(rng, test_images[test_order], test_labels[test_order], recordings["test"], "test"),
    ]
    return pa.concat_tables(parts)


def noisy_image(image: np.ndarray, rng: np.random.Generator) -> bytes:
    """Add noise to a (28, 28) uint8 image; TIFF of 32-bit floats, which keeps values outside [0, 1]."""
    noisy = image / 255.0 + rng.normal(0.0, SIGMA, image.shape)
    buffer = io.BytesIO()
    Image.fromarray(noisy.astype(np.float32)).save(buffer, format="TIFF")
    return buffer.getvalue()


def noisy_sound(samples: np.ndarray, rng: np.random.Generator) -> bytes:
    """Cut or pad a recording to 1 s and add white noise at `SNR_DB`; WAV of 32-bit floats.

    The signal's power is that of the recording, without the silence that pads it.
    """
    kept = samples[:RATE]
    deviation = np.sqrt(np.mean(kept**2) / 10 ** (SNR_DB / 10))
    noisy = np.pad(kept, (0, RATE - len(kept))) + rng.normal(0.0, deviation, RATE)
    buffer = io.BytesIO()
    wavfile.write(buffer, RATE, noisy.astype(np.float32))  # libsndfile would add the time of day to such a file
    return buffer.getvalue()


def _part(
    rng: np.random.Generator, images: np.ndarray, labels: np.ndarray, sounds: dict[int, list[np.ndarray]], split: str
) -> pa.Table:
    chosen = [sounds[int(label)][rng.integers(len(sounds[int(label)]))] for label in labels]
    return pa.table(
        {
            "image": pa.array([noisy_image(image, rng) for image in images], pa.binary()),
            "audio": pa.array([noisy_sound(sound, rng) for sound in chosen], pa.binary()),
            "digit": pa.array([str(label) for label in labels], pa.string()),
            "split": pa.array([split] * len(labels), pa.string()),
        }
    )


def _mnist(part: str) -> tuple[np.ndarray, np.ndarray]:
    folder = data_folder("mnist")
    images = _idx(folder / f"{part}-images-idx3-ubyte.gz")
    return images, _idx(folder / f"{part}-labels-idx1-ubyte.gz")


def _idx(path: Path) -> np.ndarray:
    raw = gzip.decompress(path.read_bytes())
    dimensions = raw[3]
    shape = np.frombuffer(raw, ">u4", count=dimensions, offset=4).astype(int)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _recordings() -> dict[str, dict[int, list[np.ndarray]]]:
    folder = data_folder("fsdd")
    found: dict[str, dict[int, list[np.ndarray]]] = {part: {d: [] for d in range(10)} for part in _PARTS}
    for row in pyarrow.csv.read_csv(folder / "recordings.csv").to_pylist():
        samples, rate = soundfile.read(folder / row["audio"])
        if rate != RATE:
            raise ValueError(f"{row['audio']}: expected {RATE} Hz, got {rate}")
        part = "valid" if row["split"] == "train" and row["take"] in VALID_TAKES else row["split"]
        found[part][row["digit"]].append(samples)
    return found


_PARTS = ("train", "valid", "test")


def main() -> None:
    """Run the comparison per seed and judge the claim."""
    import fusible

    args = arguments(__doc__)
    benchmark = Benchmark("noisy_digits", args)
    data_folder("mnist")
    data_folder("fsdd")
    sizes = {"train": 150, "test": 60} if args.quick else {}
    encoders = {"image": "image_cnn", "audio": "audio_stats"} if args.quick else None
    scores = []
    for seed in args.seeds:
        table = build(seed, **sizes)
        strategies = ["model:average", "model:product"] if args.quick else None
        options = {"strategies": strategies, "encoders": encoders, "seed": seed}
        result = fusible.compare(table, "digit", device=args.device, cache=args.cache, **options)
        scores.append(study_rows(benchmark, result, seed=seed)["auto"])
    benchmark.claim("auto, mean accuracy over seeds on the 2,000 test pairs", float(np.mean(scores)), at_least=0.955)
    benchmark.finish()


if __name__ == "__main__":
    main()
