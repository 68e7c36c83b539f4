"""Every metric of summed counts, in one registry.

A metric is a smooth function of summed counts that does not change when all counts are
doubled. That is all the statistics need to know: the value is the function at the sums, and
its sampling error follows from the function's gradient and the spread of the counts between
units. To add a metric, add one decorated function to the module of its field.
"""

from fairaudit.metrics import distillation, generation, likelihood  # noqa: F401  # register theirs
from fairaudit.metrics.association import ASSOCIATION
from fairaudit.metrics.decisions import (
    BINARY,
    MULTICLASS,
    RANKING,
    REGRESSION,
    SCORES,
    SELECTION,
)
from fairaudit.metrics.registry import (
    BEFORE,
    LIMITS,
    METRICS,
    Counts,
    Metric,
    Range,
    find_metric,
    own_variance,
    trial_variance,
)
from fairaudit.metrics.sensitivity import CHANGED_VALUE, SENSITIVITY
from fairaudit.metrics.speech import SPEECH, errors, reference_words

__all__ = [
    "ASSOCIATION",
    "BEFORE",
    "BINARY",
    "CHANGED_VALUE",
    "LIMITS",
    "METRICS",
    "MULTICLASS",
    "RANKING",
    "REGRESSION",
    "SCORES",
    "SELECTION",
    "SENSITIVITY",
    "SPEECH",
    "Counts",
    "Metric",
    "Range",
    "errors",
    "find_metric",
    "own_variance",
    "reference_words",
    "trial_variance",
]
