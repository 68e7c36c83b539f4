"""The loss in chunks against the plain way, over whole logits."""

import numpy as np
import pytest
import torch

from fairaudit.lm.distill.losses import NOTHING, distillation_loss

N, WIDTH, WORDS, T = 23, 8, 57, 2.0


@pytest.fixture
def world():
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(*shape, generator=generator)

    labels = torch.randint(WORDS, (N,), generator=generator)
    labels[[3, 22]] = NOTHING
    return {
        "hidden": random(N, WIDTH).requires_grad_(),
        "weight": random(WORDS, WIDTH).requires_grad_(),
        "teacher": random(N, WORDS) * 3,
        "labels": labels,
    }


def plain(world, alpha_ce, alpha_clm):
    """KLDivLoss of PyTorch over whole logits, as in DistilGPT2's script."""
    logits = world["hidden"] @ world["weight"].T
    kl = torch.nn.KLDivLoss(reduction="batchmean")(
        (logits / T).log_softmax(-1), (world["teacher"] / T).softmax(-1)
    )
    entropy = torch.nn.functional.cross_entropy(logits, world["labels"], ignore_index=NOTHING)
    return alpha_ce * T**2 * kl + alpha_clm * entropy, T**2 * kl, entropy


@pytest.mark.parametrize("chunk", [1, 5, 23, 100])
@pytest.mark.parametrize("alphas", [(0.5, 0.5), (5.0, 2.0), (1.0, 0.0), (0.0, 1.0)])
def test_loss_and_gradients_are_those_of_whole_logits(world, chunk, alphas):
    wanted = plain(world, *alphas)
    (wanted[0] * 3).backward()
    slopes = [world[name].grad.clone() for name in ("hidden", "weight")]
    for name in ("hidden", "weight"):
        world[name].grad = None
    loss = distillation_loss(
        world["hidden"], world["weight"], lambda i, j: world["teacher"][i:j] / T,
        world["labels"], temperature=T, alpha_ce=alphas[0], alpha_clm=alphas[1], chunk=chunk,
    )  # fmt: skip
    (loss.total * 3).backward()
    np.testing.assert_allclose(loss.total.item(), wanted[0].item(), rtol=1e-5)
    np.testing.assert_allclose(loss.divergence, wanted[1].item(), rtol=1e-5)
    if alphas[1]:
        np.testing.assert_allclose(loss.entropy, wanted[2].item(), rtol=1e-5)
    for name, slope in zip(("hidden", "weight"), slopes, strict=True):
        np.testing.assert_allclose(world[name].grad, slope, atol=2e-6)


def test_no_next_word_at_all_leaves_the_divergence(world):
    nothing = torch.full((N,), NOTHING)
    loss = distillation_loss(
        world["hidden"], world["weight"], lambda i, j: world["teacher"][i:j] / T, nothing
    )
    assert loss.entropy == 0
    np.testing.assert_allclose(loss.total.item(), loss.divergence / 2, rtol=1e-6)
