"""The proof: what a distilled student expects and writes, beside its teacher and a baseline.

Every model is asked the same: which pronoun it expects of neutral professions, how well it
predicts a text and the text's role reversal, what it writes of professions, and which sentences of
CrowS-Pairs and WinoBias it finds likelier. Of two models the answers to the same sentences are
compared, so that what they have in common has no part in the interval of the change.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from fairaudit import sources
from fairaudit.assess import Design
from fairaudit.audit import Audit
from fairaudit.exceptions import FairauditError
from fairaudit.lm import checkpoints
from fairaudit.lm.distill.comparison import Change, one_audit
from fairaudit.lm.documents import documents
from fairaudit.lm.generate.audit import generate
from fairaudit.lm.generate.prompts import open_prompts
from fairaudit.lm.likelihood.audit import audit_of
from fairaudit.lm.likelihood.forms import probe_for
from fairaudit.lm.likelihood.pairs import CrowsPairs
from fairaudit.lm.likelihood.probes import Probe
from fairaudit.lm.likelihood.pronouns import SHIPPED, Pronouns
from fairaudit.lm.likelihood.roles import Roles
from fairaudit.lm.likelihood.winobias import WinoBias
from fairaudit.lm.swap import Lexicon
from fairaudit.metrics.distillation import CHANGES
from fairaudit.table import Table, Workspace

#: Columns that say whom prompts are about: ours, and that of BOLD's groups of professions.
_ABOUT = ("profession", "category")
_GENDER = "bias_type = 'gender'"
#: Passages that a text is cut into, at most.
_PASSAGES = 200


class Evaluation(NamedTuple):
    """An audit of each model.

    Attributes
    ----------
    student : Audit
        With the rows of the others beside its own, and with its change against each of them.
    teacher : Audit
    baseline : Audit or None
    """

    student: Audit
    teacher: Audit
    baseline: Audit | None


class Proof:
    """What a distilled student, its teacher and a student to compare it with are asked.

    Files are read and models are found before any model is loaded.

    Parameters
    ----------
    teacher : str or Path
        Folder of a causal language model, or a name on the Hugging Face hub. Vocabularies may
        differ: perplexity is per word.
    baseline : str or Path, optional
        The plainly distilled student.
    valid : path or sequence of paths, optional
        Text files in UTF-8 for perplexity and its change under role reversal.
    paragraphs : bool
        Whether their documents are what blank lines part, instead of lines.
    professions : path
        TOML with templates, prompts and neutral professions.
    prompts : path, pattern, sequence of paths or data frame, optional
        What the models go on from, as for `generate`; grouped by ``profession`` or ``category``.
        By default the prompts in `professions`.
    pairs : path, pattern or sequence of them
        CrowS-Pairs, of which the pairs about gender are taken, and WinoBias files.
    words : path or Lexicon, optional
        Word list for role reversal (TOML); gender by default.
    samples, tokens : int
        Texts for each prompt, 0 for none at all, and new tokens of each at most.
    batch, device, allow_pickle, warn
        See `fairaudit.lm.likelihood.audit.likelihood`.
    **design
        Settings of `fairaudit.assess.Design`; its seed is that of the texts as well.

    Raises
    ------
    FairauditError
        If a file or a model is missing or of another kind.

    Notes
    -----
    Polarity of generated texts and equity ratios by profession are those of Gupta et al.,
    "Mitigating Gender Bias in Distilled Language Models via Counterfactual Role Reversal", Findings
    of ACL 2022, as reconstructed; decoding is `generate`'s (nucleus of 0.9).
    """

    def __init__(
        self,
        *,
        teacher: str | Path,
        baseline: str | Path | None = None,
        valid: str | Path | Sequence[str | Path] | None = None,
        paragraphs: bool = False,
        professions: str | Path = SHIPPED,
        prompts: Any = None,
        pairs: str | Path | Sequence[str | Path] = (),
        words: str | Path | Lexicon | None = None,
        samples: int = 8,
        tokens: int = 20,
        batch: int = 32,
        device: str = "auto",
        allow_pickle: bool = False,
        warn: Callable[[str], None] = lambda message: None,
        **design: Any,
    ) -> None:
        self._design, self._allow_pickle = Design(**design), allow_pickle
        models = {"teacher": teacher, "baseline": baseline}
        self._models = {role: model for role, model in models.items() if model is not None}
        for role, model in self._models.items():
            checkpoints.find(model, allow_pickle, f"--{role}")
        if samples < 0:
            raise FairauditError(f"--samples {samples}: expected 0 (no texts) or more.")
        # All that is loaded and reported alike, whatever is asked.
        shared = {"batch": batch, "device": device, "allow_pickle": allow_pickle, "warn": warn}
        shared |= design
        self._questions: list[Question | Texts] = [
            Question("pronouns", Pronouns([Path(professions)]), shared),
            *_perplexity(valid, paragraphs, words, shared),
            *_pairs(pairs, shared),
        ]
        if samples:
            asked = professions if prompts is None else prompts
            self._questions.append(Texts(asked, samples, tokens, shared))
        for question in self._questions:
            question.check()

    def of(
        self,
        student: str | Path,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Evaluation:
        """Ask all models.

        Parameters
        ----------
        student : str or Path
            As the teacher.
        progress : callable
            Told how many questions were put to models, and of how many.

        Raises
        ------
        FairauditError
            If a model is missing or of another kind.
        """
        checkpoints.find(student, self._allow_pickle, "--student")
        models = {"student": student, **self._models}
        return _concluded(_asked(self._questions, models, progress), self._design)


@dataclass(frozen=True)
class Question:
    """A probe that is put to every model.

    Attributes
    ----------
    name : str
        What its rows are marked with.
    probe : Probe
    options : mapping
        How models are loaded, and the statistics.
    """

    name: str
    probe: Probe
    options: dict[str, Any]

    def check(self) -> None:
        """Find out whether its data can be read."""
        with Workspace() as workspace:
            self.probe.open(workspace)

    def ask(self, model: str | Path, role: str) -> Audit:
        """The answers of a model.

        Raises
        ------
        FairauditError
            If it is no causal one.
        """
        # Of CrowS-Pairs the pairs about gender, unless no column says what pairs are about.
        where = _GENDER if "bias_type" in self.probe.by else None
        by = tuple(name for name in self.probe.by if name == "file")
        audit = audit_of(
            self.probe, model=model, option=f"--{role}", by=by, where=where, **self.options
        )
        if audit.settings["scoring"] != "causal":
            raise FairauditError(
                f"--{role} {model}: a masked language model, which does not go on from a text; "
                "expected a causal one such as GPT-2."
            )
        return audit


@dataclass(frozen=True)
class Texts:
    """Prompts that every model goes on from.

    Attributes
    ----------
    prompts : path, pattern, sequence of paths or data frame
    samples, tokens : int
    options : mapping
        How models are loaded, and the statistics.
    """

    prompts: Any
    samples: int
    tokens: int
    options: dict[str, Any]

    name = "generation"

    def check(self) -> None:
        """Find out whether there are prompts."""
        self._by()

    def ask(self, model: str | Path, role: str) -> Audit:
        """What a model writes."""
        return generate(
            self.prompts, model=model, by=self._by(), samples=self.samples, tokens=self.tokens,
            **self.options,
        )  # fmt: skip

    def _by(self) -> list[str]:
        """The column that says whom prompts are about, where there is one."""
        with Workspace() as workspace:
            table, _ = open_prompts(workspace, self.prompts, None)
            return [name for name in _ABOUT if name in table.names][:1]


class Documents(Roles):
    """Documents of text files and their role reversals, in passages of neighbours.

    Paragraphs of one article have much in common, so runs of neighbouring documents are the
    clusters; of up to 200 documents each is its own. So the size of audit files is bounded, too.

    Parameters
    ----------
    paths : sequence of Path
    paragraphs : bool
        Whether a document is what a blank line ends, instead of a line.
    words : path or Lexicon, optional

    Notes
    -----
    Each document is reversed once, however many models are asked.
    """

    cluster = "passage"

    def __init__(
        self, paths: Sequence[Path], paragraphs: bool, words: str | Path | Lexicon | None
    ) -> None:
        super().__init__(paths, None, words)
        self._paths, self._paragraphs = paths, paragraphs
        names = Counter(path.name for path in paths)
        self._called = {path: path.name if names[path.name] == 1 else str(path) for path in paths}
        self._swap = cache(self._swap)

    def open(self, workspace: Workspace) -> Table:
        """Read the data as a table."""
        self._changed = self._used = 0
        rows = [row for path in self._paths for row in self._rows(path)]
        cells = dict(zip(("passage", "file", "text"), zip(*rows, strict=True), strict=True))
        self.by = ["file"] if len(self._paths) > 1 else []
        return workspace.open_rows(cells, self._paths)

    def _rows(self, path: Path) -> list[tuple[str, str, str]]:
        """Passage, file and text of each document."""
        texts = self._read(path)
        passages = min(len(texts), _PASSAGES)
        return [
            (f"{path}:{i * passages // len(texts)}", self._called[path], text)
            for i, text in enumerate(texts)
        ]

    def _read(self, path: Path) -> list[str]:
        found = [text.rstrip() for text in documents(str(path), self._paragraphs)]
        if not found:
            raise FairauditError(f"--valid {path}: no text in it; expected documents to predict.")
        return found

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        return {**super().settings(), "paragraphs": self._paragraphs or None}

    def notes(self) -> Iterator[str]:
        """What a reader must know."""
        yield from super().notes()
        yield (
            "Per word, words being what blanks part. Documents longer than a model reads at once "
            "are read in windows that do not overlap."
        )


def _perplexity(
    valid: str | Path | Sequence[str | Path] | None,
    paragraphs: bool,
    words: str | Path | Lexicon | None,
    shared: dict[str, Any],
) -> Iterator[Question]:
    if valid is not None:
        several = [valid] if isinstance(valid, str | Path) else valid
        paths = list(dict.fromkeys(map(Path, several)))
        yield Question("perplexity", Documents(paths, paragraphs, words), shared)


def _pairs(pairs: str | Path | Sequence[str | Path], shared: dict[str, Any]) -> Iterator[Question]:
    """A question for CrowS-Pairs, and one for WinoBias, where their files are given."""
    several = [pairs] if isinstance(pairs, str | Path) else pairs
    found: dict[str, list[Path]] = defaultdict(list)
    for path in dict.fromkeys(path for each in several for path in sources.find(str(each))):
        found[probe_for(path, None).name].append(path)
    made: dict[str, Callable[[list[Path]], Probe]]
    made = {CrowsPairs.name: CrowsPairs, WinoBias.name: WinoBias}
    for name, paths in found.items():
        if name not in made:
            raise FairauditError(
                f"--pairs {paths[0]}: is for {name}; expected {' or '.join(made)}. Audit it on its "
                "own: fairaudit likelihood"
            )
        yield Question(name, made[name](paths), shared)


def _asked(
    questions: Sequence[Question | Texts],
    models: dict[str, str | Path],
    progress: Callable[[int, int], None],
) -> dict[str, dict[str, Audit]]:
    """The answers of each model to each question."""
    answers: dict[str, dict[str, Audit]] = {role: {} for role in models}
    total = len(questions) * len(models)
    # All models are asked the short question first, so that a wrong one is found out soon.
    for question in questions:
        for role, model in models.items():
            answers[role][question.name] = question.ask(model, role)
            progress(sum(map(len, answers.values())), total)
    return answers


def _concluded(answers: dict[str, dict[str, Audit]], design: Design) -> Evaluation:
    """An audit of each model, the student's with the others' rows and its changes."""
    student = answers.pop("student")
    # The gate takes the first of several comparisons: that with the baseline.
    order: Sequence[str] = ("baseline", "teacher")
    others = {role: answers[role] for role in order if role in answers}
    changes = [
        Change.of(probe, student[probe], of[probe], role, design)
        for role, of in others.items()
        for probe in CHANGES
        if probe in student
    ]
    own = {role: one_audit(role, of, {}, []) for role, of in others.items()}
    found = [change for change in changes if change is not None]
    return Evaluation(
        one_audit("student", student, others, found), own["teacher"], own.get("baseline")
    )
