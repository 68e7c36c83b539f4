"""Tiny language models, saved once."""

import pytest

from tests.lm import tiny


@pytest.fixture(scope="session")
def language_models(tmp_path_factory):
    """Folders of tiny language models, by kind."""
    place = tmp_path_factory.mktemp("language models")
    return {kind: tiny.save(place / kind, kind) for kind in ("gpt2", "llama", "bert", "roberta")}
