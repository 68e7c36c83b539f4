"""Where models run, and how quietly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from fairaudit.exceptions import FairauditError


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' advice to programmers off standard error."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def device_named(device: str) -> str:
    """The device by the name that PyTorch knows.

    Parameters
    ----------
    device : str
        ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    FairauditError
        If it is none of these, or there is no such GPU.
    """
    import torch

    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise FairauditError(f"--device {device}: expected auto, cpu, cuda or cuda:N.")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device != "cpu" and int(device.partition(":")[2] or 0) >= torch.cuda.device_count():
        raise FairauditError(
            f"--device {device}: PyTorch finds {torch.cuda.device_count()} GPUs. "
            "Use --device cpu, or a build of PyTorch for your GPU."
        )
    return device
