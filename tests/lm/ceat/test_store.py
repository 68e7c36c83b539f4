from pathlib import Path

import numpy as np
import pytest

from fairaudit.exceptions import FairauditError
from fairaudit.lm.ceat.store import Store, Stored, default_folder

SETTINGS = {"model": "m", "layer": -1}
VECTORS = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def filled(tmp_path):
    store = Store(tmp_path, SETTINGS)
    store.put("rose", Stored(VECTORS, 9, 1))
    store.put("ant", Stored(VECTORS[:0], 0, 0))
    return store


def test_what_was_put_is_found_again(filled, tmp_path):
    again = Store(tmp_path, SETTINGS)
    assert [again.lacks(word) for word in ("rose", "ant", "bee")] == [False, False, True]
    for store in (filled, again):
        np.testing.assert_array_equal(store["rose"], VECTORS)
        assert (store.kept("rose"), store.found("rose"), store.lost("rose")) == (2, 9, 1)
        assert list(store) == ["rose"], "words without a sentence have no vectors"
        assert store.get("ant") is None
        assert store.get("bee") is None


def test_other_settings_are_another_store(filled, tmp_path):
    other = Store(tmp_path, SETTINGS | {"layer": 3})
    assert other.lacks("rose")
    assert other.folder != filled.folder


@pytest.mark.parametrize("at", [0, 0.3, 0.6, 0.99])
def test_a_cut_file_is_made_anew(filled, tmp_path, at):
    path = filled._path("rose")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(at * len(whole))])
    again = Store(tmp_path, SETTINGS)
    assert again.lacks("rose")
    again.put("rose", Stored(VECTORS + 1, 9, 1))
    np.testing.assert_array_equal(again["rose"], VECTORS + 1)


@pytest.mark.parametrize(
    "odd",
    [
        {"vectors": VECTORS.astype(np.float64)},
        {"vectors": VECTORS.ravel()},
        {"counts": np.array([1, 2, 3])},
        {"key": np.array(["another", "rose"])},
        {"vectors": np.array([None, {}], dtype=object)},
    ],
)
def test_files_that_are_not_its_own(filled, tmp_path, odd):
    path = filled._path("rose")
    with np.load(path) as content:
        parts = dict(content) | odd
    with path.open("wb") as file:
        np.savez(file, **parts)
    assert Store(tmp_path, SETTINGS).lacks("rose")


def test_a_damaged_vector_is_noticed(filled, tmp_path):
    path = filled._path("rose")
    content = bytearray(path.read_bytes())
    at = content.index(VECTORS.tobytes())
    content[at + 5] ^= 1
    path.write_bytes(content)
    assert Store(tmp_path, SETTINGS).lacks("rose")


def test_nothing_is_left_behind_where_writing_fails(tmp_path, monkeypatch):
    def full(file, **parts):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    store = Store(tmp_path, SETTINGS)
    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(FairauditError, match="cannot be written: No space left"):
        store.put("rose", Stored(VECTORS, 2, 0))
    assert not list(store.folder.iterdir())


def test_a_file_that_goes_while_it_is_used(filled):
    filled._path("rose").unlink()
    with pytest.raises(FairauditError, match="is gone or damaged. Run the command again."):
        filled["rose"]


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FairauditError, match=r"--cache .*file: cannot be written: .*--no-cache"):
        Store(tmp_path / "file", SETTINGS)


def test_the_users_own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "fairaudit" / "ceat"
    for odd in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", odd)
        assert default_folder() == Path.home() / ".cache" / "fairaudit" / "ceat"
