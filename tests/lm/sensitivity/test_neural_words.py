import pytest
import torch
from numpy.testing import assert_allclose
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers import models as subwords
from transformers import BertForSequenceClassification, PreTrainedTokenizerFast

from fairaudit.lm.classifiers import TextClassifier
from fairaudit.lm.sensitivity.neural import NeuralProbe
from fairaudit.lm.sensitivity.protected import Uniform
from tests.lm.sensitivity.conftest import CONTEXT, settings

PIECES = (
    "[PAD] [UNK] [CLS] [SEP] moth ##er ##ing ' s don t cafe e ##t ##e ##lan l "
    "\u6211 \u4eec a works . - mid ##wife the"
).split()
ACCENT = "\u0301"
#: Woman, joiner, staff of Aesculapius, as an emoji: one who works in health care.
WOMAN = "\U0001f469\u200d\u2695\ufe0f"
THUMB = "\U0001f44d\U0001f3fd"


@pytest.fixture(scope="module")
def wordpiece(tmp_path_factory):
    """A tokenizer as BERT's: lower case, no accents, ideographs one by one."""
    folder = tmp_path_factory.mktemp("wordpiece")
    vocabulary = {piece: i for i, piece in enumerate(PIECES)}
    made = Tokenizer(subwords.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    torch.manual_seed(1)
    BertForSequenceClassification(settings("bert", 2)).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", model_max_length=CONTEXT
    ).save_pretrained(folder)
    return TextClassifier(folder, "wordpiece", device="cpu", window=True)


def joined(task, text):
    """Words of a text, with the places of their tokens: those have shares of powers of two."""
    words, done = [], 0
    for piece in task.read([text]).pieces:
        shares = 2.0 ** torch.arange(done, done + piece.special.count(0), dtype=torch.float64)
        NeuralProbe(task, Uniform())._add(words, piece, shares.numpy())
        done += len(shares)
    assert sum(word.share for word in words) == 2.0**done - 1
    return [(text[word.start : word.end], f"{int(word.share):b}".rstrip("0")) for word in words]


def names(task, text):
    measured = NeuralProbe(task, Uniform()).measure([text])
    assert sum(share for _, share in measured.tokens[0]) == pytest.approx(measured.sensitivity[0])
    assert measured.sensitivity[0] > 0
    return [name for name, _ in measured.tokens[0]]


def test_pieces_are_one_word_with_one_share(wordpiece):
    assert [wordpiece.token(t) for t in wordpiece.read(["Mothering works"]).pieces[0].tokens] == [
        "[CLS]", "moth", "##er", "##ing", "works", "[SEP]"
    ]  # fmt: skip
    assert joined(wordpiece, "Mothering works") == [("Mothering", "111"), ("works", "1")]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("MOTHER's works.", "MOTHER ' s works ."),
        ("mother\u2019s", "mother \u2019 s"),
        ("don't", "don ' t"),
        ("mid-wife midwife", "mid - wife midwife"),
        ("L'\u00c9t\u00e9", "L ' \u00c9t\u00e9"),
        (f"cafe{ACCENT} e{ACCENT}lan", f"cafe{ACCENT} e{ACCENT}lan"),
        ("mo\u00adther", "mo\u00adther"),
        ("mother\u200bmother", "mother\u200bmother"),  # to the tokenizer, one word
        ("\u6211\u4eec", "\u6211 \u4eec"),
        ("a\u6211mother", "a \u6211 mother"),
        ("qqq mother", "qqq mother"),  # unknown
        (f"the {WOMAN} works", f"the {WOMAN} works"),
        ("", ""),
    ],
)
def test_words_of_word_pieces(wordpiece, text, wanted):
    if not wanted:
        assert NeuralProbe(wordpiece, Uniform()).measure([text]).tokens == [[]]
    else:
        assert names(wordpiece, text) == wanted.split(" ")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Mothering MOTHER's", "Mothering MOTHER ' s"),
        ("l'\u00e9t\u00e9", "l ' \u00e9t\u00e9"),
        (f"cafe{ACCENT}s", f"cafe{ACCENT}s"),
        ("\u6211\u4eec", "\u6211 \u4eec"),
        ("\u3042\u30a2", "\u3042 \u30a2"),
        ("\uc6b0\ub9ac\ub294", "\uc6b0\ub9ac\ub294"),  # Korean puts blanks
        ("\u0939\u093f\u0928\u094d\u0926\u0940", "\u0939\u093f\u0928\u094d\u0926\u0940"),
        (f"a{WOMAN}{THUMB}b", f"a {WOMAN} {THUMB} b"),
        ("\U0001f600\U0001f600", "\U0001f600 \U0001f600"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u200c\u062e\u0648"),
        ("one\u200btwo", "one \u200b two"),
        ("2,000", "2 , 000"),
    ],
)
def test_words_of_bytes(classifier, text, wanted):
    assert names(classifier("gpt2", window=True), text) == wanted.split(" ")


def test_bytes_of_one_letter_add_up(classifier):
    assert joined(classifier("gpt2"), "\u6211\u4eec\U0001f600") == [
        ("\u6211", "111"), ("\u4eec", "111"), ("\U0001f600", "1111")
    ]  # fmt: skip


def test_blanks_belong_to_the_word_after_them(classifier):
    assert joined(classifier("gpt2"), "she\n\n\u00e9") == [("she", "1"), ("\u00e9", "1111")]
    assert names(classifier("gpt2"), f"she\n{ACCENT}") == ["she", ACCENT]
    assert names(classifier("gpt2"), "she\n") == ["she", " "]


def test_a_word_across_windows(wordpiece, classifier):
    task = classifier("gpt2", window=True)
    task.context = 4
    text = "zyzzyva works, \u6211 zyzzyva"
    assert len(task.read([text]).pieces) > 3
    assert names(task, text) == ["zyzzyva", "works", ",", "\u6211", "zyzzyva"]
    wordpiece_text = "mothering " * 9
    assert len(wordpiece.read([wordpiece_text]).pieces) == 2
    assert names(wordpiece, wordpiece_text) == ["mothering"] * 9
    assert [bits for _, bits in joined(wordpiece, wordpiece_text)] == ["111"] * 9


def test_joining_changes_no_sensitivity(classifier):
    task = classifier()
    text = "zyzzyva works"
    whole = NeuralProbe(task, Uniform(), normalize=False).measure([text])
    reading = task.read([text])
    probe = NeuralProbe(task, Uniform(), normalize=False)
    [part] = task.each(reading.pieces, lambda batch: probe._parts(batch, torch.tensor([-1])))
    assert len(part.shares) > len(whole.tokens[0]) == 2
    assert_allclose(whole.sensitivity[0], part.shares.sum())
