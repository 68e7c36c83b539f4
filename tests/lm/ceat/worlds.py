"""Tests and embeddings for tests."""

import numpy as np

from fairaudit.lm.ceat import AssociationTest, Stimuli


def association_test(x=4, y=4, a=4, b=4):
    """Words x0, x1, ..., y0, ..., a0, ... and b0, ..."""
    sides = zip("xyab", (x, y, a, b), strict=True)
    lists = [Stimuli(name, tuple(f"{name}{i}" for i in range(n))) for name, n in sides]
    return AssociationTest("world", tuple(lists[:2]), tuple(lists[2:]))


class World:
    """Words with a meaning of their own and one that depends on the sentence, in `width` numbers.

    Words of X are near to those of A, words of Y to those of B.
    """

    def __init__(self, test, seed=0, width=6, noise=0.8, lean=0.3):
        rng = np.random.default_rng(seed)
        pole = rng.standard_normal(width)
        toward = dict(zip("xyab", (lean, -lean, 1, -1), strict=True))
        self.test, self.noise = test, noise
        self.meaning = {w: rng.standard_normal(width) + toward[w[0]] * pole for w in test.words}

    def sentences(self, rng, number):
        """Vectors of so many random sentences of each word; a number, or one for each word."""
        sizes = number if isinstance(number, dict) else dict.fromkeys(self.meaning, number)
        return {
            word: own + self.noise * rng.standard_normal((sizes[word], len(own)))
            for word, own in self.meaning.items()
        }
