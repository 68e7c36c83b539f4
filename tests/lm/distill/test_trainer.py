"""Distillation from end to end, with tiny models."""

import json
import math
import resource
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file

from fairaudit.exceptions import FairauditError
from fairaudit.lm import checkpoints
from fairaudit.lm.distill import losses as losses_module
from fairaudit.lm.distill import teacher as teacher_module
from fairaudit.lm.distill.alignment import UNALIGNED
from fairaudit.lm.distill.distillation import distill
from fairaudit.lm.distill.order import Order
from fairaudit.lm.distill.processes import Processes
from fairaudit.lm.distill.store import Store
from fairaudit.lm.distill.student import shrunk
from fairaudit.lm.distill.targets import Mix, Teaching
from fairaudit.lm.distill.teacher import Teacher, check_head
from fairaudit.lm.distill.vocabulary import counterparts
from fairaudit.lm.language_models import LanguageModel
from fairaudit.lm.swap import Lexicon, Swapper
from tests.lm import tiny
from tests.lm.distill.worlds import NEUTRAL, free_port, losses, rows, settings, started

MIXES = [mix for mix in get_args(Mix) if mix != "none"]
SYMMETRIC = [mix for mix in MIXES if mix != "swap"]


@pytest.fixture(scope="module")
def gpt2(language_models):
    return language_models["gpt2"]


@pytest.fixture(scope="module")
def llama(language_models):
    """Has no dropout, and a head of its own."""
    return language_models["llama"]


@pytest.fixture(scope="module")
def store(tmp_path_factory, llama):
    """Texts with and without a word that gives way, in separate documents of a block or more."""
    place = tmp_path_factory.mktemp("store")
    texts = [" ".join(NEUTRAL), " ".join(tiny.SENTENCES[:40]), " ".join(NEUTRAL)]
    distill(settings(place, llama, texts, augment=True, epochs=0.1))
    return Store(place / "out" / "tokens")


# What is learnt


def whole(store, text):
    """Tokens of a text and of its reversal, and the pairs of places that correspond."""
    blocks = store[[text]]
    tokens = blocks.tokens[0, : blocks.lengths[0]]
    if not len(blocks.changed):
        return tokens, None, {}
    pairs = {i: j for i, j in enumerate(blocks.aligned[0].tolist()) if j != UNALIGNED}
    return tokens, blocks.twins[0], pairs


def obvious_loss(teacher, student, store, texts, mix, alphas):
    """The loss of some texts over whole logits, token by token."""
    teaching = Teaching(mix, counterparts=counterparts(Lexicon.default(), tiny.tokenizer("llama")))
    divergence, entropy, cosine = [], [], []
    for text in texts:
        tokens, twin, pairs = whole(store, text)
        own = student(torch.tensor(tokens)[None], output_hidden_states=True)
        plain = teacher(torch.tensor(tokens)[None], output_hidden_states=True)
        other = None if twin is None else teacher(torch.tensor(twin)[None]).logits[0]
        for i in range(len(tokens)):
            reversed_ = other[[pairs[i]]] if i in pairs else None
            target = teaching.target(plain.logits[0, [i]], reversed_)[0].softmax(0)
            found = (own.logits[0, i] / 2).log_softmax(0)
            divergence.append(4 * (target * (target.log() - found)).sum().item())
            states = (each.hidden_states[-1][0, i] for each in (own, plain))
            cosine.append(1 - torch.nn.functional.cosine_similarity(*states, dim=0).item())
            if i + 1 < len(tokens):
                entropy.append(-own.logits[0, i].log_softmax(0)[tokens[i + 1]].item())
    return np.dot(alphas, [np.mean(divergence), np.mean(entropy), np.mean(cosine)])


@pytest.mark.parametrize("mix", ["none", "mean", "prob-mean", "swap"])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_the_loss_is_the_obvious_one(tmp_path, language_models, kind, mix):
    """Of the first step, when the student is still the teacher with fewer layers."""
    folder = tmp_path / kind
    teacher = tiny.save(folder, kind) and LanguageModel(folder, kind).network
    for name in ("attn_pdrop", "embd_pdrop", "resid_pdrop"):
        setattr(teacher.config, name, 0.0)  # or else the student would leave something out
    teacher.config.save_pretrained(folder)
    alphas = {"alpha_ce": 0.7, "alpha_clm": 0.2, "alpha_cos": 1.5}
    chosen = settings(tmp_path, folder, teacher_mix=mix, augment=True, epochs=0.1, **alphas)
    outcome = distill(chosen)
    store = Store(chosen.output / "tokens")
    texts = Order(len(store) + store.changed, 8, 0).step(0)
    assert (texts >= len(store)).any()
    with torch.no_grad():
        student = shrunk(teacher, 1).eval()
        wanted = obvious_loss(teacher, student, store, texts, mix, list(alphas.values()))
    np.testing.assert_allclose(losses(outcome)[0], wanted, rtol=1e-4)


@pytest.mark.parametrize("mix", MIXES)
def test_a_text_without_a_gendered_word_gives_exactly_the_plain_loss(tmp_path, gpt2, mix):
    chosen = settings(tmp_path, gpt2, NEUTRAL, epochs=1)
    plain = distill(chosen)
    said = []
    other = replace(chosen, output=tmp_path / "mixed", teacher_mix=mix, augment=True)
    assert rows(distill(other, warn=said.append)) == rows(plain)
    assert "no word of the list" in said[0]


@pytest.fixture(scope="module")
def network(llama):
    return LanguageModel(llama, "llama").network


def lesson(store, network, texts, mix, gendered="permute"):
    """Targets of texts as probabilities, one text after the other."""
    pairs = counterparts(Lexicon.default(), tiny.tokenizer("llama"))
    made = Teacher(network, Teaching(mix, gendered, counterparts=pairs), torch.float32)
    found = made.lesson(store[texts])
    size = int(store.lengths(np.asarray(texts)).sum())
    parts = ((i, min(i + 7, size)) for i in range(0, size, 7))
    return torch.cat([found.target(*part).softmax(1) for part in parts])


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("gendered", ["permute", "keep", "combine"])
def test_what_has_no_counterpart_has_exactly_the_plain_target(store, network, mix, gendered):
    """Also beside texts that have one, in the same portions."""
    texts = np.arange(len(store))
    plain = lesson(store, network, texts, "none")
    found = lesson(store, network, texts, mix, gendered)
    blocks = store[texts]
    aligned = np.full(blocks.tokens.shape, UNALIGNED)
    aligned[blocks.changed] = blocks.aligned
    alone = aligned.ravel() == UNALIGNED
    assert 20 < alone.sum() < alone.size - 20
    assert torch.equal(found[alone], plain[alone])
    assert not torch.equal(found[~alone], plain[~alone])


@pytest.mark.parametrize("mix", SYMMETRIC)
def test_a_text_and_its_reversal_have_the_same_target(store, network, mix):
    """But for the words that change places."""
    texts = np.flatnonzero(store._twin >= 0)
    backs = len(store) + np.arange(store.changed)
    one, two = (lesson(store, network, each, mix) for each in (texts, backs))
    classes = counterparts(Lexicon.default(), tiny.tokenizer("llama")).classes
    sides = [side for pair in classes for side in pair]
    alike = [token for token in range(tiny.VOCABULARY) if not any(token in s for s in sides)]
    starts = np.r_[0, store.lengths(texts).cumsum()], np.r_[0, store.lengths(backs).cumsum()]
    pairs = [
        (starts[0][n] + i, starts[1][n] + j)
        for n, text in enumerate(texts)
        for i, j in whole(store, text)[2].items()
    ]
    assert len(pairs) > 100
    rows, back = map(list, zip(*pairs, strict=True))
    np.testing.assert_allclose(one[rows][:, alike], two[back][:, alike], rtol=1e-3, atol=1e-6)
    for pair in classes:
        for own, other in (pair, pair[::-1]):
            first, second = one[rows][:, own].sum(1), two[back][:, other].sum(1)
            np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-6)


def test_a_reversal_of_a_reversal_is_the_text(store):
    for number in range(store.changed):
        text = int(np.flatnonzero(store._twin == number)[0])
        tokens, twin, pairs = whole(store, text)
        back, again, inverse = whole(store, len(store) + number)
        assert {j: i for i, j in pairs.items()} == inverse
        assert again.tolist() == tokens.tolist()
        assert back.tolist() == twin[: len(back)].tolist()


def test_the_student_learns_what_the_teacher_says(tmp_path, llama):
    outcome = distill(settings(tmp_path, llama, layers=2, epochs=8, alpha_clm=0.0))
    assert losses(outcome)[0] < 1e-5  # all layers: it says the same from the start
    outcome = distill(settings(tmp_path, llama, output="less", epochs=8, alpha_clm=0.0))
    assert losses(outcome)[-1] < losses(outcome)[0] / 2


# How it is trained


def test_neither_micro_batches_nor_chunks_change_the_losses(tmp_path, llama):
    given = {"teacher_mix": "mean", "augment": True, "alpha_cos": 1.0}
    first = distill(settings(tmp_path, llama, **given))
    for number, portion in enumerate(
        ({"micro_batch_size": 8}, {"micro_batch_size": 1, "chunk": 7})
    ):
        other = distill(settings(tmp_path, llama, output=f"{number}", **given, **portion))
        np.testing.assert_allclose(losses(other), losses(first), rtol=1e-4)


def test_logits_are_never_there_of_more_tokens_than_a_chunk(tmp_path, llama, monkeypatch):
    made, original = [], losses_module.product

    def product(hidden, head, room):
        made.append((len(hidden), head.shape[1]))
        return original(hidden, head, room)

    for module in (losses_module, teacher_module):
        monkeypatch.setattr(module, "product", product)
    outcome = distill(settings(tmp_path, llama, epochs=0.1, chunk=5, teacher_mix="mean"))
    words = LanguageModel(outcome.student, "x").network.config.vocab_size
    assert {width for _, width in made} == {words}
    assert max(tokens for tokens, _ in made) == 5
    assert sum(tokens for tokens, _ in made) > outcome.tokens


def test_what_has_no_weight_is_not_there(tmp_path, llama):
    (row, *_) = distill(settings(tmp_path, llama, alpha_clm=0.0, epochs=0.1)).rows
    assert (row["entropy"], row["cosine"]) == (None, None)
    assert row["loss"] == pytest.approx(0.5 * row["divergence"])


def test_the_same_seed_gives_the_same_student(tmp_path, gpt2):
    """Dropout and all; another seed another, and the caller's random numbers are left alone."""
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    one, two, other = (
        distill(settings(tmp_path, gpt2, output=f"{i}", seed=seed))
        for i, seed in enumerate((0, 0, 1))
    )
    assert torch.equal(torch.rand(3), wanted)
    assert rows(one) == rows(two)
    assert losses(one) != losses(other)
    weights = [(each.student / "model.safetensors").read_bytes() for each in (one, two)]
    assert weights[0] == weights[1]


def test_two_processes_have_the_losses_of_one(tmp_path, llama):
    # Four blocks and three, one at a time.
    given = {"teacher_mix": "mean", "augment": True, "batch_size": 7, "micro_batch_size": 1}
    alone = distill(settings(tmp_path, llama, **given))
    shared = settings(tmp_path, llama, output="shared", **given)
    joined = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    both = [started(shared, {**joined, "RANK": f"{r}", "LOCAL_RANK": f"{r}"}) for r in (0, 1)]
    for process in both:
        process.join(120)
        assert process.exitcode == 0
    found = [json.loads(line) for line in (shared.output / "log.jsonl").read_text().splitlines()]
    for name in ("loss", "divergence", "entropy", "gradient_norm", "tokens"):
        wanted = [row[name] for row in alone.rows]
        np.testing.assert_allclose([row[name] for row in found], wanted, rtol=1e-3)
    assert json.loads((shared.output / "distillation.json").read_text())["processes"] == 2


def test_bfloat16_is_close_to_float32(tmp_path, llama):
    one, other = (
        distill(settings(tmp_path, llama, output=precision, precision=precision, epochs=1))
        for precision in ("float32", "bfloat16")
    )
    np.testing.assert_allclose(losses(other), losses(one), rtol=0.03)
    assert losses(other) != losses(one)


def test_each_epoch_reads_each_text_once():
    order = Order(10, 4, seed=3)
    read = np.concatenate([order.step(k) for k in range(5)])
    first, second = read[:10], read[10:]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first.tolist() != second.tolist()
    assert Order(3, 8, 0).step(1).tolist() == np.r_[
        Order(3, 8, 0).step(0), Order(3, 8, 0).step(1)
    ][8:].tolist()  # fmt: skip


def test_the_rate_rises_and_falls(tmp_path, llama):
    outcome = distill(settings(tmp_path, llama, warm_up=0.25, epochs=1.7))
    rates = [row["learning_rate"] for row in outcome.rows]
    assert outcome.steps == 8
    np.testing.assert_allclose(rates, [0.005, 0.01, *0.01 * np.arange(6, 0, -1) / 6])


def test_with_reversed_texts_as_much_is_read(tmp_path, llama):
    plain, more = (
        distill(settings(tmp_path, llama, output=str(augment), augment=augment, epochs=0.5))
        for augment in (False, True)
    )
    assert plain.steps == more.steps == math.ceil(plain.about["corpus"]["blocks"] / 2 / 8)
    assert more.tokens == pytest.approx(plain.tokens, rel=0.1)  # reversals are not all as long


def test_the_first_step_is_as_long_as_its_rate(tmp_path, llama):
    """AdamW's first step moves each weight that has a gradient by the rate, up or down."""

    def stop(progress):
        raise KeyboardInterrupt

    chosen = settings(tmp_path, llama, warm_up=0.25, epochs=1.7, save_every=1)
    with pytest.raises(KeyboardInterrupt):
        distill(chosen, progress=stop)
    path = chosen.output / "checkpoints" / "step-00000001" / "student.safetensors"
    before = shrunk(LanguageModel(llama, "llama").network, 1).state_dict()
    moved = [(w - before[name]).abs().max().item() for name, w in load_file(path).items()]
    np.testing.assert_allclose(max(moved), 0.005, rtol=1e-2)


# What comes of it


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_the_student_is_a_model_of_its_own(tmp_path, language_models, kind):
    told = []
    outcome = distill(settings(tmp_path, language_models[kind]), progress=told.append)
    folder = checkpoints.find(outcome.student)
    student = LanguageModel(folder, "student")
    assert student.network.config.num_hidden_layers == 1
    assert student.context == tiny.CONTEXT
    assert len(student.log_likelihood(["He works at night."])[0]) > 3
    assert student.generate(["He works"], [0], tokens=3)
    about = json.loads((outcome.student / "distillation.json").read_text())
    assert about["settings"]["layers"] == 1
    assert about["corpus"]["documents"] == len(tiny.SENTENCES)
    assert about["steps"] == outcome.steps == told[-1].step == told[-1].total == len(outcome.rows)
    assert outcome.tokens == outcome.rows[-1]["tokens"] == 24 * 8 * outcome.steps
    assert told[-1].seconds_left == 0
    assert told[-1].memory > 1e6
    assert "Infinity" not in (outcome.student / "log.jsonl").read_text()


def test_a_given_student(tmp_path, gpt2, llama):
    """Of another shape, with the same vocabulary."""
    torch.manual_seed(3)
    own = tmp_path / "own"
    tiny.model("llama", width=16, layers=1).save_pretrained(own)
    tiny.tokenizer("gpt2").save_pretrained(own)
    chosen = settings(tmp_path, gpt2, layers=None, student=str(own), epochs=4)
    outcome = distill(chosen)
    assert losses(outcome)[-1] < losses(outcome)[0]
    assert LanguageModel(outcome.student, "x").network.config.model_type == "llama"
    with pytest.raises(FairauditError, match="--alpha-cos: the student is 16 wide, the teacher 32"):
        distill(replace(chosen, alpha_cos=1.0, output=tmp_path / "other"))


def test_tokens_serve_several_distillations(tmp_path, llama):
    shared = str(tmp_path / "tokens")
    distill(settings(tmp_path, llama, tokens=shared, epochs=0.1))
    read = []
    distill(settings(tmp_path, llama, tokens=shared, epochs=0.1, output="2"), preparing=read.append)
    assert read == []
    distill(settings(tmp_path, llama, epochs=0.1, output="3"), preparing=read.append)
    assert read == [len(tiny.SENTENCES)]


# What is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 3}, "--layers 3: the teacher has 2"),
        ({"block": 41}, "--block 41: the models read 40 tokens at once"),
        ({"temperature": 0}, "--temperature 0: expected a number above 0"),
        ({"teacher_mix": "min"}, "--teacher-mix min: expected one of none, max"),
        ({"clip": float("nan")}, "--clip nan"),
        ({"warm_up": 1}, "--warm-up 1: expected a share"),
        ({"alpha_ce": 0, "alpha_clm": 0}, "all 0"),
        ({"student": "x"}, "--student and --layers"),
        ({"corpus": ("-",)}, "--corpus: expected text files"),
        ({"corpus": ("missing.txt",)}, "missing.txt: no such file"),
        ({"layers": None, "student": "missing"}, "--student missing: "),
    ],
)
def test_what_does_not_do_is_refused(tmp_path, gpt2, options, message, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    chosen = replace(settings(tmp_path, gpt2), **options)
    with pytest.raises(FairauditError, match=message):
        distill(chosen)
    assert not chosen.output.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "0 tokens of 0 documents; expected 24 or more, a block"),
        (b"Too little.\n", "tokens of 1 documents; expected 24 or more, a block"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_a_corpus_that_does_not_do(tmp_path, gpt2, text, message):
    chosen = settings(tmp_path, gpt2)
    (tmp_path / "corpus.txt").write_bytes(text)
    with pytest.raises(FairauditError, match=message):
        distill(chosen)


def test_a_list_that_no_token_is_of_is_said(tmp_path, llama):
    said = []
    words = Swapper(Lexicon("x", pairs=(("works at", "sleeps at"),)))
    distill(settings(tmp_path, llama, teacher_mix="mean", epochs=0.1), words, warn=said.append)
    assert any("so that all words are mixed alike" in each for each in said)


def test_a_masked_teacher_is_refused(tmp_path, language_models):
    with pytest.raises(FairauditError, match="a masked language model"):
        distill(settings(tmp_path, language_models["bert"]))


def test_a_teacher_without_an_end_is_refused(tmp_path):
    folder = tiny.save(tmp_path / "endless", "gpt2")
    tokenizer = tiny.tokenizer("gpt2")
    tokenizer.eos_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(FairauditError, match="no token that ends a text"):
        distill(settings(tmp_path, folder))


def odd(kind):
    size = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    size |= {"intermediate_size": 16, "initializer_range": 0.5}
    if kind == "cap":
        config = transformers.Gemma2Config(
            **size, num_key_value_heads=2, head_dim=8, final_logit_softcapping=2.0
        )
        return transformers.Gemma2ForCausalLM(config)
    if kind == "scale":
        return transformers.GraniteForCausalLM(
            transformers.GraniteConfig(**size, logits_scaling=3.0)
        )
    return transformers.PhiForCausalLM(transformers.PhiConfig(**size))


@pytest.mark.parametrize("kind", ["cap", "scale", "bias"])
def test_a_head_that_does_more_is_refused(kind):
    with pytest.raises(FairauditError, match="a bias, a scale or a cap"):
        check_head(odd(kind).eval(), "--teacher x")


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_head_that_does_not_is_taken(kind):
    check_head(tiny.model(kind).eval(), "--teacher x")


# When something happens


def test_a_loss_that_is_no_number(tmp_path, llama):
    chosen = settings(tmp_path, llama, learning_rate=1e25, warm_up=0.0, clip=1e30, save_every=1)
    with pytest.raises(
        FairauditError, match=r"the loss is \S+, its gradient \S+; .*The last good "
    ):
        distill(chosen)
    lines = (chosen.output / "log.jsonl").read_text().splitlines()
    saved = sorted((chosen.output / "checkpoints").iterdir())
    assert int(saved[-1].name[5:]) == json.loads(lines[-1])["step"] == len(lines) >= 1


def test_too_little_memory(tmp_path, llama, monkeypatch):
    read, calls = Teacher.lesson, []

    def full(self, blocks):
        calls.append(blocks)
        if len(calls) == 15:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return read(self, blocks)

    monkeypatch.setattr(Teacher, "lesson", full)
    chosen = settings(tmp_path, llama)
    with pytest.raises(FairauditError, match=r"3: not enough memory at step 5 .*step-00000003"):
        distill(chosen)
    assert len((chosen.output / "log.jsonl").read_text().splitlines()) == 4
    distill(replace(chosen, micro_batch_size=1), resume=True)


def test_too_little_memory_for_the_models(tmp_path, llama, monkeypatch):
    monkeypatch.setattr(Teacher, "__init__", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        distill(settings(tmp_path, llama))

    def full(*given):
        raise MemoryError

    monkeypatch.setattr(Teacher, "__init__", full)
    with pytest.raises(FairauditError, match="not enough memory on cpu for it and the student"):
        distill(settings(tmp_path, llama))


def test_another_process_that_is_gone():
    several, alone = Processes(1, 2, "cpu"), Processes(0, 1, "cpu")
    error = RuntimeError("[gloo/transport/tcp/pair.cc:525] Connection closed by peer")
    with pytest.raises(FairauditError, match="another process has stopped"):
        several.check(error)
    several.check(RuntimeError("shapes differ"))
    alone.check(error)


def test_a_full_disk(tmp_path, llama):
    """Files may not grow beyond a size: a log fits, a checkpoint does not."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(progress):
        if progress.step == 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))

    chosen = settings(tmp_path, llama)
    try:
        with pytest.raises(FairauditError, match=r"cannot be written at step 6: .*step-00000003"):
            distill(chosen, progress=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [each.name for each in (chosen.output / "checkpoints").iterdir()] == ["step-00000003"]
    assert rows(distill(chosen, resume=True)) == rows(
        distill(replace(chosen, output=tmp_path / "whole"))
    )
