"""The loss of a distillation over its steps, as an SVG that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from fairaudit.report.sheets import printable

#: What is drawn of a row of the log, how it is called, and how it looks.
_CURVES = (
    ("divergence", "divergence from the teacher, T² KL", "#1f5fa8", ""),
    ("entropy", "cross entropy of the next word", "#b3541e", "6 3"),
)
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 400, 60, 20, 46, 48
#: Points of a curve at most: each is the mean of the steps that it stands for.
_POINTS = 200


def loss_curve(rows: Sequence[Mapping[str, Any]], title: str) -> str:
    """Draw the parts of the loss, each point the mean of neighbouring steps.

    Parameters
    ----------
    rows : sequence of mapping
        Of the log: ``step``, ``divergence``, ``entropy``; what is None is not drawn.
    title : str

    Returns
    -------
    str
        An SVG document; the same rows give the same bytes.
    """
    steps = _means([row["step"] for row in rows])
    drawn = [each for each in _CURVES if rows[0][each[0]] is not None]
    curves = [(_means([row[key] for row in rows]), *look) for key, *look in drawn]
    title = escape(printable(title))
    top = max(float(values.max()) for values, *_ in curves) * 1.05 or 1.0
    last = float(rows[-1]["step"])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'font-family="sans-serif" font-size="13">',
        f"<title>{title}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="20" font-weight="bold">{title}</text>',
        *_axes(last, top),
    ]
    for number, (values, name, colour, dash) in enumerate(curves):
        points = " ".join(
            f"{_x(step, last):.1f},{_y(value, top):.1f}"
            for step, value in zip(steps, values, strict=True)
        )
        style = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        x = _LEFT + 320 * number
        parts += [
            f'<polyline fill="none" {style} points="{points}"/>',
            f'<line x1="{x}" x2="{x + 28}" y1="36" y2="36" {style}/>',
            f'<text x="{x + 36}" y="40">{name}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _means(values: Sequence[float]) -> Any:
    """Means of so many runs of neighbours that they can be drawn."""
    runs = np.array_split(np.asarray(values, dtype=float), min(len(values), _POINTS))
    return np.array([run.mean() for run in runs])


def _x(step: float, last: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * step / last


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / top


def _axes(last: float, top: float) -> Iterator[str]:
    """Lines and numbers at fifths of either axis, and what the axes say."""
    for part in np.linspace(0, 1, 6):
        y, x = _y(part * top, top), _x(part * last, last)
        yield (
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{part * top:.2f}</text>'
            f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">'
            f"{part * last:,.0f}</text>"
        )
    yield f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 10}" text-anchor="middle">step</text>'
    yield (
        f'<text transform="translate(14 {(_TOP + _HEIGHT) / 2 - 20}) rotate(-90)" '
        'text-anchor="middle">nats per token</text>'
    )
