"""The loss of distillation over a large vocabulary, without the logits of all tokens at once.

T^2 KL(teacher || student) at temperature T, and the cross entropy of the next word, as in the
scripts that made DistilGPT2 (Sanh et al., "DistilBERT", 2019, sections 2 and 3). The logits of
50,257 words by 2,048 tokens take 412 MB in float32, and the plain way keeps several such arrays for
the backward pass. Here a few tokens at a time go from hidden states to gradients within the forward
pass: the loss is a sum over tokens, so its gradients do not wait for what comes after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

#: Tokens at once: the logits of 64 tokens by 50,257 words take 13 MB.
CHUNK = 64
#: What stands for no next word.
NOTHING = -100


@dataclass(frozen=True)
class Loss:
    """A loss and its parts, each a mean over tokens; tensors without dimensions.

    Attributes
    ----------
    total : tensor
        ``alpha_ce`` times `divergence`, plus ``alpha_clm`` times `entropy`; can be derived.
    divergence : tensor
        T^2 KL(teacher || student), in nats.
    entropy : tensor
        Cross entropy of the next word, in nats.
    """

    total: Any
    divergence: Any
    entropy: Any


def distillation_loss(
    hidden: Any,
    weight: Any,
    target: Callable[[int, int], Any],
    labels: Any,
    *,
    temperature: float = 2.0,
    alpha_ce: float = 0.5,
    alpha_clm: float = 0.5,
    chunk: int = CHUNK,
    size: int | None = None,
    words: int | None = None,
    dtype: Any = None,
) -> Loss:
    """Loss of a student that is taught by a teacher's distributions and by the text itself.

    Parameters
    ----------
    hidden : tensor, shape (n, d)
        The student's last hidden states.
    weight : tensor, shape (V, d)
        The student's output embeddings.
    target : callable
        From the first token to the last (not included), the teacher's log probabilities at
        temperature T up to a constant in each row, shape (last - first, V), float32; they are
        written over.
    labels : tensor of int, shape (n,)
        The next word after each token; `NOTHING` where there is none.
    temperature, alpha_ce, alpha_clm : float
    chunk : int
        Tokens at once.
    size, words : int, optional
        What the sums over tokens and over next words are divided by, where these are a part of
        what a mean is taken of; their own number by default.
    dtype : torch dtype, optional
        In which matrices are multiplied; that of `hidden` by default. Gradients of `weight` add up
        in float32 whatever it is, and so do the losses in float64.

    Examples
    --------
    A student whose logits are the teacher's has no divergence, and cannot do better than chance
    where all words are equally likely: log 3.

    >>> import torch
    >>> hidden, weight = torch.zeros(2, 1, requires_grad=True), torch.ones(3, 1)
    >>> loss = distillation_loss(hidden, weight, lambda i, j: torch.zeros(j - i, 3),
    ...     torch.tensor([1, NOTHING]))
    >>> [round(part.item(), 6) for part in (loss.divergence, loss.entropy, loss.total)]
    [0.0, 1.098612, 0.549306]
    """
    size = len(labels) if size is None else size
    words = max(1, int((labels != NOTHING).sum())) if words is None else words
    weights = (temperature, alpha_ce, alpha_clm)
    terms = _Terms(target, labels, *weights, chunk, size, words, dtype or hidden.dtype)
    total, parts = _function().apply(hidden, weight, terms)
    return Loss(total, parts[0], parts[1])


@dataclass(frozen=True)
class _Terms:
    target: Callable[[int, int], Any]
    labels: Any
    temperature: float
    alpha_ce: float
    alpha_clm: float
    chunk: int
    size: int
    words: int
    dtype: Any

    def slope(self, logits: Any, first: int, room: _Room, parts: Any) -> Any:
        """Gradient of the loss by some logits, shape (c, V); adds to its parts.

        Both are written over: of arrays of this size each fresh one costs as much as what is done
        with it.
        """
        import torch

        count, t = len(logits), self.temperature
        slope = self._entropy(logits, first, room.second[:count], parts)
        teacher, student = self.target(first, first + count), logits.div_(t)
        p = torch.softmax(teacher, 1, out=room.third[:count])
        scale = _scale(teacher, p)
        apart = torch.bmm(p[:, None], teacher.sub_(student)[:, :, None])[:, 0]
        q = torch.softmax(student, 1, out=teacher)
        parts[0] += (apart - scale + _scale(student, q)).sum() * (t * t / self.size)
        return slope.add_(q.sub_(p), alpha=self.alpha_ce * t / self.size)

    def _entropy(self, logits: Any, first: int, slope: Any, parts: Any) -> Any:
        """Gradient of the cross entropy by some logits."""
        import torch

        if self.alpha_clm == 0:
            return slope.zero_()
        labels = self.labels[first : first + len(logits), None]
        # All rows, and then none of those without a next word: to pick them would make a GPU wait.
        there, words = (labels != NOTHING).float(), labels.clamp_min(0)
        torch.softmax(logits, 1, out=slope)
        lost = _scale(logits, slope) - logits.gather(1, words)
        parts[1] += (lost * there).sum() / self.words
        share = there * (self.alpha_clm / self.words)
        return slope.mul_(share).scatter_add_(1, words, -share)


@dataclass(frozen=True)
class _Room:
    """Arrays of shape (c, V) in float32 that are written over from chunk to chunk."""

    first: Any
    second: Any
    third: Any


def _scale(logits: Any, shares: Any) -> Any:
    """Logarithm of the sum of exp(logits), shape (c, 1), by their softmax."""
    return logits.amax(1, keepdim=True) - shares.amax(1, keepdim=True).log()


@lru_cache(maxsize=1)
def _function() -> Any:
    """The loss as a function of PyTorch's automatic differentiation."""
    import torch

    class Chunked(torch.autograd.Function):  # type: ignore[misc]
        """Computes the gradients along with the loss, and hands them out afterwards."""

        @staticmethod
        def forward(context: Any, hidden: Any, weight: Any, terms: _Terms) -> Any:
            with torch.autocast(hidden.device.type, enabled=False):
                parts, *slopes = _slopes(hidden, weight, terms)
            context.save_for_backward(*slopes)
            context.mark_non_differentiable(parts)
            return (parts[0] * terms.alpha_ce + parts[1] * terms.alpha_clm).float(), parts

        @staticmethod
        def backward(context: Any, outer: Any, _: Any) -> Any:
            # In place: of the output embeddings' gradients there is no room for two.
            by_hidden, by_weight = context.saved_tensors
            return by_hidden.mul_(outer), by_weight.mul_(outer), None

    return Chunked


def _slopes(hidden: Any, weight: Any, terms: _Terms) -> tuple[Any, Any, Any]:
    """The parts of the loss, and its gradients by the hidden states and by the embeddings."""
    import torch

    parts = torch.zeros(2, dtype=torch.float64, device=hidden.device)
    by_hidden = torch.empty_like(hidden)
    by_weight = torch.zeros_like(weight, dtype=torch.float32)
    own = weight.to(terms.dtype)
    size = (min(terms.chunk, len(hidden)), len(weight))
    room = _Room(*(hidden.new_empty(size, dtype=torch.float32) for _ in range(3)))
    for first in range(0, len(hidden), terms.chunk):
        part = slice(first, first + terms.chunk)
        some = hidden[part].to(terms.dtype)
        logits = product(some, own.T, room.first)
        slope = terms.slope(logits, first, room, parts).to(terms.dtype)
        by_hidden[part] = slope @ own
        if terms.dtype == torch.float32:
            by_weight.addmm_(slope.T, some)
        else:
            by_weight.add_(slope.T @ some)
    return parts, by_hidden, by_weight.to(weight.dtype)


def product(first: Any, second: Any, room: Any) -> Any:
    """A product of matrices in float32, in the first rows of an array that is there."""
    import torch

    found = room[: len(first)]
    if first.dtype == found.dtype:
        return torch.mm(first, second, out=found)
    return found.copy_(first @ second)
