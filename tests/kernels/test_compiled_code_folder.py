from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgeavatar.kernels import ROOM_BYTES, compiled_code_folder


@pytest.fixture
def no_folder(tmp_path: Path) -> Path:
    """Give a path below a file: not even root can make a folder there."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "below"


def test_numbas_own_choice_where_it_works(tmp_path: Path, no_folder: Path) -> None:
    assert compiled_code_folder(tmp_path, {"HOME": str(no_folder)}) is None
    assert compiled_code_folder(no_folder, {"HOME": str(tmp_path)}) is None
    assert compiled_code_folder(no_folder, {"XDG_CACHE_HOME": str(tmp_path)}) is None
    chosen = {"HOME": str(no_folder), "NUMBA_CACHE_DIR": "/anywhere", "EDGEAVATAR_CACHE": "/other"}
    assert compiled_code_folder(no_folder, chosen) is None


def test_the_chosen_cache(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "EDGEAVATAR_CACHE": str(tmp_path / "cache")}
    assert compiled_code_folder(tmp_path, environment) == tmp_path / "cache" / "kernels"


def test_a_private_folder_where_nothing_can_be_written(no_folder: Path) -> None:
    environment = {"HOME": str(no_folder), "EDGEAVATAR_CACHE": str(no_folder)}
    folder = compiled_code_folder(no_folder, environment)
    assert folder is not None
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o077 == 0


def test_a_full_disk_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = tmp_path / "full"
    usage = shutil.disk_usage

    def told(path: Path) -> object:
        return usage(path)._replace(free=ROOM_BYTES - 1) if full in path.parents else usage(path)

    monkeypatch.setattr(shutil, "disk_usage", told)
    environment = {"HOME": str(full), "EDGEAVATAR_CACHE": str(full)}
    assert compiled_code_folder(tmp_path, environment) is None
    folder = compiled_code_folder(full / "package", environment)
    assert folder is not None
    assert full not in folder.parents


def test_kernels_are_kept_there(tmp_path: Path) -> None:
    program = (
        "from edgeavatar.kernels import warp\n"
        "kernel = next(f for f in vars(warp).values() if hasattr(f, 'stats'))\n"
        "print(kernel.stats.cache_path)"
    )
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"EDGEAVATAR_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert Path(result.stdout.strip()).is_relative_to(tmp_path / "kernels")
