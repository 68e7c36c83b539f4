"""The text formats of speech recognition, read into rows of text.

NIST's trn, stm and ctm (sclite's documentation, infmts.htm, and its source where that says
less), Kaldi's files of a data directory, and SegLST (MeetEval). A reader gives column names and,
as they are asked for, rows; what it cannot read it names by file and line.

Columns called ``text_trn`` hold NIST's notation, taken apart by `markup`: ``{ um / uh / @ }`` is
one of several wordings (``@``: no word), ``(so)`` a word that may be left out.
"""

from __future__ import annotations

from pathlib import Path

from fairaudit.exceptions import FairauditError
from fairaudit.formats.ctm import like_ctm, read_ctm
from fairaudit.formats.kaldi import is_kaldi_name, like_kaldi, read_kaldi
from fairaudit.formats.nist import like_stm, like_trn, markup, read_stm, read_trn
from fairaudit.formats.rows import Rows
from fairaudit.formats.seglst import read_seglst

__all__ = ["FORMATS", "Rows", "detect", "markup", "read", "read_ctm"]

FORMATS = ("trn", "stm", "ctm", "kaldi", "seglst")

_SUFFIXES = {".trn": "trn", ".stm": "stm", ".ctm": "ctm", ".seglst.json": "seglst"}
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq")
#: ctm goes first: where all its words are digits, its lines could be stm as well.
_LOOKS = {"ctm": like_ctm, "stm": like_stm, "trn": like_trn}
_READERS = {"trn": read_trn, "stm": read_stm, "kaldi": read_kaldi, "seglst": read_seglst}


def detect(name: str, start: bytes) -> str | None:
    r"""Tell the format of a file; None where it is more likely a table.

    Parameters
    ----------
    name : str
        Its name, which decides where it is one of the field's: ``.trn``, ``.stm``, ``.ctm``,
        ``.seglst.json``, or Kaldi's ``text``, ``utt2...`` and ``spk2...``.
    start : bytes
        Its first 4,096 bytes or so, decompressed. They tell NIST's formats under any name that
        is not a table's; two lines at least, all of that kind.

    Examples
    --------
    >>> detect("dev.ref", b"hello world (ann-1)\nhow are you (bob-1)\n")
    'trn'
    >>> detect("dev.txt", b"reference,hypothesis\nhello (ann-1),hello (ann-1)\n") is None
    True
    """
    base = Path(name).name.removesuffix(".gz")
    for suffix, format in _SUFFIXES.items():
        if base.lower().endswith(suffix):
            return format
    lines = _whole_lines(start)
    if is_kaldi_name(base):
        return "kaldi" if like_kaldi(lines) else None
    if base.lower().endswith(_TABLES) or len(lines) < 2:
        return None
    return next((format for format, like in _LOOKS.items() if like(lines)), None)


def _whole_lines(start: bytes) -> list[str]:
    """Lines that hold something, without the last, which may be cut off."""
    whole = start[: start.rfind(b"\n") + 1] or start
    lines = whole.decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
    return [line for line in lines if line.strip() and not line.startswith(";;")]


def read(path: Path, name: str, format: str) -> Rows:
    r"""Read a file of one of the `FORMATS`, compressed by gzip or not.

    trn
        ``id, speaker, text_trn``. The speaker is what stands before the first hyphen of the id,
        else before its first underscore (sclite's ``-i spu_id``); of ids like ``4t0c0201`` the
        first three characters (``-i wsj``), and these ids are taken to lower case, as their
        files mix both. None for ids of other kinds.
    stm
        ``id, recording, channel, speaker, begin, end, duration``, a column for each place in the
        labels, called as its ``CATEGORY`` line says (``label1`` where it has no title), and
        ``text_trn``. A label is given by the heading of its ``LABEL`` line, where that is its
        own. The first word is the label if it begins with ``<``. Segments that are to be
        ignored in scoring are left out and counted in ``dropped``.
    kaldi
        By the name: ``text`` gives ``id, text`` and ``utt2spk`` ``id, speaker``; any other
        ``utt2X`` or ``spk2X`` gives ``X`` of each id or speaker.
    seglst
        The keys of the objects, ``words`` as ``text``. The ``id`` is the object's own, else
        made of session, speaker and times.

    In trn, stm and ctm, lines that begin with ``;;`` are comments, and tags after a ``;`` are no
    part of a word (``\;`` is a semicolon).

    Parameters
    ----------
    path : Path
        What is read.
    name : str
        What messages call it; for Kaldi's files it says what they hold.
    format : str
        One of `FORMATS`. A ctm file needs its stm file: `read_ctm`.

    Returns
    -------
    Rows

    Raises
    ------
    FairauditError
        If a line cannot be read as the format has it, or an id stands twice; most faults show
        only when rows are asked for.
    """
    if format == "ctm":
        raise FairauditError(
            f"{name}: a ctm file has words and times, no utterances. Give it as hypotheses "
            "together with the stm file of its references."
        )
    return _READERS[format](path, name)
