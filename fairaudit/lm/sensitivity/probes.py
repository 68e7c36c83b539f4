"""Which model of texts is measured, and what is about the protected attribute in its terms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from fairaudit.lm.sensitivity.measured import Form, Probe
from fairaudit.lm.sensitivity.options import Options
from fairaudit.lm.sensitivity.reading import Reader
from fairaudit.lm.swap import Lexicon

#: Below this mean cosine two models' embeddings have components of different meanings.
_AGREE = 0.9


def text_probe(
    options: Options, reader: Reader, lexicon: Lexicon, seed: int, model: Any = None
) -> Made:
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
    Made

    Raises
    ------
    FairauditError
        If a model cannot be read, trained or measured.
    """
    from fairaudit.lm.sensitivity.protected import Words

    making = _Making(options, reader, lexicon, seed)
    if options.model is None:
        probe, about = making.on_encoder() if options.encoder else making.baseline()
    else:
        probe, about = making.linear(model) if options.in_file else making.neural()
    return Made(
        probe,
        about.name,
        making.form,
        [*making.notes, *about.notes],
        Words(_listed_words(lexicon)).stands_in if about.name == "words" else None,
    )


class Made(NamedTuple):
    """A probe, and what to say of it.

    Attributes
    ----------
    probe : Probe
    protected : str
        What is about the protected attribute, for the audit's settings.
    form : str or None
        How gradients are joined, where they are.
    notes : list of str
        What a reader must know.
    is_listed : callable or None
        Where words are what is about the attribute: whether a text has one.
    """

    probe: Probe
    protected: str
    form: Form | None
    notes: list[str]
    is_listed: Callable[[str], bool] | None


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
        self.form: Form | None = options.form if options.neural else None

    def baseline(self) -> tuple[Probe, _About]:
        """One that is trained here, each text measured by what has not seen it."""
        texts, labels, *rest = self._training(str(self.options.label))
        known = self._known(texts, rest[0]) if rest else None
        require("sensitivity", "sklearn", extra="sklearn")
        with _naming(f"--label {self.options.label}"):
            baseline = train_baseline(_strings(texts), _strings(labels), self._seed)
        self.notes.append(
            _said_of_baseline("TF-IDF with logistic regression", baseline, self.options)
        )
        about = self._about_baseline(baseline, known)
        words = about.source if self._kind == "words" else None
        probe = (about.source if self._kind == "column" else baseline).probe(
            words,
            self.options.weighting,
            normalize=self.options.normalize,
            named=self.options.explain,
        )
        return probe, about

    def on_encoder(self) -> tuple[Probe, _About]:
        """A linear head on a given encoder that is trained here, each text as by `baseline`."""
        from fairaudit.lm.sensitivity.encoder import train_encoder_baseline

        given = self.options
        texts, labels, *_ = self._training(str(given.label))
        with _naming(f"--label {given.label}"):
            baseline = train_encoder_baseline(
                str(given.encoder),
                _strings(texts),
                _strings(labels),
                self._seed,
                progress=lambda done, _: given.progress(done),
                **self._reading(),
            )
        what = f"logistic regression on the mean of the last layer of {given.encoder}"
        self.notes.append(_said_of_baseline(what, baseline, given))
        about = self._about_neural(baseline)
        form = self.form or given.form
        return baseline.probe(about.source, form, given.weighting, given.normalize), about

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
            name=stored.name(model, str(self.options.model)),
            named=self.options.explain,
        )
        if self.options.explain and not probe.reads_words:
            self.notes.append(
                "The model reads no words but pieces of texts: what is listed are its features."
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

        classifier = self._classifier(str(self.options.model), "--model", self.options.target)
        about = self._about_neural(classifier)
        given = self.options
        form = self.form or given.form
        probe = NeuralProbe(classifier, about.source, form, given.weighting, given.normalize)
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
            self._settle_form(model.agreement)
            return _About(model, model.name[:22])
        if self._kind == "column":
            known = self._known(*self._training())
            with _naming(f"--protected {self.options.protected}"):
                found = train_protected(classifier, *known, self._seed)
            return self._trained(found, found.accuracy, found.majority)
        about = self._fixed()
        return about._replace(source=Uniform() if about.source is None else Words(about.source))

    def _settle_form(self, agreement: float) -> None:
        """Where components of two models' embeddings mean different things, take norms."""
        if self.form == "token" or agreement >= _AGREE:
            return
        differ = f"the embeddings of the two models differ (mean cosine {agreement:.2f})"
        if "--form" in self.options.asked:
            raise FairauditError(
                f"--form {self.options.form}: {differ}, so their components cannot be compared "
                "one by one. Use --form token."
            )
        self.form = "token"
        self.notes.append(
            f"As {differ}, gradients are joined by the norms of tokens: --form token."
        )

    def _classifier(self, name: str, option: str, target: str | None = None) -> Any:
        from fairaudit.lm.classifiers import TextClassifier

        folder = checkpoints.find(name, self.options.allow_pickle, option)
        return TextClassifier(folder, name, option=option, target=target, **self._reading())

    def _reading(self) -> dict[str, Any]:
        """How models of texts are to read."""
        names = ("device", "batch", "window", "allow_pickle", "warn")
        return {name: getattr(self.options, name) for name in names}

    def _training(self, *names: str) -> list[list[str | None]]:
        """Texts, further columns, and the protected one, where it is one; all records."""
        protected = [self.options.protected] if self._kind == "column" else []
        return self._reader.columns(self._text, *names, *protected)

    def _known(self, texts: Any, cells: Any) -> tuple[list[str], list[str]]:
        """Texts and protected values of the records that have one."""
        column, values = self.options.protected, self._reader.present(cells)
        known = [value for value in values if value is not None]
        _refuse_one_value(column, known)
        if gone := len(values) - len(known):
            have, them = ("records have", "them") if gone > 1 else ("record has", "it")
            self.notes.append(
                f"{gone:,} {have} no {column}; the model of it was trained without {them}."
            )
        self.notes += _said_of_words(self.options, self._lexicon, set(known))
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
        if str(error).startswith("--"):
            raise  # about another option, which it names
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


def _said_of_words(options: Options, lexicon: Lexicon, values: set[str]) -> Iterator[str]:
    """Where role reversal is about another attribute than the column."""
    column, attribute = options.protected, lexicon.attribute
    parts = {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", column)}
    alike = {attribute.lower(), *(["sex"] if attribute == "gender" else [])}
    told = sum(value.lower() in lexicon.canonical for value in values)
    if options.swap_list is None and parts.isdisjoint(alike) and told < 2:
        yield (
            f"CF change and CF flips are about {attribute}, not about {column}: --swap-list FILE "
            f"gives words of {column}."
        )


def _listed_words(lexicon: Lexicon) -> list[str]:
    """The words and phrases that role reversal replaces, or puts in their place."""
    words = {*chain(*lexicon.pairs), *chain(*lexicon.one_way), *chain(*lexicon.titles)}
    if lexicon.pronouns:
        words |= {"him", "her", "his", "hers"}
    return sorted(words - set(lexicon.keep))


def _said_of_baseline(what: str, baseline: Any, options: Options) -> str:
    noise = " Its predictions are noise." if baseline.accuracy <= baseline.majority else ""
    return (
        f"No --model was given: a baseline was trained on {options.label}, {what} "
        "in five folds, and each text is measured by the model that has not seen it. "
        f"{_quality(baseline.accuracy, baseline.majority)}{noise}"
    )


def _quality(accuracy: float, majority: float) -> str:
    return (
        f"It gets {100 * accuracy:.1f} % of held-out records right; always answering the "
        f"commonest value would get {100 * majority:.1f} %."
    )
