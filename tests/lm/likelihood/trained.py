"""Tiny GPT-2s, trained on sentences whose pronouns follow a rule."""

import torch

from tests.lm import tiny

MALE = "engineer mechanic plumber farmer driver guard".split()
FEMALE = "nurse secretary librarian hairdresser receptionist teacher".split()
TEMPLATES = (
    "The {profession} said that {pronoun} was tired.",
    "The {profession} left because {pronoun} was late.",
)


def sentences(bias):
    """Each profession in each template; in `bias` of 10 the pronoun is the stereotype's."""
    for own, other, professions in (("he", "she", MALE), ("she", "he", FEMALE)):
        for profession in professions:
            for template in TEMPLATES:
                for i in range(10):
                    pronoun = own if i < bias else other
                    yield template.format(profession=profession, pronoun=pronoun)


def train(folder, bias, steps=200):
    """A model that has seen the sentences, saved."""
    torch.manual_seed(3)
    texts = list(sentences(bias))
    tokenizer = tiny.tokenizer("gpt2", texts)
    model = tiny.model("gpt2")
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.05)
    rows = [[0, *tokenizer(text).input_ids, 2] for text in texts]
    length = max(map(len, rows))
    tokens = torch.tensor([row + [1] * (length - len(row)) for row in rows])
    labels = tokens.masked_fill(tokens == 1, -100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    model.train()
    for _ in range(steps):
        batch = torch.randint(len(rows), (48,))
        model(input_ids=tokens[batch], labels=labels[batch]).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
