"""The teacher and the student of a distillation, checked to fit each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairaudit.exceptions import FairauditError
from fairaudit.lm import checkpoints
from fairaudit.lm.distill.settings import Settings
from fairaudit.lm.distill.student import check_vocabularies, shrunk
from fairaudit.lm.distill.teacher import check_head
from fairaudit.lm.language_models import LanguageModel


class Pair:
    """Teacher and student, which have one vocabulary.

    Attributes
    ----------
    teacher : LanguageModel
    given : LanguageModel or None
        The student, where one was given.
    student : transformers causal language model
        In training mode, in float32.
    tokenizer : transformers tokenizer
    context : int or None
        The most tokens that both read at once.
    room : int
        Tokens of a reversal at most.
    """

    def __init__(self, settings: Settings, device: str, warn: Callable[[str], None]) -> None:
        self.teacher = _causal(settings.teacher, "--teacher", device, warn)
        self.given: LanguageModel | None = None
        if settings.student is not None:
            self.given = _causal(settings.student, "--student", device, warn)
            check_vocabularies(self.teacher.tokenizer, self.given.tokenizer)
            _check_widths(settings, self.teacher.network, self.given.network)
            self.student = self.given.network
        else:
            depth = int(self.teacher.network.config.num_hidden_layers)
            layers = max(1, depth // 2) if settings.layers is None else settings.layers
            self.student = shrunk(self.teacher.network, layers, self.teacher.called)
        self.student.requires_grad_(True).train()
        self.tokenizer = self.teacher.tokenizer
        if self.tokenizer.eos_token_id is None:
            raise FairauditError(
                f"{self.teacher.called}: its tokenizer has no token that ends a text. Set "
                "eos_token in tokenizer_config.json."
            )
        both = (self.teacher, self.given or self.teacher)
        limits = [each.context for each in both if each.context is not None]
        self.context = min(limits, default=None)
        self.room = self._room(settings.block, self.context)

    @staticmethod
    def _room(block: int, context: int | None) -> int:
        """Tokens of a reversal at most: an eighth more, as far as the models read."""
        if context is not None and block > context:
            raise FairauditError(
                f"--block {block:,}: the models read {context:,} tokens at once; expected that "
                "or less."
            )
        wanted = block + max(8, block // 8)
        return wanted if context is None else min(wanted, context)


def _causal(name: str, option: str, device: str, warn: Callable[[str], None]) -> LanguageModel:
    found = LanguageModel(
        checkpoints.find(name, option=option), name, device=device, option=option, warn=warn
    )
    if found.masked:
        raise FairauditError(
            f"{found.called}: a masked language model, which does not go on from a text; expected "
            "one such as GPT-2."
        )
    check_head(found.network, found.called)
    return found


def _check_widths(settings: Settings, teacher: Any, student: Any) -> None:
    """Require heads with as many words, and states that can be compared where they are."""
    (rows, width), (own_rows, own_width) = (
        model.get_output_embeddings().weight.shape for model in (teacher, student)
    )
    if rows != own_rows:
        raise FairauditError(
            f"--student: a head of {own_rows:,} words, and {rows:,} in the teacher's; expected as "
            "many. Resize its embeddings, or use --layers."
        )
    if settings.alpha_cos and width != own_width:
        raise FairauditError(
            f"--alpha-cos: the student is {own_width} wide, the teacher {width}; hidden states can "
            "only be compared where both are as wide. Use --alpha-cos 0."
        )
