"""Tiny Whisper folders with random weights: what they write has no sense, but times and the form of one that has."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

WORDS = 40
END, START, ENGLISH, WRITE, BEFORE, PLAIN = range(WORDS, WORDS + 6)
STAMP = PLAIN + 1


def write_whisper(folder, seconds=2, seed=0, **settings):
    """Write a folder whose windows last so many seconds."""
    steps = 50 * seconds
    torch.manual_seed(seed)
    config = WhisperConfig(
        vocab_size=STAMP + steps + 1, num_mel_bins=16, d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16,
        max_source_positions=steps, max_target_positions=48, pad_token_id=END, bos_token_id=END, eos_token_id=END,
        decoder_start_token_id=START, begin_suppress_tokens=None, init_std=1.0,
    )  # fmt: skip
    network = WhisperForConditionalGeneration(config)
    network.generation_config = GenerationConfig(
        decoder_start_token_id=START, eos_token_id=END, pad_token_id=END, bos_token_id=END, max_length=24,
        prev_sot_token_id=BEFORE, is_multilingual=True, lang_to_id={"<|en|>": ENGLISH},
        task_to_id={"transcribe": WRITE}, **{"no_timestamps_token_id": PLAIN, **settings},
    )  # fmt: skip
    network.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=16, chunk_length=seconds).save_pretrained(folder)
    words = [f"w{n}" for n in range(WORDS)]
    special = ["<|end|>", "<|start|>", "<|en|>", "<|transcribe|>", "<|before|>", "<|notimestamps|>"]
    plain = Tokenizer(models.WordLevel({word: n for n, word in enumerate([*words, *special])}, unk_token="w0"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    own = PreTrainedTokenizerFast(tokenizer_object=plain, eos_token=special[0], additional_special_tokens=special[1:])
    own.save_pretrained(folder)
    return folder
