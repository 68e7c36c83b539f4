"""The one array type: what a docstring says of its shape and kind is what it holds."""

from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
