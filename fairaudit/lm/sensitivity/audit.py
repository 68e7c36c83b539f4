"""How much the predictions of a model move with a protected attribute, by group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fairaudit.assess import Design, assessments, conclude
from fairaudit.audit import Audit, Records
from fairaudit.exceptions import FairauditError
from fairaudit.groups import Grouping
from fairaudit.lm.sensitivity.explainer import Explainer
from fairaudit.lm.sensitivity.measured import Form, Weighting
from fairaudit.lm.sensitivity.options import Options
from fairaudit.lm.sensitivity.reading import Reader
from fairaudit.lm.sensitivity.subjects import OfTable, OfTexts, subject_of
from fairaudit.metrics import METRICS
from fairaudit.selection import Selection
from fairaudit.table import MISSING_VALUES, Workspace


def sensitivity(
    data: Any,
    *,
    protected: str,
    text: str | None = None,
    model: str | Path | None = None,
    encoder: str | Path | None = None,
    target: str | None = None,
    label: str | None = None,
    by: str | Sequence[str] = (),
    cluster: str | None = None,
    weighting: Weighting | None = None,
    form: Form | None = None,
    normalize: bool | None = None,
    swap_list: str | Path | None = None,
    names: str | Path | None = None,
    explain: bool = False,
    texts: bool = True,
    window: bool = False,
    batch: int | None = None,
    device: str | None = None,
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
    encoder : str or Path, optional
        A folder or a name of an encoder, such as BERT: the baseline is then a linear head on it,
        instead of on TF-IDF.
    target : str, optional
        Of a model that gives several labels to one text, the one that is measured.
    label : str, optional
        Column of what was true.
    by : str or sequence of str
        Attributes, and crossings such as ``sex:race``.
    cluster : str, optional
        Column of what was sampled independently.
    weighting : {"predicted", "gold", "uniform"}, optional
        Which classes' probabilities count; by default the predicted one's. Not where a value is
        changed.
    form : {"elementwise", "token"}, optional
        How the components of a token's gradients are joined; see `accumulate`. For model folders.
        By default elementwise, or token where `protected` is a folder whose model has other
        embeddings.
    normalize : bool, optional
        Divide the weights of a text's tokens by their sum, the default: sensitivity is then a
        weighted mean over tokens, not a sum. For models of texts.
    swap_list : str or Path, optional
        Word list for role reversal (TOML); gender by default.
    names : str or Path, optional
        First names for role reversal: a table of name, gender and count, or pairs (TOML).
    explain : bool
        Whether to say which tokens predictions are sensitive to; the file then quotes the data.
    texts : bool
        Whether any word of the data may be quoted at all; not with `explain`.
    window : bool
        Read texts longer than the model's context in windows, not their beginning alone. For
        model folders, as are the next three.
    batch : int, optional
        Texts that a neural model reads at once; 32 by default.
    device : str, optional
        ``auto`` (the default), ``cpu``, ``cuda`` or ``cuda:N``.
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
        If data, models or arguments do not allow an audit, or one of these would do nothing; the
        message says what to do.

    Notes
    -----
    Krishna et al., "Measuring Fairness of Text Classifiers via Prediction Sensitivity", ACL 2022.
    Of linear models of texts P is summed over the words in a text, not over the vocabulary: with
    two classes the latter differs between records by p (1 - p) alone.

    Normalising does not make lengths comparable altogether: of a neural model a token moves the
    prediction less the longer the text. Of texts that were written twice, the mean P of tiny BERT,
    GPT-2 and DistilBERT models with random weights was 0.57, 0.43 and 1.25 times that of the texts
    once (not normalised 1.22, 0.90 and 2.72 times); of a linear model on TF-IDF it is the same.

    Memory holds the texts of the whole table only where a model is trained here, and the columns
    that a model of tables reads.
    """
    if explain and not texts:
        raise FairauditError("--explain quotes words of the data, --no-texts forbids it: drop one.")
    options = Options.of(
        text=text, model=None if model is None else str(model),
        encoder=None if encoder is None else str(encoder), target=target,
        protected=protected, label=label,
        weighting=weighting, form=form, normalize=normalize, swap_list=swap_list, names=names,
        window=window, batch=batch, device=device, allow_pickle=allow_pickle, explain=explain,
        progress=progress, warn=warn,
    )  # fmt: skip
    selection = Selection.of(by, cluster, bins, where, na)
    settings = Design(**design)
    with Workspace() as workspace:
        table = workspace.open(data)
        selection = selection.resolve(table)
        options.resolve(table)
        reader = Reader(table, options, selection)
        subject = subject_of(options, reader, settings.seed)
        grouping = selection.grouping(subject.columns)
        explainer = Explainer(grouping) if explain else None
        records = _read(reader, subject, grouping, explainer, progress)
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


def _read(
    reader: Reader,
    subject: OfTexts | OfTable,
    grouping: Grouping,
    explainer: Explainer | None,
    progress: Callable[[int], None],
) -> Records:
    """Measure all records and add them to their groups; what became of them."""
    for part in reader.parts():
        found, counts = subject.measure(part)
        codes = grouping.add(part.labels, counts)
        if explainer is not None:
            explainer.add(found, subject.classes, codes)
        progress(reader.total)
    return reader.records()
