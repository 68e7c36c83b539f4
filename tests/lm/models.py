"""Tiny speech recognisers with random weights: what they say is noise, but always the same."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import (
    GenerationConfig,
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

#: CTC's blank first, then the word boundary.
LETTERS = ["<pad>", "|", *"abcdefghijkl", "<unk>"]
SPECIAL = (
    "<|endoftext|> <|startoftranscript|> <|en|> <|de|> <|translate|> <|transcribe|> <|startoflm|> "
    "<|startofprev|> <|nospeech|> <|notimestamps|>"
).split()
#: Seconds that the tiny Whisper hears at a time.
WINDOW = 2


def wav2vec2(folder: Path, norm: str = "layer", head: bool = True) -> Path:
    """Save a tiny wav2vec2: `norm` is "layer" (padding is masked) or "group" (it is not)."""
    folder.mkdir(parents=True)
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({letter: i for i, letter in enumerate(LETTERS)}))
    Wav2Vec2CTCTokenizer(vocabulary, bos_token=None, eos_token=None).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer").save_pretrained(folder)
    torch.manual_seed(1)
    config = Wav2Vec2Config(
        vocab_size=len(LETTERS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm=norm,
        do_stable_layer_norm=norm == "layer",
        initializer_range=0.5,
        pad_token_id=0,
    )
    model = Wav2Vec2ForCTC(config).eval()
    (model if head else model.wav2vec2).save_pretrained(folder)
    return folder


def whisper(folder: Path, quiet: bool = True) -> Path:
    """Save a tiny multilingual Whisper that knows English and German and hears `WINDOW` seconds.

    A trained Whisper predicts no time stamps unless it is asked for them; a random one does, and
    moves its window by them, unless they are suppressed.
    """
    folder.mkdir(parents=True)
    letters = ["\u0120", *"abcdefghijklmnop"]  # of a byte-level vocabulary: a space, and letters
    tokenizer = WhisperTokenizer({letter: i for i, letter in enumerate(letters)}, [])
    stamps = [f"<|{0.02 * i:.2f}|>" for i in range(50 * WINDOW + 1)]
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
    tokenizer.add_tokens(stamps)
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=20, chunk_length=WINDOW).save_pretrained(folder)
    ids = dict(zip([*SPECIAL, *stamps], range(len(letters), 10_000), strict=False))
    assert all(tokenizer.convert_tokens_to_ids(token) == i for token, i in ids.items())
    torch.manual_seed(2)
    start = ids["<|startoftranscript|>"]
    end = {"eos_token_id": ids["<|endoftext|>"], "pad_token_id": ids["<|endoftext|>"]}
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=20,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_source_positions=50 * WINDOW,
        max_target_positions=40,
        init_std=0.5,
        decoder_start_token_id=start,
        bos_token_id=ids["<|endoftext|>"],
        suppress_tokens=None,
        begin_suppress_tokens=None,
        **end,
    )
    model = WhisperForConditionalGeneration(config).eval()
    model.generation_config = GenerationConfig(
        decoder_start_token_id=start,
        bos_token_id=ids["<|endoftext|>"],
        is_multilingual=True,
        lang_to_id={token: ids[token] for token in ("<|en|>", "<|de|>")},
        task_to_id={task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")},
        no_timestamps_token_id=ids["<|notimestamps|>"],
        prev_sot_token_id=ids["<|startofprev|>"],
        max_initial_timestamp_index=50,
        max_length=16,
        suppress_tokens=list(range(ids[stamps[0]], len(tokenizer))) if quiet else None,
        **end,
    )
    model.save_pretrained(folder)
    return folder
