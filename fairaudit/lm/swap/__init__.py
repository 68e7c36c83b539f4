"""Counterfactual role reversal: the same text about the other gender (or any paired groups).

`Lexicon` holds the word pairs, `Swapper` reverses texts with it; *her* and *his* are told apart by
their slot of grammar (`fairaudit.lm.swap.slots`).
"""

from __future__ import annotations

from fairaudit.lm.swap.lexicon import Lexicon, match_names
from fairaudit.lm.swap.swapper import Coverage, Swapper, Tally

__all__ = ["Coverage", "Lexicon", "Swapper", "Tally", "match_names"]
