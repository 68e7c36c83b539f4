"""One process, or several that torchrun has started and that train one model together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from fairaudit.exceptions import FairauditError
from fairaudit.lm.devices import device_named

Result = TypeVar("Result")

#: For how long the others wait for the first, which cuts the corpus into tokens.
_PATIENCE = timedelta(days=2)
_STOPPED = "{} process has stopped: see what it says."


@dataclass(frozen=True)
class Processes:
    """Those who train together.

    Attributes
    ----------
    rank : int
        Which this is; 0 is the first, who writes.
    size : int
    device : str
    """

    rank: int
    size: int
    device: str

    @property
    def first(self) -> bool:
        """Whether this is the one who writes."""
        return self.rank == 0

    def sum(self, tensor: Any) -> Any:
        """The sum over processes, the same in each."""
        if self.size > 1:
            import torch

            torch.distributed.all_reduce(tensor)
        return tensor

    def check(self, error: Exception) -> None:
        """Raise in its place that another process is gone, where it says so.

        Raises
        ------
        FairauditError
        """
        import torch

        gone = isinstance(error, torch.distributed.DistError) or "gloo" in str(error)
        if self.size > 1 and gone:
            raise FairauditError(_STOPPED.format("another")) from None

    def in_turn(self, work: Callable[[], Result]) -> Result:
        """Do some work in the first, and then in the others.

        Raises
        ------
        FairauditError
            In all of them, if the first does.
        """
        failure: Exception | None = None
        result: list[Result] = []
        if self.first:
            try:
                result = [work()]
            except FairauditError as error:
                failure = error
        self._tell(failure)
        return result[0] if result else work()

    def _tell(self, failure: Exception | None) -> None:
        """Stop everywhere if the first does."""
        if self.size > 1:
            import torch

            failed = torch.tensor([float(failure is not None)], device=self.device)
            if self.sum(failed).item() and failure is None:
                raise FairauditError(_STOPPED.format("the first"))
        if failure is not None:
            raise failure


def is_first() -> bool:
    """Whether this process is alone, or the first that torchrun has started."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """Join those that torchrun has started, if it has.

    Parameters
    ----------
    device : str
        See `device_named`; with several processes each has a GPU of its own.
    """
    import torch

    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Processes(0, 1, device_named(device))
        return
    kind = device_named(device).partition(":")[0]
    if kind == "cuda":
        kind = device_named(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
        torch.cuda.set_device(kind)
    backend = "gloo" if kind == "cpu" else "nccl"
    torch.distributed.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield Processes(torch.distributed.get_rank(), size, kind)
    finally:
        torch.distributed.destroy_process_group()
