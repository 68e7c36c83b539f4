"""Which model of texts is measured, and what is about the protected attribute in its terms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

from fairaudit.exceptions import FairauditError
from fairaudit.lm import checkpoints, require
from fairaudit.lm.sensitivity import stored
from fairaudit.lm.sensitivity.baseline import (
    Baseline,
    train_baseline,
    train_protected_linear,
    with_protected,
)
from fairaudit.lm.sensitivity.linear import LinearProbe
from fairaudit.lm.sensitivity.measured import Probe
from fairaudit.lm.sensitivity.options import Options
from fairaudit.lm.sensitivity.reading import Reader
from fairaudit.lm.swap import Lexicon

#: Below this mean cosine two models' embeddings have components of different meanings.
_AGREE = 0.9


def text_probe(
    options: Options, reader: Reader, lexicon: Lexicon, seed: int, model: Any = None
) -> tuple[Probe, str, list[str]]:
    """The probe that is asked for.

    Parameters
    ----------
    options : Options
    reader : Reader
        Of the texts on which models are trained, where that is asked for.
    lexicon : Lexicon
        Its words are those about the attribute, where these are asked for.
    seed : int
    model : scikit-learn estimator, optional
        The model, where it is in a file.

    Returns
    -------
    probe : Probe
    protected : str
        What is about the protected attribute, for the audit's settings.
    notes : list of str

    Raises
    ------
    FairauditError
        If a model cannot be read, trained or measured.
    """
    making = _Making(options, reader, lexicon, seed)
    if options.model is None:
        probe, about = making.baseline()
    else:
        probe, about = making.linear(model) if options.in_file else making.neural()
    return probe, about.name, [*making.notes, *about.notes]


class _About(NamedTuple):
    """What is about the protected attribute, in the model's own terms, and what to say of it."""

    source: Any
    name: str
    notes: tuple[str, ...] = ()


class _Making:
    """Makes a probe of each kind of model, from each kind of protected source."""

    def __init__(self, options: Options, reader: Reader, lexicon: Lexicon, seed: int) -> None:
        self.options, self._reader, self._lexicon, self._seed = options, reader, lexicon, seed
        self._text, self._kind = str(options.text), options.source(reader.table)
        self.notes: list[str] = []

    def baseline(self) -> tuple[Probe, _About]:
        """One that is trained here, each text measured by what has not seen it."""
        texts, labels, *rest = self._training(str(self.options.label))
        known = self._known(texts, rest[0]) if rest else None
        require("sensitivity", "sklearn", extra="sklearn")
        with _naming(f"--label {self.options.label}"):
            baseline = train_baseline(_strings(texts), _strings(labels), self._seed)
        self.notes.append(_said_of_baseline(baseline, self.options.label))
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

    def linear(self, model: Any) -> tuple[Probe, _About]:
        """A scikit-learn pipeline."""
        about = self._fixed() if self._kind != "column" else self._about_linear(model)
        probe = LinearProbe(
            model,
            about.source,
            self.options.weighting,
            normalize=self.options.normalize,
            over="present",
            name=stored.name(model, str(self.options.model)),
        )
        return probe, about

    def _about_linear(self, model: Any) -> _About:
        LinearProbe(model)  # says what is wrong with it, before anything is trained on it
        known = self._known(*self._training())
        with _naming(f"--protected {self.options.protected}"):
            found = train_protected_linear(model, *known, self._seed)
        return self._trained(found.model, found.accuracy, found.majority)

    def neural(self) -> tuple[Probe, _About]:
        """A model folder."""
        require("sensitivity", "torch", "transformers")
        from fairaudit.lm.sensitivity.neural import NeuralProbe

        classifier = self._classifier(str(self.options.model), "--model")
        about = self._about_neural(classifier)
        given = self.options
        probe = NeuralProbe(classifier, about.source, given.form, given.weighting, given.normalize)
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
            known = self._known(*self._training())
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
        _refuse_one_value(column, known)
        if len(known) < len(values):
            self.notes.append(
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
        words = _listed_words(self._lexicon)
        if not words:
            raise FairauditError(
                f"--protected words: {self.options.swap_list} lists none. Add pairs, or name a "
                "column or uniform."
            )
        return _About(words, "words")


@contextmanager
def _naming(option: str) -> Iterator[None]:
    """Say which option's column a model could not be trained on."""
    try:
        yield
    except FairauditError as error:
        raise FairauditError(f"{option}: {error}") from None


def _strings(cells: Iterable[Any]) -> list[str]:
    return [str(cell) for cell in cells]


def _refuse_one_value(column: str, known: Sequence[str]) -> None:
    if len(set(known)) < 2:
        only = f"holds only '{known[0]}'" if known else "has no values"
        raise FairauditError(
            f"--protected {column}: the column {only}; to train a model of it takes two "
            "values or more. Name another column, words or uniform."
        )


def _listed_words(lexicon: Lexicon) -> list[str]:
    """The words and phrases that role reversal replaces, or puts in their place."""
    words = {*chain(*lexicon.pairs), *chain(*lexicon.one_way), *chain(*lexicon.titles)}
    if lexicon.pronouns:
        words |= {"him", "her", "his", "hers"}
    return sorted(words - set(lexicon.keep))


def _said_of_baseline(baseline: Baseline, label: str | None) -> str:
    noise = " Its predictions are noise." if baseline.accuracy <= baseline.majority else ""
    return (
        f"No --model was given: a baseline was trained on {label}, TF-IDF with logistic "
        "regression in five folds, and each text is measured by the model that has not seen it. "
        f"{_quality(baseline.accuracy, baseline.majority)}{noise}"
    )


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
