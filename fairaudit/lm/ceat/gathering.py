"""The vectors of all stimuli, from a model or from its store."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from fairaudit.exceptions import FairauditError
from fairaudit.formats.rows import all_lines
from fairaudit.lm import checkpoints, require
from fairaudit.lm.ceat.contexts import Context, Contexts, find, in_templates
from fairaudit.lm.ceat.embeddings import StimulusEncoder
from fairaudit.lm.ceat.options import Options, digest
from fairaudit.lm.ceat.store import Store, Stored, default_folder
from fairaudit.sources import File, named
from fairaudit.sources import find as find_files

#: Sentences embedded before their vectors are put away; 50 MB at 768 numbers each.
_AT_ONCE = 16_384


class Gatherer:
    """Finds the sentences of stimuli and embeds them, each stimulus once.

    Parameters
    ----------
    options : Options
    resources : ExitStack
        What is open for as long as the vectors are needed.
    """

    def __init__(self, options: Options, resources: ExitStack) -> None:
        require("ceat", "torch", "transformers")
        self._options, self._resources = options, resources
        self._folder = checkpoints.find(str(options.model), options.allow_pickle)
        self.files = [_described(path) for each in options.corpus for path in find_files(str(each))]
        self._templates = () if options.templates is None else tuple(options.sentences())

    @cached_property
    def model(self) -> str:
        """Digest of the model."""
        return checkpoints.digest(self._folder)

    def gather(self, words: Sequence[str]) -> Store:
        """Vectors of these stimuli.

        Raises
        ------
        FairauditError
            If the model or a text cannot be read.
        """
        store = self._store()
        missing = [word for word in words if store.lacks(word)]
        if missing:
            # The model first: if it is none, that is known before the texts are searched.
            encoder = self._encoder()
            contexts = self._contexts(missing)
            done = 0
            for part in _parts(missing, contexts):
                done += self._embed(encoder, part, contexts, store, done)
        return store

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        templates = digest(self._templates) if self._templates else None
        return {"model": self.model[:16], "templates": templates}

    def notes(self) -> Iterator[str]:
        """What a reader must know of the model."""
        config = json.loads((self._folder / "config.json").read_text(encoding="utf-8"))
        heads = [str(name) for name in config.get("architectures") or ()]
        for head in heads:
            if "Classification" in head or "QuestionAnswering" in head:
                yield (
                    f"{self._options.model} was trained as a {head}; what is tested is its encoder "
                    "alone, as that training left it."
                )

    def _store(self) -> Store:
        """The store; where none is wanted or can be, one that is gone at the end."""
        options, key = self._options, self._key()
        if options.cache is False:
            return self._passing(key)
        if options.cache is not True:
            return Store(Path(options.cache).expanduser(), key)
        try:
            return Store(default_folder(), key)
        except FairauditError as error:
            options.warn(f"{str(error).split(' Name another')[0]} Vectors are not kept.")
            return self._passing(key)

    def _passing(self, key: dict[str, Any]) -> Store:
        return Store(Path(self._resources.enter_context(tempfile.TemporaryDirectory())), key)

    def _key(self) -> dict[str, Any]:
        """All that the vectors of a stimulus depend on."""
        options = self._options
        return {
            "model": self.model,
            "corpus": [file.sha256 for file in self.files],
            "templates": self._templates,
            "per_stimulus": options.per_stimulus,
            "layer": options.layer,
            "pooling": options.pooling,
            "code_compatible": options.code_compatible,
            "seed": options.seed,
        }

    def _encoder(self) -> StimulusEncoder:
        options = self._options
        return StimulusEncoder(
            self._folder,
            str(options.model),
            options.layer,
            options.pooling,
            options.code_compatible,
            batch=options.batch,
            device=options.device,
            allow_pickle=options.allow_pickle,
            warn=options.warn,
        )

    def _contexts(self, words: Sequence[str]) -> Contexts:
        if self._templates:
            return in_templates(words, self._templates)
        lines = chain.from_iterable(all_lines(file.path, file.name) for file in self.files)
        options = self._options
        return find(
            (line for _, line in lines),
            words,
            options.per_stimulus,
            options.seed,
            options.code_compatible,
        )

    def _embed(
        self,
        encoder: StimulusEncoder,
        words: Sequence[str],
        contexts: Contexts,
        store: Store,
        before: int,
    ) -> int:
        """Embed the sentences of some words and put them away; how many there were."""
        own = [list(contexts.sentences.get(word, ())) for word in words]
        flat: list[Context] = [context for each in own for context in each]
        progress = self._options.progress
        vectors, kept = encoder.embed(flat, lambda done: progress(before + done))
        word_of = np.repeat(np.arange(len(words)), [len(each) for each in own])[kept]
        for i, word in enumerate(words):
            mine = vectors[word_of == i]
            store.put(word, Stored(mine, contexts.found[word], len(own[i]) - len(mine)))
        return len(flat)


def _described(path: Path) -> File:
    """A text with its digest."""
    if not path.is_file():
        raise FairauditError(f"{path}: not a regular file; a corpus is read more than once.")
    return named(path)


def _parts(words: Sequence[str], contexts: Contexts) -> Iterator[list[str]]:
    """Words with so many sentences together that their vectors fit into memory."""
    part: list[str] = []
    size = 0
    for word in words:
        part.append(word)
        size += len(contexts.sentences.get(word, ()))
        if size >= _AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part
