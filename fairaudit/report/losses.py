"""The loss of a distillation over its steps, as an SVG that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from fairaudit.report.sheets import printable

#: What is drawn of a row of the log, how it is called, and its colour.
_CURVES = (
    ("divergence", "divergence from the teacher (T² KL), nats per token", "#1f5fa8"),
    ("entropy", "cross entropy of the next word, nats per token", "#b3541e"),
)
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 64, 24, 36, 48
#: Of the space for one curve: all of it, and what its name takes.
_PANEL, _NAME = 180, 40
#: Points of a curve at most: each is the mean of the steps that it stands for.
_POINTS = 200


def loss_curve(rows: Sequence[Mapping[str, Any]], title: str) -> str:
    """Draw the parts of the loss one above the other, each point the mean of neighbouring steps.

    Each part has a scale of its own, as they differ a hundredfold.

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
    drawn = [each for each in _CURVES if rows[0][each[0]] is not None]
    steps, last = _means([row["step"] for row in rows]), float(rows[-1]["step"])
    bottom = _TOP + _PANEL * len(drawn)
    title = escape(printable(title))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + _BOTTOM}" '
        'role="img" font-family="sans-serif" font-size="13">',
        f"<title>{title}</title>",
        f'<rect width="{_WIDTH}" height="{bottom + _BOTTOM}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="22" font-weight="bold">{title}</text>',
    ]
    for number, (key, name, colour) in enumerate(drawn):
        values = _means([row[key] for row in rows])
        scale = _Scale.of(values, _TOP + _PANEL * number)
        parts += [*_panel(scale, name), _line(steps / last, values, scale, colour)]
    return "\n".join([*parts, *_steps(last, bottom), "</svg>"]) + "\n"


@dataclass(frozen=True)
class _Scale:
    """Where values lie between the top and the bottom of a panel."""

    low: float
    high: float
    top: float

    @classmethod
    def of(cls, values: Any, top: float) -> _Scale:
        low, high = float(values.min()), float(values.max())
        # Of one value alone there is no extent.
        return cls(low, high, top) if high > low else cls(low - 0.5, high + 0.5, top)

    def y(self, value: Any) -> Any:
        share = (value - self.low) / (self.high - self.low)
        return self.top + _PANEL - (_PANEL - _NAME) * share


def _means(values: Sequence[float]) -> Any:
    """Means of so many runs of neighbours that they can be drawn."""
    runs = np.array_split(np.asarray(values, dtype=float), min(len(values), _POINTS))
    return np.array([run.mean() for run in runs])


def _x(share: Any) -> Any:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * share


def _panel(scale: _Scale, name: str) -> Iterator[str]:
    """The name of a curve, and lines with numbers at thirds of its extent."""
    yield f'<text x="{_LEFT}" y="{scale.top + 28}">{name}</text>'
    for value in np.linspace(scale.low, scale.high, 4):
        y = scale.y(value)
        yield (
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.3f}</text>'
        )


def _line(shares: Any, values: Any, scale: _Scale, colour: str) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(_x(shares), scale.y(values), strict=True))
    return f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>'


def _steps(last: float, bottom: float) -> Iterator[str]:
    """Numbers of steps at fifths of the axis that all curves share."""
    for share in np.linspace(0, 1, 6):
        yield (
            f'<text x="{_x(share):.1f}" y="{bottom + 20}" text-anchor="middle">'
            f"{share * last:,.0f}</text>"
        )
    yield f'<text x="{(_LEFT + _WIDTH) / 2}" y="{bottom + 40}" text-anchor="middle">step</text>'
