"""Models of transformers with their tokenizers: loaded as data alone, fed with texts in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm import checkpoints
from fairaudit.lm.checkpoints import first_line
from fairaudit.lm.devices import device_named, quiet

Result = TypeVar("Result")

#: Files of which a tokenizer needs one. Without them transformers makes an empty one up.
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "*.tiktoken")
#: More tokens than any model reads; tokenizers say such numbers where they know none.
_NO_LIMIT = 10**9
#: How files are loaded: from the folder, and as data.
_LOCAL = {"local_files_only": True, "trust_remote_code": False}


class Kind(NamedTuple):
    """What a model folder is expected to hold.

    Attributes
    ----------
    auto : str
        The class of transformers that loads it.
    name : str
        What it is in messages.
    advice : str
        What to do about another model.
    spare : tuple of str
        How the names of weights begin that may be missing: nothing that is used comes of them.
    mapping : str
        transformers' table of the settings of such models.
    """

    auto: str
    name: str
    advice: str
    spare: tuple[str, ...] = ()
    # Encoders, too: of those who read texts, some classifier is known.
    mapping: str = "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING"


#: A pooler reads the last hidden layer; those trained to fill gaps are saved without one.
ENCODER = Kind("AutoModel", "text encoder", "Use a model of texts, saved whole.", ("pooler.",))


@dataclass(frozen=True)
class Piece:
    """What the model reads at once: a text, its beginning, or one window of it.

    Attributes
    ----------
    text : str
        The whole text.
    tokens : sequence of int
        With the special tokens that the model wants.
    kinds : sequence of int or None
        Token types, for models that have them.
    spans : sequence of (int, int)
        Where each token begins and ends in the text.
    special : sequence of int
        1 for tokens that the tokenizer added.
    """

    text: str
    tokens: Sequence[int]
    kinds: Sequence[int] | None
    spans: Sequence[tuple[int, int]]
    special: Sequence[int]


@dataclass(frozen=True)
class Reading:
    """Texts as the model reads them.

    Attributes
    ----------
    pieces : sequence of Piece
        In the order of the texts.
    record : array of int, shape (pieces,)
        The text that each belongs to.
    windows : array of int, shape (n,)
        Pieces of each text.
    truncated : array of bool, shape (n,)
        Whether the end of a text was cut off.
    """

    pieces: Sequence[Piece]
    record: Array
    windows: Array
    truncated: Array


@dataclass(frozen=True)
class Batch:
    """Pieces side by side, as tensors of shape (pieces, tokens).

    Attributes
    ----------
    places : sequence of int
        Which pieces these are of those given to `Model.each`.
    pieces : sequence of Piece
        Themselves.
    inputs : dict of str to tensor
        What the model's forward pass takes.
    counted : tensor of bool
        Tokens of the text: neither special nor padding.
    """

    places: Sequence[int]
    pieces: Sequence[Piece]
    inputs: dict[str, Any]
    counted: Any


class Model:
    """A model in evaluation mode, with its tokenizer; subclasses say of what kind.

    Parameters
    ----------
    folder : Path
        A model folder from `fairaudit.lm.checkpoints.find`.
    name : str
        What messages call the model.
    device : str
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    dtype : str
        Precision of weights and arithmetic, as PyTorch calls it.
    batch : int
        Texts read at once; halved, for good, when the memory does not suffice.
    window : bool
        Read a text that is longer than the context in windows that do not overlap; otherwise
        only its beginning is read.
    allow_pickle : bool
        Read weights that are there as pickle alone, by PyTorch's loader for weights only.
    option : str
        The option that named the model.
    warn : callable
        Told once when the batch is halved.

    Attributes
    ----------
    called : str
        What messages call it.
    context : int or None
        The most tokens that the model reads at once, special tokens included.

    Raises
    ------
    FairauditError
        If the model cannot be loaded, is of another kind, lacks weights or a tokenizer, or its
        tokenizer does not fit.
    """

    _kind: Kind

    def __init__(
        self,
        folder: Path,
        name: str,
        device: str = "auto",
        dtype: str = "float32",
        batch: int = 32,
        window: bool = False,
        allow_pickle: bool = False,
        option: str = "--model",
        warn: Callable[[str], None] = lambda message: None,
    ) -> None:
        if batch < 1:
            raise FairauditError(f"--batch-size {batch}: expected 1 or more.")
        self.called = f"{option} {name}"
        self._folder, self._size, self._window, self._warn = folder, batch, window, warn
        self._warned = False
        with quiet():
            config = read_config(folder, self.called)
            _check_kind(config, self.called, self._kind)
            self._settle(config)
            model = _load(folder, config, self.called, dtype, allow_pickle, self._kind)
            self._model = model.to(device_named(device))
            self._tokenizer = _tokenizer(folder, self.called)
        self._embeddings = self._model.get_input_embeddings()
        _check_vocabulary(self._tokenizer, self._embeddings, self.called)
        self.context = _context(self._model, self._tokenizer, self.called)
        self._tokenizer.model_max_length = _NO_LIMIT  # or else it warns of what is cut here
        self._padding = self._find_padding()

    def _settle(self, config: Any) -> None:
        """Take what is needed from the model's settings, or refuse them, before it is loaded."""

    def _find_padding(self) -> int:
        """The token that fills up shorter texts."""
        return _padding(self._model.config, self._tokenizer, self.called)

    @cached_property
    def name(self) -> str:
        """Digest of the files that decide what the model answers."""
        return checkpoints.digest(self._folder)

    @property
    def network(self) -> Any:
        """The model itself, as transformers has it, for those who train it."""
        return self._model

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer, as transformers has it."""
        return self._tokenizer

    @property
    def width(self) -> int:
        """Components of a token's embedding."""
        return int(self._embeddings.weight.shape[1])

    @property
    def embedding_matrix(self) -> Any:
        """Embeddings of the vocabulary, a tensor of shape (tokens, width)."""
        return self._embeddings.weight

    def vocabulary(self) -> str:
        """The tokenizer in words: two that say the same make the same tokens."""
        self._tokenizer.backend_tokenizer.no_truncation()
        self._tokenizer.backend_tokenizer.no_padding()
        return str(self._tokenizer.backend_tokenizer.to_str())

    def token(self, number: int) -> str:
        """A token by its name in the vocabulary."""
        return str(self._tokenizer.convert_ids_to_tokens(number))

    @property
    def _room(self) -> int | None:
        """Tokens of a piece at most, special ones included."""
        return self.context

    def read(self, texts: Sequence[str]) -> Reading:
        """Cut texts into tokens, and those that are too long into pieces."""
        if not len(texts):
            nothing = np.zeros(0, np.int64)
            return Reading([], nothing, nothing, nothing.astype(bool))
        read = self._tokenizer(
            list(texts),
            truncation=self.context is not None,
            max_length=self._room,
            return_overflowing_tokens=self.context is not None,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
        )
        record = np.array(read.get("overflow_to_sample_mapping", range(len(texts))), np.int64)
        windows = np.bincount(record, minlength=len(texts))
        first = np.r_[True, record[1:] != record[:-1]]
        kept = np.flatnonzero(first | self._window).tolist()
        pieces = [self._piece(read, i, texts[record[i]]) for i in kept]
        if self._window:
            return Reading(pieces, record, windows, np.zeros(len(texts), bool))
        return Reading(pieces, record[kept], np.ones_like(windows), windows > 1)

    def _piece(self, read: Any, i: int, text: str) -> Piece:
        kinds = read["token_type_ids"][i] if "token_type_ids" in read else None
        tokens = read["input_ids"][i]
        if not tokens:
            # A model needs something to read; what it says of nothing is what it says of this.
            return Piece(text, [self._padding], None if kinds is None else [0], [(0, 0)], [1])
        return Piece(text, tokens, kinds, read["offset_mapping"][i], read["special_tokens_mask"][i])

    def each(
        self,
        pieces: Sequence[Piece],
        work: Callable[[Batch], Sequence[Result]],
        most_tokens: int | None = None,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[Result]:
        """Do some work batch by batch; if the memory does not suffice, in smaller batches.

        Parameters
        ----------
        pieces : sequence of Piece
            In any order; those of one batch are of about one length.
        work : callable
            Gives one result for each piece of a batch.
        most_tokens : int, optional
            Tokens of a batch at most, its padding included; a single piece may have more.
        progress : callable
            Told after each batch how many pieces are done.

        Returns
        -------
        list
            A result for each piece.

        Raises
        ------
        FairauditError
            If the memory does not suffice for a single piece.
        """
        # The longest first: if the memory is too small, that shows at once.
        order = sorted(range(len(pieces)), key=lambda i: -len(pieces[i].tokens))
        results: dict[int, Result] = {}
        while len(results) < len(order):
            longest = len(pieces[order[len(results)]].tokens)
            fitting = max(1, most_tokens // longest) if most_tokens else self._size
            places = order[len(results) : len(results) + min(self._size, fitting)]
            done = self._try(work, places, pieces)
            if done is None:
                self._halve(len(places), longest)
            else:
                results.update(zip(places, done, strict=True))
                progress(len(results))
        return [results[i] for i in range(len(pieces))]

    def _try(
        self,
        work: Callable[[Batch], Sequence[Result]],
        places: Sequence[int],
        pieces: Sequence[Piece],
    ) -> Sequence[Result] | None:
        """The results of a batch, or None where the memory did not suffice."""
        try:
            return work(self._batch(places, [pieces[i] for i in places]))
        except (RuntimeError, MemoryError) as error:
            if not is_memory(error):
                raise
        return None

    def _halve(self, size: int, length: int) -> None:
        import torch

        if size == 1:
            raise FairauditError(
                f"{self.called}: not enough memory for one text of {length:,} tokens. "
                "Use --device cpu, or a smaller model."
            )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._size = size // 2
        if not self._warned:
            self._warned = True
            self._warn(
                f"{self.called}: not enough memory for {size} texts of {length:,} tokens at "
                f"once; goes on with {self._size} or fewer. --batch-size {self._size} would have "
                "spared the attempt."
            )

    def _batch(self, places: Sequence[int], pieces: Sequence[Piece]) -> Batch:
        import torch

        length = max(len(piece.tokens) for piece in pieces)

        def tensor(rows: Iterator[Sequence[int]], filling: int) -> Any:
            filled = [[*row, *[filling] * (length - len(row))] for row in rows]
            return torch.tensor(filled, device=self._model.device)

        inputs = {
            "input_ids": tensor((piece.tokens for piece in pieces), self._padding),
            "attention_mask": tensor(([1] * len(piece.tokens) for piece in pieces), 0),
        }
        if pieces[0].kinds is not None:
            inputs["token_type_ids"] = tensor((piece.kinds or () for piece in pieces), 0)
        special = tensor((piece.special for piece in pieces), 1)
        return Batch(places, pieces, inputs, special == 0)


def is_memory(error: Exception) -> bool:
    """Whether memory was lacking: on a CPU, PyTorch has no error of its own for it."""
    import torch

    lacking = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return lacking or "DefaultCPUAllocator" in str(error)


def read_config(folder: Path, called: str) -> Any:
    """Settings of a model, without its weights.

    Raises
    ------
    FairauditError
        If transformers cannot read them.
    """
    from transformers import AutoConfig

    with _loading(called):
        return AutoConfig.from_pretrained(folder, **_LOCAL)


def _load(
    folder: Path, config: Any, called: str, dtype: str, allow_pickle: bool, kind: Kind
) -> Any:
    """Build the model from a folder's data alone: no network, no foreign code."""
    import torch
    import transformers

    with _loading(called):
        model, found = getattr(transformers, kind.auto).from_pretrained(
            folder,
            config=config,
            dtype=getattr(torch, dtype),
            use_safetensors=not allow_pickle or checkpoints.is_safe(folder),
            weights_only=True,
            ignore_mismatched_sizes=True,  # refused below, with a better message
            output_loading_info=True,
            **_LOCAL,
        )
    _refuse_mismatched(found["mismatched_keys"], called)
    _refuse_missing(sorted(found["missing_keys"]), called, kind)
    model.config.use_cache, model.config.return_dict = False, True
    return model.eval().requires_grad_(False)


@contextmanager
def _loading(called: str) -> Iterator[None]:
    """Whatever transformers cannot make of a folder is the folder's fault."""
    try:
        yield
    except FairauditError:
        raise
    except Exception as error:
        raise FairauditError(f"{called}: cannot be loaded: {first_line(error)}") from error


def _check_kind(config: Any, called: str, kind: Kind) -> None:
    import transformers

    known = type(config) in getattr(transformers, kind.mapping)
    if not known or not hasattr(config, "vocab_size"):
        raise FairauditError(
            f"{called}: a model of another kind, {config.model_type}; expected a {kind.name} "
            f"({kind.auto})."
        )
    if config.is_encoder_decoder:
        raise FairauditError(
            f"{called}: an encoder and a decoder ({config.model_type}), which read a text twice; "
            f"expected a {kind.name} such as BERT, RoBERTa or GPT-2."
        )


def _refuse_mismatched(mismatched: Iterable[tuple[str, Any, Any]], called: str) -> None:
    for key, held, wanted in sorted(mismatched, key=lambda each: each[0]):
        raise FairauditError(
            f"{called}: {key} has the shape {tuple(held)}, but by config.json {tuple(wanted)}: "
            "settings and weights belong to two models. Save the model again."
        )


def _refuse_missing(missing: Iterable[str], called: str, kind: Kind) -> None:
    """Refuse a model whose weights are partly made up: its answers would be noise."""
    needed = [key for key in missing if not key.startswith(kind.spare)]
    if needed:
        raise FairauditError(
            f"{called}: a model of another kind: weights of a {kind.name} are missing "
            f"({needed[0]}, {len(needed)} in all). {kind.advice}"
        )


def _tokenizer(folder: Path, called: str) -> Any:
    from transformers import AutoTokenizer

    if not any(any(folder.glob(pattern)) for pattern in _VOCABULARIES):
        raise FairauditError(
            f"{called}: no tokenizer (tokenizer.json, vocab.txt or the like) beside config.json. "
            "Save the tokenizer to the same folder."
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **_LOCAL)
    except Exception as error:
        # As with the model's weights.
        raise FairauditError(
            f"{called}: its tokenizer cannot be loaded: {first_line(error)}"
        ) from error
    if not tokenizer.is_fast:
        raise FairauditError(
            f"{called}: its tokenizer does not say where a token stands in the text. "
            "Save it in the form of tokenizer.json (a fast tokenizer)."
        )
    tokenizer.truncation_side = "right"
    return tokenizer


def _check_vocabulary(tokenizer: Any, embeddings: Any, called: str) -> None:
    greatest, rows = max(tokenizer.get_vocab().values(), default=-1), len(embeddings.weight)
    if greatest >= rows:
        raise FairauditError(
            f"{called}: its tokenizer has {greatest + 1:,} tokens, the model {rows:,}: "
            "it belongs to another model."
        )


def _padding(config: Any, tokenizer: Any, called: str) -> int:
    """The token that fills up shorter texts; models that look for a text's end are told it."""
    end = tokenizer.eos_token_id
    if end is not None and tokenizer("a").input_ids[-1:] == [end]:
        end = None  # where texts end with it, the model would take it for padding
    for token in (config.pad_token_id, tokenizer.pad_token_id, end):
        if token is not None and 0 <= token < config.vocab_size:
            config.pad_token_id = token
            return int(token)
    raise FairauditError(
        f"{called}: neither the model nor its tokenizer has a padding token. Set pad_token_id in "
        "config.json to the one it was trained with."
    )


def _context(model: Any, tokenizer: Any, called: str) -> int | None:
    """The most tokens that a model reads, where there is a limit."""
    limits = [tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None)]
    for name, module in model.named_modules():
        # RoBERTa and its kin count positions from the padding's on.
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None):
            limits.append(module.num_embeddings - module.padding_idx - 1)
    numbers = [limit for limit in limits if isinstance(limit, int | float)]
    context = min((int(limit) for limit in numbers if 0 < limit < _NO_LIMIT), default=None)
    if context is not None and context <= tokenizer.num_special_tokens_to_add():
        raise FairauditError(
            f"{called}: reads {context} tokens at once, special ones included; expected more "
            "(model_max_length in tokenizer_config.json)."
        )
    return context
