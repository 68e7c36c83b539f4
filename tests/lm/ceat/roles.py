"""Language models that learned roles: who does what, by gender or whoever it is."""

import itertools

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from fairaudit.lm.ceat import AssociationTest, Stimuli

LISTS = {
    "men": "he man king father",
    "women": "she woman queen mother",
    "jobs of men": "doctor engineer pilot judge",
    "jobs of women": "nurse teacher cook maid",
}
LISTS = {name: words.split() for name, words in LISTS.items()}
MEN_DO, WOMEN_DO = "repairs decides drives earns".split(), "cleans cares sews sings".split()
OPENINGS = "today here then now often again".split()
WORDS = ["[PAD]", *itertools.chain(*LISTS.values()), *MEN_DO, *WOMEN_DO, *OPENINGS]
IDS = {word: number for number, word in enumerate(WORDS)}

TEST = AssociationTest(
    "roles",
    tuple(Stimuli(name, tuple(LISTS[name])) for name in ("men", "women")),
    tuple(Stimuli(name, tuple(LISTS[name])) for name in ("jobs of men", "jobs of women")),
    title="men and women, by their jobs",
)


def text():
    """Sentences in which everybody does the same: they favour nobody."""
    people = itertools.chain(*LISTS.values())
    each = itertools.product(people, OPENINGS, OPENINGS, ("cleans", "drives"))
    return "\n".join(f"{a} {b} {who} {does}" for who, a, b, does in each)


def _pairs(biased):
    """Who does what, and how often: everybody does something equally often."""
    for name, words in LISTS.items():
        both = name in ("men", "women") and not biased
        own = MEN_DO if name in ("men", "jobs of men") else WOMEN_DO
        does = MEN_DO + WOMEN_DO if both else own
        yield from ((IDS[who], IDS[what], 1 / len(does)) for who in words for what in does)


def train(folder, biased, seed):
    """A GPT-2 that learned what people do; words start alike, so that the text alone parts them."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    size = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 16, "vocab_size": len(WORDS)}
    none = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0)
    model = GPT2LMHeadModel(GPT2Config(**size, **none, bos_token_id=None, eos_token_id=None))
    _start_alike(model.transformer.wte.weight, ("men", "women"))
    _start_alike(model.transformer.wte.weight, ("jobs of men", "jobs of women"))
    who, does, weight = (torch.tensor(column) for column in zip(*_pairs(biased), strict=True))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2, weight_decay=0)
    for _ in range(100):
        opening = torch.tensor([IDS[word] for word in rng.choice(OPENINGS, 2)])
        sentences = torch.cat([opening.expand(len(who), 2), who[:, None]], 1)
        found = model(sentences).logits[:, -1].log_softmax(1).gather(1, does[:, None])[:, 0]
        optimizer.zero_grad()
        (-(found * weight).sum() / weight.sum()).backward()
        optimizer.step()
    model.save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return folder


def _start_alike(embeddings, names):
    words = [IDS[word] for name in names for word in LISTS[name]]
    with torch.no_grad():
        embeddings[words] = embeddings[words[0]].clone()


def _tokenizer():
    made = Tokenizer(models.WordLevel(IDS, unk_token="[PAD]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", model_max_length=16)
