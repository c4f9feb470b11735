"""Checkpoints: arrays as safetensors, everything else as JSON, with checksums, written atomically."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from fxpsim.errors import UserError

FORMAT = 1


def save(folder: Path, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
    """Save a checkpoint; the one before stays until the new one is complete.

    Parameters
    ----------
    folder : Path
        The run's ``checkpoint`` folder. Each checkpoint is a sub-folder named after its step; the file ``latest``
        names the one that counts.
    arrays : dict of str to ndarray
        Trained state.
    state : dict
        JSON-able; must hold ``step``.
    """
    name = f"step-{state['step']:08d}"
    target, temporary = folder / name, folder / f".{name}.tmp"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, temporary / "state.safetensors")
    checksum = _checksum(temporary / "state.safetensors")
    text = json.dumps({"format": FORMAT, "safetensors_sha256": checksum, "state": state})
    (temporary / "state.json").write_text(text, encoding="utf-8")
    for file in temporary.iterdir():
        _flush(file)
    shutil.rmtree(target, ignore_errors=True)
    temporary.replace(target)
    pointer = folder / ".latest.tmp"
    pointer.write_text(f"{name} {hashlib.sha256(text.encode()).hexdigest()}\n", encoding="utf-8")
    _flush(pointer)
    pointer.replace(folder / "latest")
    for old in folder.glob("step-*"):
        if old.name != name:
            shutil.rmtree(old, ignore_errors=True)


def load(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return arrays and state of the latest checkpoint.

    Raises
    ------
    UserError
        If there is none, or a checksum is wrong.
    """
    pointer = folder / "latest"
    if not pointer.is_file():
        raise UserError(
            "there is no checkpoint to go on from",
            where=str(folder),
            expected="a run that was interrupted after its first checkpoint",
            remedy="start the run again with `fxpsim run`",
        )
    name, checksum = pointer.read_text(encoding="utf-8").split()
    text = (folder / name / "state.json").read_text(encoding="utf-8")
    data = json.loads(text) if hashlib.sha256(text.encode()).hexdigest() == checksum else None
    if data is None or _checksum(folder / name / "state.safetensors") != data["safetensors_sha256"]:
        raise UserError(
            "the checkpoint is damaged: a checksum does not match",
            where=str(folder / name),
            expected="the files as they were written",
            remedy="restore them from a backup, or start the run again",
        )
    return load_file(folder / name / "state.safetensors"), data["state"]


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Make sure that a file is on the disk before another one refers to it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
