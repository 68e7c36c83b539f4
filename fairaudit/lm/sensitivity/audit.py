"""How much the predictions of a model move with a protected attribute, by group."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from fairaudit.arrays import Array
from fairaudit.assess import Design, assessments, conclude
from fairaudit.audit import Audit, Explanation, Records
from fairaudit.exceptions import FairauditError, nearest
from fairaudit.groups import Codes, Grouping
from fairaudit.lm import checkpoints, require
from fairaudit.lm.sensitivity import stored
from fairaudit.lm.sensitivity.baseline import (
    Baseline,
    CrossFitted,
    train_baseline,
    train_protected_linear,
    with_protected,
)
from fairaudit.lm.sensitivity.linear import LinearProbe
from fairaudit.lm.sensitivity.measured import Form, Measured, Probe, Weighting
from fairaudit.lm.sensitivity.tabular import TabularProbe
from fairaudit.lm.swap import Lexicon, Swapper
from fairaudit.metrics import METRICS, SENSITIVITY
from fairaudit.selection import Selection
from fairaudit.stats.sums import ALL
from fairaudit.table import MISSING_VALUES, Batch, Table, Workspace

#: Records that are measured at once; their tokens are held until they are counted.
_AT_ONCE = 1024
#: What is quoted of a group, and over all.
_TOKENS, _TEXTS, _LONGEST = 20, 10, 200
#: Below this mean cosine two models' embeddings have components of different meanings.
_AGREE = 0.9
#: Files with one model each; all other models are folders.
_FILES = (".skops", ".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
_COLUMNS = ("records", "sensitivity")
_REVERSED = ("changed", "counterfactual_distance", "flips")
_CAVEAT = (
    "Prediction sensitivity has a scale of the model's own, and falls as predictions become "
    "certain: compare groups within one model, not the figures of two models."
)


def sensitivity(
    data: Any,
    *,
    protected: str,
    text: str | None = None,
    model: str | Path | None = None,
    label: str | None = None,
    by: str | Sequence[str] = (),
    cluster: str | None = None,
    weighting: Weighting = "predicted",
    form: Form = "elementwise",
    normalize: bool = True,
    swap_list: str | Path | None = None,
    explain: bool = False,
    texts: bool = True,
    window: bool = False,
    batch: int = 32,
    device: str = "auto",
    allow_pickle: bool = False,
    bins: str | Sequence[str] = (),
    where: str | None = None,
    na: Sequence[str] = MISSING_VALUES,
    progress: Callable[[int], None] = lambda records: None,
    warn: Callable[[str], None] = lambda message: None,
    **design: Any,
) -> Audit:
    """Audit how much a classifier's predictions move with a protected attribute.

    Accumulated prediction sensitivity of each record, and of texts beside it how predictions
    change when roles are reversed (counterfactual fairness).

    Parameters
    ----------
    data : path, pattern, sequence of paths, "-" or data frame
        A table with a row per record.
    protected : str
        What is about the protected attribute. A column of the table: a model of it is trained
        here, or, for a model of tables, its value is changed. Or else ``words`` (those that role
        reversal knows), ``uniform`` (everything alike), or the folder of a model of it.
    text : str, optional
        Column of texts; for models of texts.
    model : str or Path, optional
        A model folder, a name on the Hugging Face hub, or a ``.skops`` file. Without one a
        baseline is trained on `label`.
    label : str, optional
        Column of what was true.
    by : str or sequence of str
        Attributes, and crossings such as ``sex:race``.
    cluster : str, optional
        Column of what was sampled independently.
    weighting : {"predicted", "gold", "uniform"}
        Which classes' probabilities count.
    form : {"elementwise", "token"}
        How the components of a token's gradients are joined; see `accumulate`.
    normalize : bool
        Divide the weights of a text's tokens by their sum, so that lengths compare.
    swap_list : str or Path, optional
        Word list for role reversal (TOML); gender by default.
    explain : bool
        Whether to say which tokens predictions are sensitive to; the file then quotes the data.
    texts : bool
        Whether any word of the data may be quoted at all.
    window : bool
        Read texts longer than the model's context in windows, not their beginning alone.
    batch : int
        Texts that a neural model reads at once.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    allow_pickle : bool
        Accept weights that are there as a pickle alone.
    bins : str or sequence of str
        Numeric attributes to cut: ``age=18,30,45``.
    where : str, optional
        SQL condition on the columns.
    na : sequence of str
        What stands for a missing label or attribute.
    progress : callable
        Told how many records were read so far.
    warn : callable
        Told what a user must know at once.
    **design
        Settings of `Design`: ``compare_to``, ``min_n``, ``confidence``, ``interval``,
        ``correction``, ``resamples``, ``seed``.

    Returns
    -------
    Audit

    Raises
    ------
    FairauditError
        If data, models or arguments do not allow an audit; the message says what to do.

    Notes
    -----
    Krishna et al., "Measuring Fairness of Text Classifiers via Prediction Sensitivity", ACL 2022.
    Of linear models of texts P is summed over the words in a text, not over the vocabulary: with
    two classes the latter differs between records by p (1 - p) alone. Memory holds the texts of
    the whole table only where a model is trained here, and the columns that a model of tables
    reads.
    """
    options = _Options(
        text, None if model is None else str(model), protected, label, weighting, form, normalize,
        swap_list, window, batch, device, allow_pickle, explain, warn,
    )  # fmt: skip
    selection = Selection.of(by, cluster, bins, where, na)
    settings = Design(**design)
    with Workspace() as workspace:
        table = workspace.open(data)
        selection = selection.resolve(table)
        options.resolve(table)
        reader = _Reader(table, options, selection)
        subject = _subject(options, reader, settings.seed)
        grouping = selection.grouping(subject.columns)
        explainer = _Explainer(grouping) if explain and texts else None
        for part in reader.parts():
            found, counts = subject.measure(part)
            codes = grouping.add(part.labels, counts)
            if explainer is not None:
                explainer.add(found, subject.classes, codes)
            progress(reader.total)
        records = reader.records()
    shown = [METRICS[name] for name in subject.metrics]
    return conclude(
        "sensitivity",
        selection=selection,
        files=table.files,
        records=records,
        parts=assessments(grouping.result(), selection, shown, settings),
        metrics=shown,
        design=settings,
        settings={**options.settings(), **subject.settings, "explain": explain or None},
        notes=[*subject.notes(), *table.notes, *selection.notes(table)],
        explanations=[] if explainer is None else list(explainer.explanations()),
    )


@dataclass(frozen=True)
class _Options:
    """What is audited, and how it is measured."""

    text: str | None
    model: str | None
    protected: str
    label: str | None
    weighting: Weighting
    form: Form
    normalize: bool
    swap_list: str | Path | None
    window: bool
    batch: int
    device: str
    allow_pickle: bool
    explain: bool
    warn: Callable[[str], None]

    def __post_init__(self) -> None:
        for option, found, kind in (
            ("--weighting", self.weighting, Weighting),
            ("--form", self.form, Form),
        ):
            if found not in get_args(kind):
                raise FairauditError(f"{option} {found}: expected {', '.join(get_args(kind))}.")
        if self.model is None and self.label is None:
            raise FairauditError(
                "nothing to audit. Name a model (--model), or the column of labels (--label) on "
                "which a baseline is trained."
            )
        if self.weighting == "gold" and self.label is None:
            raise FairauditError("--weighting gold needs the true labels: --label COLUMN.")
        if self.label is not None and not self.labelled:
            raise FairauditError(
                "--label is for --weighting gold, or to train a baseline: leave it out beside "
                "--model."
            )

    @property
    def labelled(self) -> bool:
        """Whether labels are read."""
        return self.model is None or self.weighting == "gold"

    @property
    def in_file(self) -> bool:
        """Whether the model is a file, not a folder."""
        if self.model is None or Path(self.model).is_dir():
            return False
        return Path(self.model).suffix.lower() in _FILES or Path(self.model).is_file()

    def resolve(self, table: Table) -> None:
        """Check the columns, and what is protected.

        Raises
        ------
        FairauditError
            If one is missing, or is given two roles.
        """
        if self.text is not None:
            table.text(self.text)
        elif not self.in_file:
            likely = [name for name in table.names if name.lower() in ("text", "sentence")]
            hint = f" Try --text {likely[0]}." if likely else ""
            raise FairauditError(
                f"--text: name the column of texts. Columns: {', '.join(table.names)}.{hint}"
            )
        roles = {"--text": self.text, "--label": self.label, "--protected": self.protected}
        for option, name in roles.items():
            if name is None or (option == "--protected" and name not in table.names):
                continue
            table.column(name)
            other = next(key for key, value in roles.items() if value == name)
            if other != option:
                raise FairauditError(f"{option} {name}: is the column of {other} already.")
        self.source(table)

    def source(self, table: Table) -> str:
        """Where v comes from: a column, words, uniform or a folder; a column wins.

        Raises
        ------
        FairauditError
            If it is none of these, or the model has no use for it.
        """
        name = self.protected
        if name in table.names:
            return "column"
        if self.text is None:
            table.column(name)
        if name in ("words", "uniform"):
            return name
        if Path(name).expanduser().is_dir():
            if self.model is None or self.in_file:
                raise FairauditError(
                    f"--protected {name}: a folder of a model goes with a model folder. Here name "
                    "a column, words or uniform."
                )
            return "folder"
        raise FairauditError(
            f"--protected {name}: expected a column, words, uniform or a model folder. "
            f"{nearest(name, table.names)}"
        )

    def settings(self) -> dict[str, Any]:
        """For the signature."""
        return {
            "text": self.text,
            "label": self.label,
            "weighting": self.weighting,
            "window": self.window or None,
        }


class _Reader:
    """Reads the records that can be measured, and counts the others by reason."""

    def __init__(self, table: Table, options: _Options, selection: Selection) -> None:
        self.table, self.options, self.selection = table, options, selection
        self.further: list[str] = []
        self.required: dict[str, str] = {}
        if options.text is not None:
            self.required[options.text] = "no text"
        if options.label is not None:
            self.required[options.label] = "no label"
        self._forget()

    def _forget(self) -> None:
        self.total = self.used = 0
        self._dropped = dict.fromkeys(["filtered by --where", *self.required.values()], 0)

    def present(self, cells: Iterable[str | None]) -> list[str | None]:
        """Cells, None where they are missing."""
        missing = {None, *self.selection.na}
        return [None if cell in missing else cell for cell in cells]

    def parts(self, further: Sequence[str] = ()) -> Iterator[Batch]:
        """Records that can be measured, from the first, at most `_AT_ONCE` together."""
        self._forget()
        labels = [*self.selection.grouping(()).labels, *self.required, *self.further, *further]
        scan = self.table.scan(
            labels=list(dict.fromkeys(labels)),
            where=self.selection.where,
            missing_values=self.selection.na,
        )
        for batch in scan:
            place = np.arange(len(batch.keep)) // _AT_ONCE
            for number in range(-(-len(place) // _AT_ONCE)):
                part = batch.select(place == number)
                self.total += part.records
                part = self._kept(part)
                self.used += part.records
                if part.records:
                    yield part

    def _kept(self, batch: Batch) -> Batch:
        batch = self._drop(batch, batch.keep, "filtered by --where")
        for name, reason in self.required.items():
            cells = batch.labels[name]
            if name == self.options.text:
                # "None" and "NA" are words in a text.
                keep = [cell is not None and bool(cell.strip()) for cell in cells]
            else:
                keep = [cell is not None for cell in self.present(cells)]
            batch = self._drop(batch, np.array(keep, dtype=bool), reason)
        return batch

    def _drop(self, batch: Batch, keep: Array, reason: str) -> Batch:
        if keep.all():
            return batch
        left = batch.select(keep)
        self._dropped[reason] += batch.records - left.records
        return left

    def columns(self, *names: str) -> list[list[str | None]]:
        """Whole columns of the records that can be measured, for training.

        Raises
        ------
        FairauditError
            If no record is left.
        """
        found: list[list[str | None]] = [[] for _ in names]
        for part in self.parts(names):
            for column, name in zip(found, names, strict=True):
                column.extend(part.labels[name])
        self.records()
        return found

    def records(self) -> Records:
        """What became of the records.

        Raises
        ------
        FairauditError
            If none is left.
        """
        dropped = {reason: count for reason, count in self._dropped.items() if count}
        if not self.used:
            why = "; ".join(f"{reason}: {count}" for reason, count in dropped.items())
            raise FairauditError(f"{self.table.name}: no records to audit{why and f' ({why})'}.")
        return Records(self.total, self.used, dropped)


def _subject(options: _Options, reader: _Reader, seed: int) -> _OfTexts | _OfTable:
    """What is audited: a model, or the baseline that is trained here."""
    if not options.in_file:
        return _OfTexts(options, reader, seed, None)
    model = stored.load(str(options.model))
    steps = [step for _, step in getattr(model, "steps", [])]
    if options.text is not None:
        return _OfTexts(options, reader, seed, model)
    if steps and hasattr(steps[0], "build_analyzer"):
        raise FairauditError(f"--text: {options.model} reads texts: name their column.")
    return _OfTable(options, reader, model)


class _About(NamedTuple):
    """What is about the protected attribute, in the model's own terms, and what to say of it."""

    source: Any
    name: str
    notes: tuple[str, ...] = ()


class _OfTexts:
    """Sensitivity of a classifier of texts, and its predictions where roles are reversed."""

    columns = _COLUMNS + _REVERSED
    metrics = tuple(SENSITIVITY)

    def __init__(self, options: _Options, reader: _Reader, seed: int, stored_model: Any) -> None:
        self.options, self._reader, self._seed = options, reader, seed
        self._swapper = Swapper(_lexicon(options.swap_list))
        self._text = str(options.text)
        self._measured = self._changed = self._truncated = self._without = 0
        self._notes: list[str] = []
        self._kind = options.source(reader.table)
        if options.model is None:
            self._probe, about = self._baseline()
        elif options.in_file:
            self._probe, about = self._linear(stored_model)
        else:
            self._probe, about = self._neural()
        self._notes += about.notes
        self.classes = self._probe.classes
        custom = options.swap_list is not None
        neural = options.model is not None and not options.in_file
        self.settings = {
            "model": self._probe.name[:16] if neural else self._probe.name,
            "protected": about.name,
            "form": options.form if neural else None,
            "over": None if neural else "present",
            "normalize": options.normalize,
            "swap": _digest(self._swapper.lexicon) if custom else None,
        }

    def measure(self, batch: Batch) -> tuple[Measured, Array]:
        """What the model says of some records, and their counts, shape (n, 5)."""
        texts = [str(cell) for cell in batch.labels[self._text]]
        found = self._probe.measure(texts, _gold(self.options, batch, self.classes))
        counts = np.zeros((len(texts), len(self.columns)))
        counts[:, 0], counts[:, 1] = 1, found.sensitivity
        other = [self._swapper.swap(text) for text in texts]
        changed = [i for i, text in enumerate(texts) if other[i] != text]
        if changed:
            before = found.probabilities[changed]
            after = _predict_reversed(self._probe, [texts[i] for i in changed],
                                      [other[i] for i in changed])  # fmt: skip
            counts[changed, 2] = 1
            # Rounding must not carry a share over 1.
            counts[changed, 3] = np.minimum(np.abs(before - after).sum(axis=1) / 2, 1)
            counts[changed, 4] = before.argmax(axis=1) != after.argmax(axis=1)
        self._measured += len(texts)
        self._changed += len(changed)
        self._truncated += int(found.truncated.sum())
        self._without += int(np.count_nonzero(found.sensitivity == 0))
        return found, counts

    def notes(self) -> Iterator[str]:
        """What a reader must know of the model and of what it could read."""
        yield from self._notes
        yield _CAVEAT
        if self._kind in ("column", "folder") and self.options.normalize:
            yield (
                "The weights of each text are divided by their sum, so a text that says little "
                "about the attribute counts like one that says much; --no-normalize tells them "
                "apart."
            )
        yield f"Role reversal changes {self._changed:,} of {self._measured:,} texts."
        if self._truncated:
            yield (
                f"{self._truncated:,} texts are longer than the model reads at once; only their "
                "beginning was read. --window reads all."
            )
        if self._kind == "words" and self._without:
            yield (
                f"{self._without:,} texts have no listed word that the model knows; their "
                "sensitivity is 0."
            )

    def _baseline(self) -> tuple[Probe, _About]:
        texts, labels, *rest = self._training(str(self.options.label))
        known = self._known(texts, rest[0]) if rest else None
        stored.require("sensitivity", "sklearn")
        with _naming(f"--label {self.options.label}"):
            baseline = train_baseline(_strings(texts), _strings(labels), self._seed)
        self._notes.append(
            f"No --model was given: a baseline was trained on {self.options.label}, TF-IDF with "
            "logistic regression in five folds, and each text is measured by the model that has "
            f"not seen it. {_quality(baseline.accuracy, baseline.majority)}"
            + (" Its predictions are noise." if baseline.accuracy <= baseline.majority else "")
        )
        about = self._about_baseline(baseline, known)
        words = about.source if self._kind == "words" else None
        probe = (about.source if self._kind == "column" else baseline).probe(
            words, self.options.weighting, normalize=self.options.normalize, over="present"
        )
        return probe, about

    def _about_baseline(
        self, baseline: Baseline, known: tuple[list[str], list[str]] | None
    ) -> _About:
        if known is None:
            return self._fixed()
        with _naming(f"--protected {self.options.protected}"):
            found = with_protected(baseline, *known)
        return self._trained(found, found.protected_accuracy, found.protected_majority)

    def _linear(self, model: Any) -> tuple[Probe, _About]:
        about = self._fixed() if self._kind != "column" else self._about_linear(model)
        probe = LinearProbe(
            model,
            about.source,
            self.options.weighting,
            normalize=self.options.normalize,
            over="present",
            name=f"{type(model).__name__} {_file_digest(str(self.options.model))}",
        )
        return probe, about

    def _about_linear(self, model: Any) -> _About:
        LinearProbe(model)  # says what is wrong with it, before anything is trained on it
        texts, values = self._training()
        known = self._known(texts, values)
        with _naming(f"--protected {self.options.protected}"):
            found = train_protected_linear(model, *known, self._seed)
        return self._trained(found.model, found.accuracy, found.majority)

    def _neural(self) -> tuple[Probe, _About]:
        require("sensitivity", "torch", "transformers")
        from fairaudit.lm.sensitivity.neural import NeuralProbe

        classifier = self._classifier(str(self.options.model), "--model")
        about = self._about_neural(classifier)
        options = self.options
        probe = NeuralProbe(
            classifier,
            about.source,
            options.form,
            options.weighting,
            options.normalize,
        )
        return probe, about

    def _about_neural(self, classifier: Any) -> _About:
        from fairaudit.lm.sensitivity.protected import (
            ProtectedModel,
            Uniform,
            Words,
            train_protected,
        )

        if self._kind == "folder":
            name = self.options.protected
            model = ProtectedModel(self._classifier(name, "--protected"), classifier)
            return _About(model, model.name[:22], tuple(_disagreement(model, self.options.form)))
        if self._kind == "column":
            texts, values = self._training()
            known = self._known(texts, values)
            with _naming(f"--protected {self.options.protected}"):
                found = train_protected(classifier, *known, self._seed)
            return self._trained(found, found.accuracy, found.majority)
        about = self._fixed()
        return about._replace(source=Uniform() if about.source is None else Words(about.source))

    def _classifier(self, name: str, option: str) -> Any:
        from fairaudit.lm.classifiers import TextClassifier

        given = self.options
        return TextClassifier(
            checkpoints.find(name, given.allow_pickle, option),
            name,
            given.device,
            batch=given.batch,
            window=given.window,
            allow_pickle=given.allow_pickle,
            option=option,
            warn=given.warn,
        )

    def _training(self, *names: str) -> list[list[str | None]]:
        """Texts, further columns, and the protected one, where it is one; all records."""
        protected = [self.options.protected] if self._kind == "column" else []
        return self._reader.columns(self._text, *names, *protected)

    def _known(self, texts: Any, cells: Any) -> tuple[list[str], list[str]]:
        """Texts and protected values of the records that have one."""
        column, values = self.options.protected, self._reader.present(cells)
        known = [value for value in values if value is not None]
        if len(set(known)) < 2:
            only = f"holds only '{known[0]}'" if known else "has no values"
            raise FairauditError(
                f"--protected {column}: the column {only}; to train a model of it takes two "
                "values or more. Name another column, words or uniform."
            )
        if len(known) < len(values):
            self._notes.append(
                f"{len(values) - len(known):,} records have no {column}; the model of it was "
                "trained without them."
            )
        return [text for text, v in zip(texts, values, strict=True) if v is not None], known

    def _trained(self, source: Any, accuracy: float, majority: float) -> _About:
        column = self.options.protected
        noise = " What it points at is noise." if accuracy <= majority else ""
        said = f"A model of {column} was trained here. {_quality(accuracy, majority)}{noise}"
        return _About(source, f"column {column}", (said,))

    def _fixed(self) -> _About:
        """Words, or everything alike."""
        if self._kind == "uniform":
            return _About(None, "uniform")
        words = _listed_words(self._swapper.lexicon)
        if not words:
            raise FairauditError(
                f"--protected words: {self.options.swap_list} lists none. Add pairs, or name a "
                "column or uniform."
            )
        return _About(words, "words")


class _OfTable:
    """Sensitivity of a classifier of tables to one of their columns."""

    columns = _COLUMNS
    metrics = tuple(SENSITIVITY[:1])

    def __init__(self, options: _Options, reader: _Reader, model: Any) -> None:
        self._refuse(options)
        self.options, self._reader = options, reader
        self._names = _features(model, options, reader.table)
        reader.required[options.protected] = f"no {options.protected}"
        reader.further = self._names
        cells = dict(zip(self._names, reader.columns(*self._names), strict=True))
        self._read = {name: self._reading(name, column) for name, column in cells.items()}
        observed = {name: self._read[name](column) for name, column in cells.items()}
        self._check_values(observed)
        self._probe = TabularProbe(
            model,
            options.protected,
            observed,
            options.weighting,
            name=f"{type(model).__name__} {_file_digest(str(options.model))}",
        )
        self.classes = self._probe.classes
        self.settings = {
            "model": self._probe.name,
            "protected": f"column {options.protected}",
            "measure": self._probe.kind,
        }

    def _refuse(self, options: _Options) -> None:
        """Refuse what only models of texts take: it would be ignored."""
        for option, given in (
            ("--swap-list", options.swap_list is not None),
            ("--explain", options.explain),
            ("--window", options.window),
        ):
            if given:
                raise FairauditError(
                    f"{option} is for models of texts; {options.model} reads a table."
                )

    def _check_values(self, observed: Mapping[str, Array]) -> None:
        column = self.options.protected
        if len(values := np.unique(observed[column])) < 2:
            raise FairauditError(
                f"--protected {column}: the column holds only '{values[0]}'; there is nothing to "
                "change it to."
            )

    def _reading(self, name: str, cells: Sequence[str | None]) -> Callable[[Any], Array]:
        """How a column's cells are read: as truth values, as numbers if all are, or as they are."""
        present = [cell for cell in self._reader.present(cells) if cell is not None]
        if self._reader.table.column(name).type == "BOOLEAN" and len(present) == len(cells):
            return lambda some: np.array([cell == "true" for cell in some])
        if all(map(_is_number, present)):
            return lambda some: np.array(
                [np.nan if c is None else float(c) for c in self._reader.present(some)]
            )
        return lambda some: np.array(self._reader.present(some), dtype=object)

    def measure(self, batch: Batch) -> tuple[Measured, Array]:
        """What the model says of some records, and their counts, shape (n, 2)."""
        records = {name: self._read[name](batch.labels[name]) for name in self._names}
        found = self._probe.measure(records, _gold(self.options, batch, self.classes))
        return found, np.column_stack([np.ones(len(batch.keep)), found.sensitivity])

    def notes(self) -> Iterator[str]:
        """What was measured."""
        column = self.options.protected
        if self._probe.kind == "changed_value":
            yield (
                f"Sensitivity is the mean total variation between a record's prediction and those "
                f"with each other value of {column}, all else equal: between 0 and 1."
            )
            return
        yield f"Sensitivity is the change of the probability per unit of {column}, all else equal."
        yield _CAVEAT


def _features(model: Any, options: _Options, table: Table) -> list[str]:
    """Columns that a model of tables reads."""
    if not hasattr(model, "feature_names_in_"):
        raise FairauditError(
            f"{options.model}: does not say which columns it reads. Fit it on a data frame, or, "
            "if it reads texts, name their column: --text."
        )
    names = [str(name) for name in model.feature_names_in_]
    for name in names:
        if name not in table.names:
            raise FairauditError(
                f"{table.name}: no column '{name}', which the model reads. "
                f"{nearest(name, table.names)}"
            )
        table.column(name)
    if options.protected not in names:
        raise FairauditError(
            f"--protected {options.protected}: the model does not read this column, so it cannot "
            f"be sensitive to it. It reads: {', '.join(names)}."
        )
    return names


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text))) and "_" not in text
    except ValueError:
        return False


def _gold(options: _Options, batch: Batch, classes: Sequence[str]) -> list[int] | None:
    """Places of the true labels among the classes, where they are asked for."""
    if options.weighting != "gold" or options.label is None:
        return None
    place = {name: i for i, name in enumerate(classes)}
    cells = batch.labels[options.label]
    for cell in cells:
        if cell not in place:
            raise FairauditError(
                f"--label {options.label}: '{cell}' is none of the model's classes: "
                f"{', '.join(classes)}."
            )
    return [place[str(cell)] for cell in cells]


def _predict_reversed(probe: Probe, texts: Sequence[str], reversed_: Sequence[str]) -> Array:
    """Probabilities of reversed texts, by the same model that measured the texts."""
    if not isinstance(probe, CrossFitted):
        return probe.predict(reversed_)
    fold = probe.baseline.fold_of(texts)
    found = np.empty((len(texts), len(probe.classes)))
    for k in np.unique(fold):
        places = np.flatnonzero(fold == k).tolist()
        found[places] = probe.probes[k].predict([reversed_[i] for i in places])
    return found


@contextmanager
def _naming(option: str) -> Iterator[None]:
    """Say which option's column a model could not be trained on."""
    try:
        yield
    except FairauditError as error:
        raise FairauditError(f"{option}: {error}") from None


def _strings(cells: Iterable[Any]) -> list[str]:
    return [str(cell) for cell in cells]


def _lexicon(path: str | Path | None) -> Lexicon:
    return Lexicon.default() if path is None else Lexicon.read(path)


def _listed_words(lexicon: Lexicon) -> list[str]:
    """The words and phrases that role reversal replaces, or puts in their place."""
    words = {*chain(*lexicon.pairs), *chain(*lexicon.one_way), *chain(*lexicon.titles)}
    if lexicon.pronouns:
        words |= {"him", "her", "his", "hers"}
    return sorted(words - set(lexicon.keep))


def _digest(lexicon: Lexicon) -> str:
    """Short digest of what a word list says, wherever it lies."""
    content = (lexicon.attribute, lexicon.pairs, lexicon.one_way, lexicon.titles, lexicon.keep)
    return hashlib.sha256(repr((*content, lexicon.pronouns)).encode()).hexdigest()[:12]


def _file_digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]


def _quality(accuracy: float, majority: float) -> str:
    return (
        f"It gets {100 * accuracy:.1f} % of held-out records right; always answering the "
        f"commonest value would get {100 * majority:.1f} %."
    )


def _disagreement(model: Any, form: str) -> Iterator[str]:
    """Where the components of two models' embeddings mean different things."""
    if form == "elementwise" and model.agreement < _AGREE:
        yield (
            f"The embeddings of the two models differ (mean cosine {model.agreement:.2f}), so "
            "their components cannot be compared one by one: use --form token."
        )


@dataclass
class _Tokens:
    """What the tokens of one group add to its sensitivity, and to that of each record."""

    total: float = 0.0
    added: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    parts: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    occurrences: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: _Tokens) -> _Tokens:
        self.total += other.total
        for token, share in other.added.items():
            self.added[token] += share
            self.parts[token] += other.parts[token]
        self.occurrences.update(other.occurrences)
        self.records.update(other.records)
        return self

    def add(self, tokens: Sequence[tuple[str, float]], sensitivity: float) -> None:
        """Add a record."""
        self.total += sensitivity
        for token, share in tokens:
            self.added[token] += share
            self.parts[token] += share / sensitivity if sensitivity else 0.0
        names = [token for token, _ in tokens]
        self.occurrences.update(names)
        self.records.update(set(names))

    def largest(self) -> Iterator[dict[str, Any]]:
        """The tokens that add most."""
        order = sorted(self.added, key=lambda token: (-self.added[token], token))
        for token in order[:_TOKENS]:
            if self.added[token] > 0:
                yield {
                    "token": token,
                    "share": self.added[token] / self.total,
                    "records": self.records[token],
                    "mean": self.parts[token] / self.occurrences[token],
                }


class _Explainer:
    """Remembers which tokens the predictions of each group are sensitive to, and the worst texts.

    Memory grows with the number of different tokens and of groups.
    """

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping
        self._all = _Tokens()
        self._of: list[dict[int, _Tokens]] = [defaultdict(_Tokens) for _ in grouping.attributes]
        self._texts: list[tuple[float, dict[str, Any]]] = []

    def add(self, found: Measured, classes: Sequence[str], codes: Codes) -> None:
        """Add some records."""
        sizes, predicted = found.sensitivity.tolist(), found.probabilities.argmax(axis=1)
        for i, (tokens, size) in enumerate(zip(found.tokens, sizes, strict=True)):
            self._all.add(tokens, size)
            for of, groups in zip(self._of, codes.groups, strict=True):
                of[int(groups[i])].add(tokens, size)
        for i in np.argsort(-found.sensitivity, kind="stable")[:_TEXTS].tolist():
            if sizes[i] > 0:
                said = _quoted(found.tokens[i], sizes[i], classes[predicted[i]])
                self._texts.append((sizes[i], said))
        self._texts = sorted(self._texts, key=lambda each: -each[0])[:_TEXTS]

    def explanations(self) -> Iterator[Explanation]:
        """Tokens over all and by group, then texts."""
        yield from _token_rows(None, ALL, self._all)
        for i, (attribute, of) in enumerate(zip(self._grouping.attributes, self._of, strict=True)):
            merged: dict[str, _Tokens] = defaultdict(_Tokens)
            names = self._grouping.group_names(i)
            for code in sorted(of):
                merged[names[code]] += of[code]
            for group in sorted(merged):
                yield from _token_rows(attribute.name, group, merged[group])
        for _, content in self._texts:
            yield Explanation("sensitive_text", None, ALL, content)


def _token_rows(attribute: str | None, group: str, tokens: _Tokens) -> Iterator[Explanation]:
    for content in tokens.largest():
        yield Explanation("sensitive_token", attribute, group, content)


def _quoted(tokens: Sequence[tuple[str, float]], size: float, predicted: str) -> dict[str, Any]:
    shares = [[token, share / size] for token, share in tokens[:_LONGEST]]
    return {"tokens": shares, "sensitivity": size, "predicted": predicted}
