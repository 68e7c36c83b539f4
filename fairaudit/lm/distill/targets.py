"""What the student learns towards: the teacher's answer to a text, mixed with that to its reversal.

After Gupta et al., "Mitigating Gender Bias in Distilled Language Models via Counterfactual Role
Reversal", Findings of ACL 2022. The paper's text was not at hand: the mixes are those that are
remembered of it, with ``prob-mean`` added, and what becomes of the gendered words of the vocabulary
is a reconstruction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log
from typing import Any, Literal

Mix = Literal["none", "max", "mean", "prob-mean", "expmean", "swap"]
#: What becomes of the gendered words of the vocabulary.
Gendered = Literal["permute", "keep", "combine"]


def mixed(plain: Any, reversed_: Any, mix: Mix, temperature: float = 1.0) -> Any:
    """The teacher's target as log probabilities up to a constant in each row.

    Parameters
    ----------
    plain, reversed_ : tensor, shape (n, V)
        Logits z after the text and z' after its reversal.
    mix : Mix
        ``none``: z. ``max``: the greater of each. ``mean``: (z + z') / 2, the geometric mean of
        the two distributions. ``expmean``: log((exp z + exp z') / 2), the mean of what the two
        are before they are normalised. ``swap``: z'. ``prob-mean``: the mean of the two
        distributions. The first five act on logits as they are, before the temperature.
    temperature : float
        Divides the logits.

    Examples
    --------
    >>> import torch
    >>> z, reversed_ = torch.tensor([[2.0, 0, -1]]), torch.tensor([[0.0, 1, -1]])
    >>> [round(share, 4) for share in mixed(z, reversed_, "max").softmax(1)[0].tolist()]
    [0.7054, 0.2595, 0.0351]
    """
    import torch

    if mix == "prob-mean":
        both = [(logits / temperature).log_softmax(-1) for logits in (plain, reversed_)]
        return torch.logaddexp(*both).sub_(log(2))
    if mix == "max":
        return torch.maximum(plain, reversed_).div_(temperature)
    if mix == "mean":
        return (plain + reversed_).div_(2 * temperature)
    if mix == "expmean":
        return torch.logaddexp(plain, reversed_).sub_(log(2)).div_(temperature)
    return (reversed_ if mix == "swap" else plain) / temperature


@dataclass(frozen=True)
class Counterparts:
    """Words of the vocabulary that tell a man from a woman, class by class.

    A class holds the forms of one word that grammar, not gender, tells apart: {him, his} is the
    counterpart of {her, hers}. Most hold one word.

    Attributes
    ----------
    classes : sequence of (sequence of int, sequence of int)
        Tokens of a class, and of its counterpart; no token stands twice.
    """

    classes: Sequence[tuple[Sequence[int], Sequence[int]]]
    _known: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def exchange(self, plain: Any, reversed_: Any, temperature: float = 1.0) -> Any:
        """Logits after the reversed text, said of the words that fit the text itself.

        "She" after the text is to be set beside "he" after its reversal. Two single words change
        places. Of classes the sums of probability do, and the words of a class share what they
        get as they share their sum after the text itself: which form fits is for grammar to say.

        Parameters
        ----------
        plain, reversed_ : tensor, shape (n, V)
        temperature : float
            Of the distributions whose sums change places.

        Returns
        -------
        tensor, shape (n, V)
        """
        found = reversed_.clone()
        (own, other), *several = self._columns(plain.device)
        found[:, own] = reversed_[:, other]
        for own, other in several:
            shares = (plain[:, own] / temperature).log_softmax(1)
            total = (reversed_[:, other] / temperature).logsumexp(1, keepdim=True)
            found[:, own] = (shares + total) * temperature
        return found

    def _columns(self, device: Any) -> list[tuple[Any, Any]]:
        """Single words with their counterparts all at once, then class by class; each both ways."""
        import torch

        if device not in self._known:
            sides = [pair[::way] for pair in self.classes for way in (1, -1)]
            single = [pair for pair in sides if len(pair[0]) == len(pair[1]) == 1]
            own, other = ([token for pair in single for token in pair[i]] for i in (0, 1))
            rest = [pair for pair in sides if len(pair[0]) != 1 or len(pair[1]) != 1]
            self._known[device] = [
                tuple(torch.tensor(list(side), device=device).long() for side in pair)
                for pair in [(own, other), *rest]
            ]
        return self._known[device]

    @property
    def tokens(self) -> list[int]:
        """All of them."""
        return [token for pair in self.classes for side in pair for token in side]


@dataclass(frozen=True)
class Teaching:
    """How the two answers of the teacher become one target.

    Attributes
    ----------
    mix : Mix
    gendered : Gendered
        ``permute``: gendered words are set beside their counterparts before the two answers are
        mixed; ``keep``: they keep the plain teacher's logits; ``combine``: they are mixed like
        all others, so that after "She said that" *he* becomes as likely as *she*.
    temperature : float
    counterparts : Counterparts
    """

    mix: Mix = "none"
    gendered: Gendered = "permute"
    temperature: float = 2.0
    counterparts: Counterparts = Counterparts(())

    def target(self, plain: Any, reversed_: Any | None = None) -> Any:
        """Log probabilities of the target, shape (n, V), up to a constant in each row.

        Without an answer to a reversed text it is the plain teacher's, whatever the mix.
        """
        if self.mix == "none" or reversed_ is None:
            return plain / self.temperature
        if self.gendered == "permute":
            reversed_ = self.counterparts.exchange(plain, reversed_, self.temperature)
        found = mixed(plain, reversed_, self.mix, self.temperature)
        if self.gendered == "keep":
            kept = self.counterparts.tokens
            # What the mix makes of two equal answers.
            found[:, kept] = mixed(plain, plain, self.mix, self.temperature)[:, kept]
        return found
