"""What the student learns towards."""

import math
from typing import get_args

import numpy as np
import pytest
import torch

from fairaudit.lm.distill.targets import Counterparts, Mix, Teaching, mixed

MIXES = get_args(Mix)
SYMMETRIC = [mix for mix in MIXES if mix not in ("none", "swap")]
#: Five words: he, she, him, his, her; and a sixth that says nothing.
PRONOUNS = Counterparts([([0], [1]), ([2, 3], [4])])
#: he and she, king and queen; and two that say nothing.
SINGLE = Counterparts([([0], [1]), ([2], [3])])


def logits(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double() * 2


@pytest.mark.parametrize(
    ("mix", "shares"),
    [
        ("max", [0.7054, 0.2595, 0.0351]),
        ("mean", [0.5741, 0.3482, 0.0777]),
        ("expmean", [0.6532, 0.2895, 0.0573]),
        ("swap", [0.2447, 0.6652, 0.0900]),
        ("none", [0.8438, 0.1142, 0.0420]),
    ],
)
def test_mixes_by_the_test_vector(mix, shares):
    z, other = torch.tensor([[2.0, 0, -1]]), torch.tensor([[0.0, 1, -1]])
    np.testing.assert_allclose(mixed(z, other, mix).softmax(1)[0], shares, atol=5e-5)


def test_the_mean_of_distributions():
    z, other = logits(4, 6), logits(4, 6, seed=1)
    wanted = ((z / 2).softmax(1) + (other / 2).softmax(1)) / 2
    np.testing.assert_allclose(mixed(z, other, "prob-mean", 2.0).exp(), wanted)


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("gendered", ["permute", "keep", "combine"])
def test_without_a_reversed_text_it_is_the_plain_teacher(mix, gendered):
    z = logits(4, 6)
    plain = Teaching("none").target(z).softmax(1)
    found = Teaching(mix, gendered, counterparts=PRONOUNS).target(z).softmax(1)
    np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize("mix", SYMMETRIC)
def test_a_text_and_its_reversal_have_one_target(mix):
    """But for the words that change places."""
    z, other = logits(4, 6), logits(4, 6, seed=1)
    teaching = Teaching(mix, "permute", counterparts=SINGLE)
    one, two = teaching.target(z, other).softmax(1), teaching.target(other, z).softmax(1)
    np.testing.assert_allclose(one, two[:, [1, 0, 3, 2, 4, 5]])


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("mix", SYMMETRIC)
def test_classes_have_one_target_as_sums(mix, temperature):
    """Within a class each text keeps the shares of its own grammar."""
    z, other = logits(4, 6), logits(4, 6, seed=1)
    teaching = Teaching(mix, "permute", temperature, counterparts=PRONOUNS)
    one, two = teaching.target(z, other).softmax(1), teaching.target(other, z).softmax(1)
    np.testing.assert_allclose(one[:, [2, 3]].sum(1), two[:, 4])
    np.testing.assert_allclose(one[:, 4], two[:, [2, 3]].sum(1))
    np.testing.assert_allclose(one[:, [0, 1, 5]], two[:, [1, 0, 5]])
    own = (z[:, [2, 3]] / temperature).softmax(1)
    np.testing.assert_allclose(one[:, [2, 3]] / one[:, [2, 3]].sum(1, keepdim=True), own)


def test_a_side_with_more_forms_gets_no_more():
    """him and his at .45 each after the text, her at .90 after its reversal: as much both ways."""
    rest = math.log(0.05)
    z = torch.tensor([[rest, rest, math.log(0.45), math.log(0.45), -30.0]])
    other = torch.tensor([[rest, rest, -30.0, -30.0, math.log(0.90)]])
    teaching = Teaching("mean", counterparts=Counterparts([([2, 3], [4])]))
    one, two = teaching.target(z, other).softmax(1)[0], teaching.target(other, z).softmax(1)[0]
    np.testing.assert_allclose(one[[2, 3]].sum(), two[4], rtol=1e-5)


def test_single_words_exchanged_twice_are_back():
    z, other = logits(4, 6), logits(4, 6, seed=1)
    once = SINGLE.exchange(z, other)
    np.testing.assert_array_equal(SINGLE.exchange(z, once), other)
    np.testing.assert_array_equal(once[0], other[0, [1, 0, 3, 2, 4, 5]])


def test_an_exchange_moves_the_sums_of_classes():
    z, other = logits(4, 6), logits(4, 6, seed=1)
    p, found = other.softmax(1), PRONOUNS.exchange(z, other).softmax(1)
    np.testing.assert_allclose(found[:, [2, 3]].sum(1), p[:, 4])
    np.testing.assert_allclose(found[:, 4], p[:, [2, 3]].sum(1))
    np.testing.assert_allclose(found[:, 5], p[:, 5])


@pytest.mark.parametrize("mix", [mix for mix in MIXES if mix != "none"])
def test_kept_words_have_the_plain_scores(mix):
    """Two equal answers stay what they are, for the kept words and for all others."""
    z = logits(4, 6)
    teaching = Teaching(mix, "keep", counterparts=SINGLE)
    np.testing.assert_allclose(teaching.target(z, z).softmax(1), (z / 2).softmax(1))
    other = z.clone()
    other[:, 0] += 5  # a kept word: what the reversed text says of it does not count
    if mix != "prob-mean":  # there it counts in the sum that the others are divided by
        np.testing.assert_allclose(teaching.target(z, other), teaching.target(z, z))


def test_combining_lets_the_other_pronoun_in():
    """After "she", he becomes as likely as she; exchanged before, it does not."""
    z = torch.tensor([[math.log(0.01), math.log(0.9), math.log(0.09)]])  # he, she, and
    other = torch.tensor([[math.log(0.9), math.log(0.01), math.log(0.09)]])
    pair = Counterparts([([0], [1])])
    shares = {
        how: Teaching("mean", how, 1.0, pair).target(z, other).softmax(1)[0]
        for how in ("permute", "combine")
    }
    np.testing.assert_allclose(shares["permute"], [0.01, 0.9, 0.09], atol=1e-6)
    np.testing.assert_allclose(shares["combine"][0], shares["combine"][1])
