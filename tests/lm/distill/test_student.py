"""Students that begin with their teachers' weights."""

import pytest
import torch
import transformers

from fairaudit.exceptions import FairauditError
from fairaudit.lm.distill.student import check_vocabularies, kept_layers, shrunk
from tests.lm import tiny


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_the_student_has_some_of_the_layers(kind):
    torch.manual_seed(0)
    teacher = tiny.model(kind, layers=4).eval()
    student = shrunk(teacher, 2).eval()
    assert student.config.num_hidden_layers == 2
    layers = {"gpt2": lambda m: m.transformer.h, "llama": lambda m: m.model.layers}[kind]
    for own, place in zip(layers(student), kept_layers(4, 2), strict=True):
        for one, other in zip(own.parameters(), layers(teacher)[place].parameters(), strict=True):
            assert torch.equal(one, other)
    embeddings = [model.get_input_embeddings().weight for model in (student, teacher)]
    assert torch.equal(*embeddings)
    assert embeddings[0].data_ptr() != embeddings[1].data_ptr()


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_student_with_all_layers_says_what_the_teacher_says(kind):
    teacher = tiny.model(kind, layers=3).eval()
    ids = torch.arange(4, 20)[None]
    assert torch.equal(teacher(ids).logits, shrunk(teacher, 3).eval()(ids).logits)


def test_the_head_is_tied_where_the_teachers_is():
    student = shrunk(tiny.model("gpt2"), 1)
    assert student.get_output_embeddings().weight is student.get_input_embeddings().weight


@pytest.mark.parametrize("layers", [0, 3])
def test_a_student_is_no_deeper_than_its_teacher(layers):
    with pytest.raises(FairauditError, match="expected a number from 1 to 2"):
        shrunk(tiny.model("gpt2"), layers)


def test_kinds_of_layers_go_with_the_layers():
    """Of SmolLM3 a list says which layers know positions."""
    sizes = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 16, "pad_token_id": 0}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    config = transformers.SmolLM3Config(
        **sizes, **heads, num_hidden_layers=4, no_rope_layers=[1, 1, 1, 0]
    )
    student = shrunk(transformers.SmolLM3ForCausalLM(config), 2)
    assert student.config.no_rope_layers == [1, 0]


def test_settings_that_cannot_be_read_again_are_refused(monkeypatch):
    """Better now than when the student is saved, after days."""

    def contradictory(settings):
        raise ValueError("4 kinds of layers, but 2 layers")

    teacher = tiny.model("llama", layers=4)
    monkeypatch.setattr(transformers.LlamaConfig, "from_dict", contradictory)
    with pytest.raises(FairauditError, match=r"what 2 of its 4 layers are \(4 kinds of layers, bu"):
        shrunk(teacher, 2)


def test_vocabularies_must_agree():
    one, other = tiny.tokenizer("gpt2"), tiny.tokenizer("gpt2", ["Quite other words here."] * 3)
    check_vocabularies(one, tiny.tokenizer("gpt2"))
    with pytest.raises(FairauditError, match="another vocabulary|a vocabulary of"):
        check_vocabularies(one, other)
    more = tiny.tokenizer("gpt2")
    more.add_tokens(["<new>"])
    with pytest.raises(FairauditError, match=r"a vocabulary of \d+ tokens, and \d+ in the teacher"):
        check_vocabularies(one, more)
