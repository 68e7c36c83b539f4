"""The loss of distillation: fairaudit's chunks beside whole logits, as in DistilGPT2's script.

Both get the last hidden states of teacher and student and their output embeddings, and give the
loss with its gradients: by the student's hidden states and embeddings. The plain script makes the
logits of all tokens, then `KLDivLoss` at temperature 2 and the cross entropy of the next word. Each
runs in a process of its own, in turn, and the losses and gradients are compared first. Memory is
what the peak grows by.

``--step`` compares whole steps instead: GPT-2 small's shape with random weights as teacher, 6 of
its layers as student, forward passes, loss, backward pass, clipping and AdamW.

    python benchmarks/distill.py
    python benchmarks/distill.py --rounds 5 --tokens 2048 --width 768 --words 50257
    python benchmarks/distill.py --step --rounds 3
"""

# Nothing large is imported here: on Linux a child's peak begins with its parent's memory.
from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from measure import environment, ratios, say, spread, table

PLAIN = "plain"
#: Tokens at once, and whether the teacher is asked twice.
WAYS = {
    PLAIN: (0, False),
    "chunks of 64": (64, False),
    "chunks of 256": (256, False),
    "chunks of 256, teacher asked twice": (256, True),
}
#: Between losses and between norms of gradients.
TOLERANCE = 1e-4
#: Tokens that a GPT-2 reads at once, and in a step.
CONTEXT, T = 1024, 2.0


def main() -> None:
    """Run each way in turn, round by round, and print what they took."""
    options = arguments()
    if options.way is not None:
        print(json.dumps(measured(options)))
        return
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for number in range(options.rounds):
        for way in WAYS:
            say(f"round {number + 1} of {options.rounds}: {way}")
            command = [sys.executable, __file__, *sys.argv[1:], "--way", way]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found[way].append(json.loads(answer.stdout))
    compare(found)
    print(report(found))
    print(f"\n{environment('torch', 'transformers')}; {options}")


def arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--words", type=int, default=50_257)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--step", action="store_true")
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    return parser.parse_args()


def compare(found: dict[str, list[dict[str, float]]]) -> None:
    """Stop where a way that is asked the same does not answer the same."""
    for way, (_, twice) in WAYS.items():
        for name in ("loss", "norm"):
            wanted, own = found[PLAIN][0][name], found[way][0][name]
            if not twice and abs(own - wanted) > TOLERANCE * abs(wanted):
                raise SystemExit(f"{way}: {name} {own:.8g}, and {wanted:.8g} by the plain script")


def report(found: dict[str, list[dict[str, float]]]) -> str:
    """Seconds and memory, and as shares of the plain script's of the same round."""
    rows = []
    for way, costs in found.items():
        columns = []
        for name, digits in (("cpu", 1), ("wall", 1), ("memory", 0)):
            own, plain = ([cost[name] for cost in each] for each in (costs, found[PLAIN]))
            columns += [spread(own, digits), spread(ratios(own, plain))]
        rows.append([way, *columns])
    of = "of plain"
    return table(["", "CPU s", of, "wall s", of, "memory MB", of], rows)


def peak() -> float:
    """Peak memory of this process in MB (10^6 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def measured(options: argparse.Namespace) -> dict[str, float]:
    """What one way takes in this process."""
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    chunk, twice = WAYS[options.way]
    work = (whole_step if options.step else loss_alone)(options, chunk, twice)
    before, begin, used = peak(), time.perf_counter(), time.process_time()
    loss, norm = work()
    return {
        "cpu": time.process_time() - used,
        "wall": time.perf_counter() - begin,
        "memory": peak() - before,
        "loss": loss,
        "norm": norm,
    }


def loss_alone(
    options: argparse.Namespace, chunk: int, twice: bool
) -> Callable[[], tuple[float, float]]:
    """The loss by hidden states and embeddings at random, of a trained model's size."""
    import torch

    # Without arrays in between: what is freed before would hide what is needed later.
    shape = (options.tokens, options.width)
    states = [torch.randn(*shape) for _ in range(3)]
    heads = [torch.randn(options.words, options.width).mul_(0.08) for _ in range(2)]
    labels = torch.randint(options.words, (options.tokens,))
    labels[-1] = -100
    hidden, weight = states[0].requires_grad_(), heads[0].requires_grad_()
    small = [each[:8].detach().clone().requires_grad_() for each in (hidden, weight)]
    given = (states[1], states[2] if twice else None, heads[1])
    # Once with a little, so that threads and libraries are there.
    loss_of(
        small[0], small[1], (given[0][:8], None, heads[1][:8]), labels[:8] % 8, chunk
    ).backward()

    def work() -> tuple[float, float]:
        total = loss_of(hidden, weight, given, labels, chunk)
        total.backward()
        norm = torch.stack([each.grad.norm() for each in (hidden, weight)]).norm()
        return total.item(), norm.item()

    return work


def loss_of(
    hidden: Any, weight: Any, teacher: tuple[Any, Any, Any], labels: Any, chunk: int
) -> Any:
    """The loss in chunks, or of whole logits where these are of 0 tokens."""
    import numpy as np
    import torch

    from fairaudit.lm.distill.losses import distillation_loss
    from fairaudit.lm.distill.targets import Teaching
    from fairaudit.lm.distill.teacher import Lesson

    states, reversed_, head = teacher
    if not chunk:
        with torch.no_grad():
            target = states @ head.T
        return plain_loss(hidden @ weight.T, target, labels)
    where = np.full(len(states), reversed_ is not None)
    lesson = Lesson(states, reversed_, where, head, Teaching("expmean"))
    return distillation_loss(hidden, weight, lesson.target, labels, chunk=chunk).total


def plain_loss(student: Any, teacher: Any, labels: Any) -> Any:
    """The loss of DistilGPT2's script, of whole logits of shape (tokens, words)."""
    import torch

    kl = torch.nn.KLDivLoss(reduction="batchmean")(
        torch.nn.functional.log_softmax(student / T, dim=-1),
        torch.nn.functional.softmax(teacher / T, dim=-1),
    )
    return 0.5 * T**2 * kl + 0.5 * torch.nn.functional.cross_entropy(student, labels)


def whole_step(
    options: argparse.Namespace, chunk: int, twice: bool
) -> Callable[[], tuple[float, float]]:
    """A step of the optimizer, of blocks of `CONTEXT` tokens."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from fairaudit.lm.distill.student import shrunk

    still = {"attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0}
    shape = {"n_embd": options.width, "n_head": options.width // 64, "vocab_size": options.words}
    teacher = GPT2LMHeadModel(GPT2Config(**shape, **still)).eval().requires_grad_(False)
    student = shrunk(teacher, 6).requires_grad_(True).train()
    optimizer = torch.optim.AdamW(student.parameters(), lr=5e-4)
    texts = torch.randint(options.words, (options.tokens // CONTEXT, CONTEXT))
    labels = torch.cat([texts[:, 1:], torch.full((len(texts), 1), -100)], dim=1).reshape(-1)

    def work() -> tuple[float, float]:
        total = forward(student, teacher, texts, labels, chunk, twice)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        optimizer.step()
        return total.item(), norm.item()

    return work


def forward(student: Any, teacher: Any, texts: Any, labels: Any, chunk: int, twice: bool) -> Any:
    """The loss of some texts, from tokens on."""
    import torch

    from fairaudit.lm.distill.teacher import hidden_states

    if not chunk:
        with torch.no_grad():
            target = teacher(input_ids=texts, use_cache=False).logits
        own = student(input_ids=texts, use_cache=False).logits
        return plain_loss(own.flatten(0, 1), target.flatten(0, 1), labels)
    with torch.no_grad():
        plain = hidden_states(teacher, texts).flatten(0, 1)
        other = hidden_states(teacher, texts.flip(0)).flatten(0, 1) if twice else None
    hidden = hidden_states(student, texts).flatten(0, 1)
    given = (plain, other, teacher.lm_head.weight)
    return loss_of(hidden, student.lm_head.weight, given, labels, chunk)


if __name__ == "__main__":
    main()
