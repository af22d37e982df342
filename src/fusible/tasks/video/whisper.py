"""What is said in a film, written down by a local folder of a Whisper model as the sound goes by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from fusible.data.transcript import Cue, Transcript
from fusible.encoders._hf import processor_of, quiet
from fusible.errors import ConfigError
from fusible.tasks._hf_folder import checked, load_network, loading, preprocessor, settle, tokenizer_of
from fusible.tasks.video._whisper_cues import pieces_of
from fusible.types import Modality

KINDS = {"whisper": "WhisperForConditionalGeneration"}
KEPT = (
    "bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "prev_sot_token_id", "max_length",
    "suppress_tokens", "begin_suppress_tokens", "no_timestamps_token_id", "max_initial_timestamp_index",
    "is_multilingual", "lang_to_id", "task_to_id",
)  # fmt: skip
"""What of a folder's generation is used; other keys may ask for code."""
SURE, SILENT = -1.0, 0.6
"""Mean log-probability of tokens, and chance of no speech: a window below the one and above the other has no words."""
STRIDE = 1.0
"""Seconds by which a window moves at least, so that a film always ends."""


class Whisper:
    """A Whisper model with its feature extractor and tokenizer, of a local folder; by `read_whisper`.

    `seconds` is the length of a window (30), `rate` that of the sound in Hz.
    """

    def __init__(self, network: Any, extractor: Any, tokenizer: Any, device: str = "cpu") -> None:
        self.network = network.to(device)
        self.extractor, self.tokenizer, self.device = extractor, tokenizer, device
        self.rate = int(extractor.sampling_rate)
        self.seconds = extractor.n_samples / self.rate
        self.stamp = int(network.generation_config.no_timestamps_token_id) + 1

    @torch.inference_mode()
    def write(self, samples: np.ndarray) -> list[int]:
        """Tokens, with time stamps, of one window of mono float32 samples; none where nobody speaks."""
        inputs = self.extractor(samples, sampling_rate=self.rate, return_tensors="pt", return_attention_mask=True)
        with quiet():
            tokens = self.network.generate(
                inputs.input_features.to(self.device),
                attention_mask=inputs.attention_mask.to(self.device),
                return_timestamps=True,
                force_unique_generate_call=True,
                temperature=(0.0,),
                logprob_threshold=SURE,
                no_speech_threshold=SILENT,
            )
        found: list[int] = getattr(tokens, "sequences", tokens)[0].tolist()
        # What the model was asked with stands before the first stamp, which is always the first that it writes.
        first = next((place for place, token in enumerate(found) if token >= self.stamp), len(found))
        end = self.network.generation_config.eos_token_id
        return found[first : found.index(end, first)] if end in found[first:] else found[first:]

    def text(self, tokens: tuple[int, ...]) -> str:
        """What tokens say, on one line."""
        return " ".join(self.tokenizer.decode(list(tokens), skip_special_tokens=True).split())


class Scribe:
    """Hears a film's sound and writes it down, window by window; it holds one window of sound and the cues."""

    def __init__(self, model: Whisper) -> None:
        self._model, self._cues = model, list[Cue]()
        self._length = round(model.seconds * model.rate)
        self._held: list[np.ndarray] = []
        self._waiting = self._past = 0

    def push(self, block: np.ndarray) -> None:
        """Take the next samples."""
        self._held.append(block)
        self._waiting += len(block)
        while self._waiting >= self._length:
            self._window()

    def finish(self) -> Transcript:
        """The sound is over: all that was said."""
        while self._waiting > 0:
            self._window()
        return Transcript(tuple(sorted(self._cues, key=lambda cue: (cue.start, cue.end))))

    def _window(self) -> None:
        """Write down one window, and drop of it what is written."""
        model, joined = self._model, np.concatenate(self._held)
        window = joined[: self._length]
        seconds, offset = len(window) / model.rate, self._past / model.rate
        found, until = pieces_of(model.write(window), model.stamp, seconds) if window.any() else ([], seconds)
        if until < min(STRIDE, seconds):
            until = seconds
        for piece in found:
            if text := model.text(piece.tokens):
                self._cues.append(Cue(round(offset + piece.start, 3), round(offset + piece.end, 3), text))
        done = min(len(window), round(until * model.rate))
        self._held, self._waiting, self._past = [joined[done:]], len(joined) - done, self._past + done


def read_whisper(folder: str | Path, rate: int, device: str = "cpu") -> Whisper:
    """Read a local Whisper folder: safetensors only, classes of transformers only, nothing fetched, nothing of it run.

    Raises `ConfigError`, one line, for what is no such folder, is damaged, or hears sound of another rate than `rate`.
    """
    place = Path(folder)
    config = checked(place, KINDS, "that writes down speech")
    with loading(place):
        from transformers import WhisperForConditionalGeneration

        network = load_network(place, config, WhisperForConditionalGeneration)
        own = network.generation_config.to_dict()
        if not own.get("no_timestamps_token_id"):
            raise ConfigError(f"{place}: expected no_timestamps_token_id in generation_config.json, found none")
        settle(network, {key: own[key] for key in KEPT if own.get(key) is not None})
        extractor = processor_of(preprocessor(place, "feature_extractor"), Modality.AUDIO)
        if extractor.sampling_rate != rate:
            raise ConfigError(f"{place}: hears sound of {extractor.sampling_rate} Hz, expected {rate}")
        return Whisper(network, extractor, tokenizer_of(place), device)
