"""The student: the teacher with fewer layers, or another model with the same vocabulary."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

from fairaudit.exceptions import FairauditError
from fairaudit.lm.checkpoints import first_line


def kept_layers(teacher: int, student: int) -> list[int]:
    """Which of the teacher's layers the student begins with: at equal steps, first and last.

    For 12 and 6 these are the layers of DistilGPT2 (Hugging Face, scripts of DistilGPT2).

    Examples
    --------
    >>> kept_layers(12, 6), kept_layers(4, 2), kept_layers(4, 1)
    ([0, 2, 4, 7, 9, 11], [0, 3], [0])
    """
    if student == 1:
        return [0]
    return [round(i * (teacher - 1) / (student - 1)) for i in range(student)]


def shrunk(teacher: Any, layers: int, called: str = "--teacher") -> Any:
    """A model of the teacher's shape with fewer layers, which begins with the teacher's weights.

    Embeddings, final norm and head are copied, and the layers of `kept_layers`.

    Parameters
    ----------
    teacher : transformers causal language model
    layers : int
    called : str
        What messages call the teacher.

    Returns
    -------
    transformers causal language model

    Raises
    ------
    FairauditError
        If the teacher has fewer layers, or keeps them in a way of its own.
    """
    depth = int(teacher.config.num_hidden_layers)
    if not 1 <= layers <= depth:
        raise FairauditError(
            f"--layers {layers}: the teacher has {depth}; expected a number from 1 to {depth}."
        )
    kept = kept_layers(depth, layers)
    student = type(teacher)(_config(teacher.config, kept, called))
    # In the teacher's dtype on the teacher's device, as its state is copied.
    student = student.to(dtype=teacher.dtype, device=teacher.device)
    state = _renumbered(teacher.state_dict(), _layers_name(teacher, depth, called), kept)
    missing, unexpected = student.load_state_dict(state, strict=False)
    untied = [name for name in missing if name not in (student._tied_weights_keys or ())]
    if untied or unexpected:
        raise FairauditError(
            f"{called}: its layers cannot be told from the rest ({(untied or unexpected)[0]}). "
            "Give a student with --student."
        )
    student.tie_weights()
    return student


def _config(config: Any, kept: Sequence[int], called: str) -> Any:
    """The settings of a model with some of the layers, as they will be read again."""
    depth, own = config.num_hidden_layers, copy.deepcopy(config)
    own.num_hidden_layers = len(kept)
    for name, value in vars(config).items():
        # Lists with an entry for each layer, such as kinds of attention.
        if isinstance(value, list) and len(value) == depth and "layer" in name:
            setattr(own, name, [value[i] for i in kept])
    try:
        return type(config).from_dict(own.to_dict())
    except (ValueError, TypeError, LookupError) as error:
        raise FairauditError(
            f"{called}: its settings do not say what {len(kept)} of its {depth} layers are "
            f"({first_line(error)}) Give a student with --student."
        ) from None


def _layers_name(model: Any, depth: int, called: str) -> str:
    """The name of the list of layers within a model."""
    import torch

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth:
            return str(name)
    raise FairauditError(
        f"{called}: keeps its {depth} layers in a way of its own. Give a student with --student."
    )


def _renumbered(state: dict[str, Any], layers: str, kept: Sequence[int]) -> dict[str, Any]:
    """Weights with the kept layers numbered from 0, without the others."""
    pattern = re.compile(rf"{re.escape(layers)}\.(\d+)\.")
    place = {number: i for i, number in enumerate(kept)}
    found = {}
    for name, weights in state.items():
        match = pattern.match(name)
        if match is None:
            found[name] = weights
        elif int(match[1]) in place:
            found[f"{layers}.{place[int(match[1])]}.{name[match.end() :]}"] = weights
    return found


def check_vocabularies(teacher: Any, student: Any) -> None:
    """Require that two tokenizers make the same tokens with the same numbers.

    Raises
    ------
    FairauditError
        If they do not: the teacher's probabilities would be of other words.
    """
    own, other = teacher.get_vocab(), student.get_vocab()
    if own == other and teacher("Ab c's").input_ids == student("Ab c's").input_ids:
        return
    if len(own) != len(other):
        raise FairauditError(
            f"--student: a vocabulary of {len(other):,} tokens, and {len(own):,} in the teacher's; "
            "expected the same. Use a student with the teacher's tokenizer, or --layers."
        )
    token = next((t for t in own if other.get(t) != own[t]), "")
    raise FairauditError(
        f"--student: another vocabulary than the teacher's: the token {token!r} has the number "
        f"{own.get(token)} there, and {other.get(token)} here. Use a student with the teacher's "
        "tokenizer, or --layers."
    )
