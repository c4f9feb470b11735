"""Small files of every format that the loaders read, made by the tests themselves."""

import gzip
import lzma
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fxpsim.errors import UserError

_ELEMENTS = {"u1": 0x08, "i4": 0x0C, "f4": 0x0D}
_PACK: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}


class Files:
    """Writes data files into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, raw: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_PACK[path.suffix if path.suffix in _PACK else ""](raw))
        return path

    def idx(self, name: str, array: np.ndarray) -> Path:
        kind = array.dtype.str[1:]
        head = bytes([0, 0, _ELEMENTS[kind], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        return self.write(name, head + array.astype(f">{kind}").tobytes())

    def mnist(self, folder: str = ".", *, suffix: str = "", separator: str = "-") -> dict[str, np.ndarray]:
        """Write four IDX files with 20 and 10 samples; return what they hold."""
        content = {}
        for part, count in (("train", 20), ("t10k", 10)):
            for kind, array in (
                ("images", pixels(count, 28, 28)),
                ("labels", (np.arange(count) % 10).astype(np.uint8)),
            ):
                content[f"{part}-{kind}"] = array
                self.idx(f"{folder}/{part}-{kind}{separator}idx{array.ndim}-ubyte{suffix}", array)
        return content

    def pickle(self, name: str, content: object, *, protocol: int = 2) -> Path:
        return self.write(name, pickle.dumps(content, protocol=protocol))


def pixels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def refused() -> Callable[..., str]:
    """Call a function that must raise UserError with all four parts; return the message."""

    def check(function: Callable[..., object], *arguments: object, **options: object) -> str:
        with pytest.raises(UserError) as caught:
            function(*arguments, **options)
        assert all((caught.value.what, caught.value.where, caught.value.expected, caught.value.remedy)), caught.value
        return str(caught.value)

    return check
