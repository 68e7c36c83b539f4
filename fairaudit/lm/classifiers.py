"""Text classifiers of transformers: read texts, give probabilities, the same in any batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.models import Batch, Kind, Model, Reading

#: Half precision is not among them: a product of two gradients soon vanishes in it.
DTYPES = ("float32", "float64")
CLASSIFIER = Kind(
    "AutoModelForSequenceClassification",
    "text classifier",
    "Use a model fine-tuned for classification.",
)


class TextClassifier(Model):
    """A classifier of texts, in evaluation mode: one label for each, or one that it has or not.

    Parameters
    ----------
    folder : Path
        A model folder from `fairaudit.lm.checkpoints.find`.
    name : str
        What messages call the model.
    device : str
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    dtype : {"float32", "float64"}
        Precision of weights and arithmetic.
    batch : int
        Texts read at once; halved, for good, when the memory does not suffice.
    window : bool
        Read a text that is longer than the context in windows that do not overlap, and average
        their probabilities; otherwise only its beginning is read.
    allow_pickle : bool
        Read weights that are there as pickle alone, by PyTorch's loader for weights only.
    option : str
        The option that named the model.
    warn : callable
        Told once when the batch is halved.
    target : str, optional
        For a model that gives several labels to one text, the one that is asked for. The classes
        are then ``not NAME`` and ``NAME``, with probabilities 1 - s and s, where s is the sigmoid
        of the label's logit.

    Attributes
    ----------
    classes : tuple of str
        Labels, in the order of the probabilities.
    context : int or None
        The most tokens that the model reads at once, special tokens included.

    Raises
    ------
    FairauditError
        If the model cannot be loaded, is no classifier of texts, gives several labels of which
        `target` names none, lacks weights or a tokenizer, or its tokenizer does not fit.
    """

    _kind = CLASSIFIER
    _label: int | None = None  # the place of `target`

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
        target: str | None = None,
    ) -> None:
        if dtype not in DTYPES:
            raise FairauditError(f"--dtype {dtype}: expected one of {', '.join(DTYPES)}.")
        self._option, self._target = option, target
        super().__init__(folder, name, device, dtype, batch, window, allow_pickle, option, warn)

    def _settle(self, config: Any) -> None:
        self.classes = self._labels(config)

    def _labels(self, config: Any) -> tuple[str, ...]:
        """The classes, by the model's settings."""
        labels = _labels(config, self.called)
        if config.problem_type == "multi_label_classification":
            self._label = _place(self._target, labels, self.called, self._option)
            return f"not {self._target}", labels[self._label]
        _check_one_label(config, self.called)
        if self._target is not None:
            raise FairauditError(
                f"--class {self._target}: is for models that give several labels to one text; of "
                f"{self.called} they exclude each other, and all are measured. Leave it out (or, "
                "if the model was trained otherwise, set problem_type in config.json to "
                "multi_label_classification)."
            )
        return labels

    def predict(self, texts: Sequence[str]) -> Array:
        """Probabilities of the classes, shape (n, K), averaged over a text's windows."""
        return self.probabilities(self.read(texts))

    def probabilities(self, reading: Reading) -> Array:
        """Probabilities of texts that were read, shape (n, K)."""
        rows = self.each(reading.pieces, self._predict)
        return self.average(reading, rows)

    def average(self, reading: Reading, rows: Sequence[Array]) -> Array:
        """Averages over the windows of each text of what the model says of each piece."""
        whole = np.zeros((len(reading.windows), len(self.classes)))
        if rows:
            np.add.at(whole, reading.record, np.stack(rows))
        return whole / np.maximum(reading.windows, 1)[:, None]

    def _predict(self, batch: Batch) -> list[Array]:
        import torch

        with torch.no_grad():
            return list(self.forward(batch)[0].cpu().numpy())

    def forward(self, batch: Batch) -> tuple[Any, Any]:
        """Probabilities, shape (pieces, K), and the embeddings that they can be derived by.

        The model adds positions and token types to the embeddings itself, and some take from the
        tokens where a text ends; so it is given tokens, and its embeddings are caught inside.
        """
        with _caught(self._embeddings) as caught:
            output = self._model(**batch.inputs)
        if len(caught) != 1 or caught[0].shape[:2] != batch.counted.shape:
            raise FairauditError(
                f"{self.called}: reads its embeddings in a way of its own, so that nothing can be "
                "derived by them. Use a model such as BERT, RoBERTa or GPT-2."
            )
        return self._checked(self._probabilities(output, batch)), caught[0]

    def _probabilities(self, output: Any, batch: Batch) -> Any:
        """Probabilities of the classes, shape (pieces, K), from what the model gives."""
        import torch

        # In float32, one minus a probability that is nearly one is mostly rounding.
        logits = output.logits.double()
        if self._label is not None:
            # A sigmoid is a softmax beside zero; so its complement is not rounded off either.
            logits = torch.nn.functional.pad(logits[:, self._label, None], (1, 0))
        return logits.softmax(-1)

    def _checked(self, numbers: Any) -> Any:
        if not numbers.isfinite().all():
            raise FairauditError(
                f"{self.called}: gives no probabilities (not a number): its weights are broken. "
                "Save the model again."
            )
        return numbers

    def embed(self, tokens: Any) -> Any:
        """Embeddings of tokens, without gradients."""
        import torch

        with torch.no_grad():
            return self._embeddings(torch.as_tensor(tokens, device=self._model.device))


@contextmanager
def _caught(embeddings: Any) -> Iterator[list[Any]]:
    """Outputs of an embedding layer during a forward pass, as leaves of its graph."""
    caught: list[Any] = []

    def catch(module: Any, arguments: Any, output: Any) -> Any:
        caught.append(output.detach().requires_grad_())
        return caught[-1]

    handle = embeddings.register_forward_hook(catch)
    try:
        yield caught
    finally:
        handle.remove()


def _check_one_label(config: Any, called: str) -> None:
    if config.problem_type == "regression" or config.num_labels < 2:
        raise FairauditError(
            f"{called}: gives a number, not one of several labels (num_labels in config.json is "
            f"{config.num_labels}); expected a classifier of two or more classes."
        )


def _place(target: str | None, labels: Sequence[str], called: str, option: str) -> int:
    """Place of the label that is asked for, of a model that gives several to one text."""
    if target in labels:
        return labels.index(target)
    if target is not None:
        raise FairauditError(
            f"--class {target}: no label of {called}; expected one of {', '.join(labels)}."
        )
    # Of a model of the protected attribute no label can be named.
    wanted = "name one of them: --class NAME"
    if option != "--model":
        wanted = "expected a classifier whose labels exclude each other"
    raise FairauditError(
        f"{called}: gives several labels to one text (problem_type in config.json): "
        f"{', '.join(labels)}; {wanted}."
    )


def _labels(config: Any, called: str) -> tuple[str, ...]:
    labels = tuple(str(config.id2label.get(i, i)) for i in range(config.num_labels))
    if len(set(labels)) < len(labels):
        raise FairauditError(
            f"{called}: two classes have one name (id2label in config.json): {', '.join(labels)}."
        )
    return labels
