"""Texts that allow several wordings: which of them an utterance is held against.

NIST's transcripts write ``{ um / uh / @ }`` for one of several wordings and ``(so)`` for a word
that may be left out. Each side is then a network of words, and the two are aligned like two
texts: the path through both with the fewest errors counts. Trying all wordings would take time
exponential in their number; aligning the networks takes the product of their words.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

from fairaudit.formats import markup

#: A text taken apart: ``{``, ``/`` and ``}``, and between them the numbers of its pieces.
_Plan = list[int | str]
#: For each node, in topological order, the arcs into it: from which node, with which word; None
#: where there is no word. Node 0 is the start, the last one the end.
_Network = list[list[tuple[int, str | None]]]

#: Costs: fewest errors first, among those fewest substitutions, among those most hits.
_HIT, _EDIT, _SUBSTITUTION = -1, 1 << 40, (1 << 40) + (1 << 20)
_NEVER = 1 << 62


def resolve(
    references: Sequence[str], hypotheses: Sequence[str], rule: Callable[[str], str]
) -> tuple[list[str], list[str]]:
    """Choose a wording of each reference and of each hypothesis, the two that agree best.

    The fewest word errors decide; among equals the fewest substitutions, then the most hits.
    With case as all that is normalised, words and errors are those of NIST's sclite 2.10 in
    each utterance of its test data (csrnab, lvc, tests). An optional word that was not said is
    no word of the reference; sclite, under ``-D``, counts it as a hit.

    Parameters
    ----------
    references, hypotheses : sequence of str, length n
        Texts in NIST's notation (see `fairaudit.formats.markup`), without line feeds.
    rule : callable
        A normaliser, which gives a text as many lines as it has. It is called once, with what
        stands between marks a line at a time: it cannot join words across them.

    Returns
    -------
    references, hypotheses : list of str, length n
        Normalised texts without marks.

    Raises
    ------
    FairauditError
        If a text is not in the notation; the message shows the text, not where it stands.

    Examples
    --------
    >>> resolve(["i {um / uh / @} see (so)"], ["I uh sea"], str.lower)
    (['i uh see'], ['i uh sea'])
    """
    pieces: list[str] = []
    plans = [[_plan(text, pieces) for text in side] for side in (references, hypotheses)]
    lines = rule("\n".join(pieces)).split("\n")
    pairs = [_wordings(a, b, lines) for a, b in zip(*plans, strict=True)]
    return [spoken for spoken, _ in pairs], [heard for _, heard in pairs]


def _plan(text: str, pieces: list[str]) -> _Plan:
    """Take a text apart; what stands between its marks is added to `pieces`."""
    if not ("{" in text or "(" in text or "@" in text or "}" in text):
        pieces.append(text)
        return [len(pieces) - 1]
    plan: _Plan = []
    depth = 0
    for token in markup(text):
        depth += (token == "{") - (token == "}")  # noqa: S105
        if token in ("{", "}") or (token == "/" and depth):  # noqa: S105
            plan.append(token)
        elif token.startswith("(") and token.endswith(")") and len(token) > 2:
            pieces.append(token[1:-1])
            plan += ["{", len(pieces) - 1, "/", "}"]
        elif token != "@":  # noqa: S105
            if plan and isinstance(plan[-1], int):
                pieces[-1] += f" {token}"
            else:
                pieces.append(token)
                plan.append(len(pieces) - 1)
    return plan


def _wordings(reference: _Plan, hypothesis: _Plan, lines: Sequence[str]) -> tuple[str, str]:
    if len(reference) == len(hypothesis) == 1:
        return lines[int(reference[0])], lines[int(hypothesis[0])]
    spoken, heard = _align(_network(reference, lines), _network(hypothesis, lines))
    return " ".join(spoken), " ".join(heard)


def _network(plan: _Plan, lines: Sequence[str]) -> _Network:
    network: _Network = [[]]
    at = 0
    opened: list[tuple[int, list[int]]] = []
    for step in plan:
        if isinstance(step, int):
            for word in lines[step].split():
                network.append([(at, word)])
                at = len(network) - 1
        elif step == "{":
            opened.append((at, []))
        else:
            start, ends = opened[-1]
            ends.append(at)
            at = start
        if step == "}":
            opened.pop()
            network.append([(end, None) for end in ends])
            at = len(network) - 1
    return network


def _align(spoken: _Network, heard: _Network) -> tuple[list[str], list[str]]:
    """Words of the two paths that cost least together."""
    costs = _costs(spoken, heard)
    a, b = len(spoken) - 1, len(heard) - 1
    paths: tuple[list[str], list[str]] = ([], [])
    while a or b:
        a, b, *words = _step(spoken, heard, costs, a, b)
        for path, word in zip(paths, words, strict=True):
            if word is not None:
                path.append(word)
    return paths[0][::-1], paths[1][::-1]


def _costs(spoken: _Network, heard: _Network) -> list[Sequence[int]]:
    """Least cost from the start to each pair of nodes, a row for each node of `spoken`."""
    moves = [(i, j, other) for j, arcs in enumerate(heard) for i, other in arcs]
    rows: list[Sequence[int]] = []
    for arcs in spoken:
        row = [_NEVER if rows else 0, *[_NEVER] * (len(heard) - 1)]
        for source, word in arcs:
            row = list(map(min, row, _advanced(rows[source], word, moves)))
        for i, j, other in moves:
            cost = row[i] + (other is not None and _EDIT)
            if cost < row[j]:
                row[j] = cost
        rows.append(array("q", row))
    return rows


def _advanced(
    row: Sequence[int], word: str | None, moves: Sequence[tuple[int, int, str | None]]
) -> Sequence[int]:
    """Costs after an arc of the reference: its word deleted, or held against one heard."""
    if word is None:
        return row
    after = [cost + _EDIT for cost in row]
    for i, j, other in moves:
        if other is not None:
            cost = row[i] + (_HIT if other == word else _SUBSTITUTION)
            if cost < after[j]:
                after[j] = cost
    return after


def _step(
    spoken: _Network, heard: _Network, costs: Sequence[Sequence[int]], a: int, b: int
) -> tuple[int, int, str | None, str | None]:
    """The nodes before a and b on the cheapest way, and the words in between."""
    for i, word in spoken[a]:
        for j, other in heard[b]:
            both = word is not None and other is not None
            price = _HIT if word == other else _SUBSTITUTION
            if both and costs[i][j] + price == costs[a][b]:
                return i, j, word, other
    for i, word in spoken[a]:
        if costs[i][b] + (word is not None and _EDIT) == costs[a][b]:
            return i, b, word, None
    for j, other in heard[b]:
        if costs[a][j] + (other is not None and _EDIT) == costs[a][b]:
            break
    return a, j, None, other
