"""The teacher: it reads a text and its reversal, and says what a student is to learn of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fairaudit.arrays import Array
from fairaudit.exceptions import FairauditError
from fairaudit.lm.distill.alignment import UNALIGNED
from fairaudit.lm.distill.losses import product
from fairaudit.lm.distill.store import Blocks
from fairaudit.lm.distill.targets import Teaching

#: Of scores, by their greatest: what the order of additions can make.
_TOLERANCE = 1e-3


class Teacher:
    """A teacher and its way of teaching.

    Parameters
    ----------
    model : transformers causal language model
        Its head must pass `check_head`.
    teaching : Teaching
    dtype : torch dtype
        In which matrices are multiplied.
    """

    def __init__(self, model: Any, teaching: Teaching, dtype: Any) -> None:
        self._model, self._teaching, self._dtype = model, teaching, dtype
        self._head = model.get_output_embeddings().weight.detach().to(dtype)

    def lesson(self, blocks: Blocks) -> Lesson:
        """What the teacher makes of some texts.

        Of all tokens only hidden states are kept, not logits: those of a GPT-2 take 65 times the
        room.
        """
        import torch

        there = filled(blocks)
        with torch.no_grad():
            plain = picked(self._hidden(blocks.tokens), there)
            where, other = self._reversed(blocks, there)
        return Lesson(plain, other, where, self._head, self._teaching)

    def _reversed(self, blocks: Blocks, there: Array) -> tuple[Array, Any]:
        """Which tokens have a counterpart, and the teacher's states at these."""
        aligned = np.full(blocks.tokens.shape, UNALIGNED)
        if self._teaching.mix == "none" or not len(blocks.changed):
            return aligned[there] != UNALIGNED, None
        aligned[blocks.changed] = blocks.aligned
        width = int(aligned.max(initial=0)) + 1
        hidden = self._hidden(blocks.twins[:, :width])
        rows, at = np.nonzero((blocks.aligned != UNALIGNED) & there[blocks.changed])
        places = blocks.aligned[rows, at]
        return aligned[there] != UNALIGNED, hidden[rows, places]

    def _hidden(self, tokens: Array) -> Any:
        """Last hidden states, shape (n, B, d); what is read later changes none."""
        import torch

        device = self._model.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self._dtype == torch.bfloat16):
            return hidden_states(self._model, torch.as_tensor(tokens, device=device))


class Lesson:
    """Targets of some tokens, made a few at a time.

    Parameters
    ----------
    hidden : tensor, shape (n, d)
        The teacher's last hidden states of the texts' tokens, one text after the other.
    other : tensor, shape (m, d), or None
        Those of the counterparts, of the tokens that have one, in the same order.
    where : array of bool, shape (n,)
        Which tokens have one.
    head : tensor, shape (V, d)
    teaching : Teaching
    """

    def __init__(self, hidden: Any, other: Any, where: Array, head: Any, teaching: Teaching):
        self.hidden = hidden
        self._other, self._where, self._head, self._teaching = other, where, head, teaching
        self._before = np.r_[0, np.cumsum(where)]
        # Written over from call to call: fresh arrays cost as much as what is done with them.
        self._room: dict[str, Any] = {}

    def target(self, first: int, last: int) -> Any:
        """For `distillation_loss`; a token without counterpart has the plain teacher's.

        Counts until the next call.
        """
        import torch

        plain = self._logits(self.hidden[first:last], "plain")
        begin, end = self._before[[first, last]].tolist()
        if begin == end or self._other is None:
            return plain.div_(self._teaching.temperature)
        reversed_ = self._logits(self._other[begin:end], "reversed")
        if end - begin == last - first:
            return self._teaching.target(plain, reversed_)
        rows = torch.as_tensor(np.flatnonzero(self._where[first:last]), device=plain.device)
        mixed = self._teaching.target(plain[rows], reversed_)
        return plain.div_(self._teaching.temperature).index_copy_(0, rows, mixed)

    def _logits(self, hidden: Any, name: str) -> Any:
        import torch

        if name not in self._room or len(self._room[name]) < len(hidden):
            shape = (len(hidden), len(self._head))
            self._room[name] = hidden.new_empty(shape, dtype=torch.float32)
        return product(hidden.to(self._head.dtype), self._head.T, self._room[name])


def filled(blocks: Blocks) -> Array:
    """Where the tokens of texts stand, an array of bool of shape (n, B)."""
    return np.arange(blocks.tokens.shape[1]) < blocks.lengths[:, None]


def picked(hidden: Any, there: Array) -> Any:
    """Hidden states of the tokens of texts, one text after the other, shape (tokens, d)."""
    import torch

    flat = hidden.reshape(-1, hidden.shape[-1])
    if there.all():
        return flat
    return flat[torch.as_tensor(np.flatnonzero(there), device=hidden.device)]


def hidden_states(model: Any, tokens: Any) -> Any:
    """Last hidden states, which the head makes logits of, shape (n, B, d)."""
    return model.base_model(input_ids=tokens, use_cache=False).last_hidden_state


def check_head(model: Any, called: str) -> None:
    """Require that logits are hidden states times output embeddings, and nothing else.

    Raises
    ------
    FairauditError
        If there is a bias, a scale or a cap: the loss would be of another model.
    """
    import torch

    head = model.get_output_embeddings()
    weight = getattr(head, "weight", None)
    tokens = torch.arange(8, device=model.device)[None] % int(model.config.vocab_size)
    if weight is not None and getattr(head, "bias", None) is None:
        with torch.no_grad():
            wanted = model(input_ids=tokens, use_cache=False).logits.float()
            states = model.base_model(input_ids=tokens, use_cache=False)
        hidden = getattr(states, "last_hidden_state", None)
        if hidden is not None and hidden.shape[-1] == weight.shape[1]:
            found = (hidden.float() @ weight.detach().float().T) - wanted
            if found.abs().max() <= _TOLERANCE * wanted.abs().max().clamp_min(1):
                return
    raise FairauditError(
        f"{called}: its logits are not its last hidden states times its output embeddings (there "
        "is a bias, a scale or a cap in its head); expected a head such as GPT-2's or Llama's."
    )
