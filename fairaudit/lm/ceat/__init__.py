"""Association tests on embeddings: which groups' words stand near to which attributes' words.

`AssociationTest` holds the words, `find` their sentences in a text, `sample` draws effect sizes
from the vectors that a model gives these sentences (CEAT). `fairaudit.lm.ceat.weat` does the same
with one vector per word (WEAT), or all of a word's (SEAT), `fairaudit.lm.ceat.vectors` reads
vectors of words. The audit is `fairaudit.lm.ceat.audit`; its parts are `gathering` (sentences and
their vectors), `store` (vectors on disk), `static` (WEAT and SEAT with an interval) and `pulls`
(effect sizes as sums of records). `intersections` finds words that only an intersection of groups
is tied to.
"""

from __future__ import annotations

from fairaudit.lm.ceat.contexts import Context, Contexts, find
from fairaudit.lm.ceat.effects import Combined, Draws, combine, sample
from fairaudit.lm.ceat.stimuli import AssociationTest, Stimuli

__all__ = [
    "AssociationTest", "Combined", "Context", "Contexts", "Draws", "Stimuli", "combine", "find",
    "sample",
]  # fmt: skip
