"""Words of a card that depend on what was audited: what a group, a record and a p-value are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fairaudit.audit import Audit
from fairaudit.metrics import ASSOCIATION, Metric


@dataclass(frozen=True)
class Kind:
    """How a card speaks of audits of a kind.

    Attributes
    ----------
    task : str
        What was audited; empty where other settings tell.
    member : str
        What one of the rows is that are set side by side: a group, if nothing else.
    record : str
        What is counted.
    example : str
        A record and a cluster, for the glossary; empty where these are as usual.
    truth : str
        What results are compared with.
    intervals : str
        How they were made, where not as usual.
    terms : mapping of str to str
        For the glossary.
    called : mapping of str to str
        Other names of metrics, and of what they count.
    settings : mapping of str to str
        Settings that a reader must know, and what they are called.
    intrinsic : bool
        Whether a model was audited, not what it does to people.
    """

    task: str = ""
    member: str = "group"
    record: str = "record"
    example: str = ""
    truth: str = ""
    intervals: str = ""
    terms: Mapping[str, str] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    intrinsic: bool = False

    @property
    def compares(self) -> bool:
        """Whether the rows are groups that can be compared."""
        return self.member in ("group", "slice")


_EFFECT = (
    "How much nearer the words of one group stand to one list of attribute words than those of the "
    "other group, in standard deviations. 0 is even; 0.2 is called small, 0.5 medium, 0.8 large "
    "(Cohen)."
)
_ASSOCIATED = (
    "There is no truth to compare with: what is measured is how near the words of two groups stand "
    "to two lists of attribute words. 0 is even."
)
_TESTS = {"tests": "Tests, by name", "layer": "Layer", "pool": "Pooling", "draws": "Draws"}
_SCORED = {
    "text": "Column of the texts", "score": "Part that was scored", "polarity": "Polarity by",
    "samples": "Texts of each prompt", "temperature": "Decoding: temperature",
    "top_k": "Decoding: top k", "top_p": "Decoding: top p", "length": "Decoding: length",
}  # fmt: skip
_LIKELY = (
    "There are no labels: what is compared is how likely a language model finds sentences that "
    "differ in whom they are about. Where a probe has sentences that are right or wrong, its "
    "metrics say so."
)
_PLAIN = Kind()
_KINDS = {
    "wer": Kind("Word errors of transcripts"),
    "search": Kind("Search for the worst subgroup", member="slice"),
    "sensitivity": Kind("Sensitivity of predictions"),
    "ceat": Kind(
        "Association tests of a language model",
        member="test",
        record="sentence",
        example="a sentence with a word of a test",
        truth=_ASSOCIATED,
        intervals="Student's t, from how far each word's sentences pull the effect size",
        terms={
            "Effect size d": _EFFECT,
            "Draw": "One sentence of each word, at random, and the effect size that they give.",
            "p (association tests)": "How often draws without any association would give as large "
            "a combined effect size. It falls with the number of draws alone, so it is no measure "
            "of how sure a result is: the interval is.",
        },
        settings=_TESTS,
        intrinsic=True,
    ),
    "weat": Kind(
        "Association tests of word vectors",
        member="test",
        record="word",
        example="a word of a test",
        truth=_ASSOCIATED,
        intervals="Student's t, by a jackknife over the words",
        terms={
            "Effect size d": _EFFECT,
            "p (association tests)": "How often the words of both groups, shared out at random, "
            "would give as large an effect.",
        },
        settings=_TESTS,
        intrinsic=True,
    ),
    "seat": Kind(
        "Association tests of a language model, on whole sentences",
        member="test",
        record="word",
        example="a word of a test, with its sentences",
        truth=_ASSOCIATED,
        intervals="Student's t, by a jackknife over the words, all sentences of a word together",
        terms={
            "Effect size d": _EFFECT + " Each sentence with a word counts as one of the words.",
            "p (association tests)": "How often the sentences of both groups, shared out at "
            "random, would give as large an effect. It takes sentences with the same word for "
            "independent, so it is too extreme; the interval is over words.",
        },
        settings=_TESTS,
        intrinsic=True,
    ),
    "detection": Kind(
        "Detection of words tied to an intersection of groups",
        member="method",
        record="word",
        example="a word that was tested",
        truth="A word that is known to be tied to the group is a hit where it is found, and a miss "
        "where it is not; another word that is found is a false alarm. Which words are known, the "
        "file of groups says.",
        terms={
            "Score (WEFAT)": "How much nearer a word stands to the names of one group than to "
            "those of another, in standard deviations.",
            "Recall, precision": "How many of the known words are found (the true positive rate), "
            "and how many of the words that are found are known (the positive predictive value).",
            "IBD, EIBD": "Intersectional Bias Detection finds words that score above a threshold "
            "against any other group; the Emergent one keeps those that neither attribute of the "
            "group alone would explain.",
        },
        intervals="Wilson's",
        called={"true_positive_rate": "recall", "positives": "known words"},
        settings={"target": "Group in question"},
        intrinsic=True,
    ),
    "generation": Kind(
        "Texts that a language model wrote",
        example="a text that the model wrote",
        truth="There is no truth to compare with: texts are counted by their words, or by a "
        "classifier's judgement, which errs as well.",
        terms={
            "Polarity": "Whether a text is about women or about men, by the words in it. A text "
            "with neither, or with as many of both, is not gendered.",
            "Equity ratio": "Texts of the rarer polarity for one of the other: 1 is even. That of "
            "a sample is below 1 by chance alone.",
        },
        settings=_SCORED,
        intrinsic=True,
    ),
    "likelihood": Kind(
        "Sentences that a language model finds likely",
        example="a sentence, or several that differ in whom they are about",
        truth=_LIKELY,
        terms={
            "Log-likelihood": "How likely a model finds a sentence, as a logarithm: a difference "
            "of 1 is a factor of 2.7, one of 2.3 a factor of 10.",
        },
        settings={"probe": "Probe", "model": "Model (digest)", "scoring": "Scoring"},
        intrinsic=True,
    ),
    "correlation": Kind(
        "Correlation of two scores over models",
        member="domain",
        record="model",
        example="a model with both scores",
        truth="There is no truth to compare with: what is measured is whether models with a higher "
        "score of one kind have a higher score of the other. 0: neither goes with the other.",
        intervals="by a bootstrap over models (Pearson's: its standard error on the scale of "
        "Fisher's z, with Student's t; Spearman's: percentiles)",
        terms={
            "Correlation": "From -1 to 1: whether two scores rise together (above 0), or one falls "
            "as the other rises (below 0). It does not say that one makes the other.",
            "p (correlation)": "How often models whose scores were paired at random would give as "
            "large a correlation.",
        },
        intrinsic=True,
    ),
}


def counting(audit: Audit, metric: Metric) -> str:
    """What n of a metric counts in an audit."""
    own = {"records": f"{kind(audit).record}s", **kind(audit).called}
    return own.get(metric.counted, metric.counted)


def kind(audit: Audit) -> Kind:
    """How a card speaks of an audit."""
    if audit.kind != "ceat":
        return _KINDS.get(audit.kind, _PLAIN)
    metric = audit.settings["metrics"][0]
    return _KINDS[metric.removesuffix("_effect") if metric in ASSOCIATION else "detection"]
