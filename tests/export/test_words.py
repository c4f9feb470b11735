"""Memory files, read back by readers of the tests' own."""

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.export import words, write_memory


def signed(word: str, bits: int) -> int:
    code = int(word, 16)
    return code - (1 << bits) if code >> (bits - 1) else code


def intel(text: str) -> dict[int, int]:
    """Read Intel HEX with word addresses; every checksum must be right."""
    found, upper = {}, 0
    lines = text.splitlines()
    assert lines[-1] == ":00000001FF"
    for line in lines[:-1]:
        data = bytes.fromhex(line[1:])
        assert sum(data) % 256 == 0
        assert data[0] == len(data) - 5
        address, content = int.from_bytes(data[1:3], "big"), data[4:-1]
        if data[3] == 4:
            upper = int.from_bytes(content, "big") << 16
        else:
            found[upper + address] = int.from_bytes(content, "big")
    return found


@pytest.mark.parametrize("bits", [1, 3, 4, 8, 13, 16, 48, 64])
def test_every_format_holds_the_codes(bits, tmp_path):
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    codes = np.array([[low, high], [0, -1 if bits > 1 else 0]], dtype=np.int64)
    expected = codes.ravel().tolist()
    mem, coe, hexa = write_memory(tmp_path / "w", codes, bits, ("mem", "coe", "hex"))
    assert [file.name for file in (mem, coe, hexa)] == ["w.mem", "w.coe", "w.hex"]
    lines = mem.read_text().splitlines()
    assert lines[0] == "@0"
    assert [signed(line, bits) for line in lines[1:]] == expected
    radix, head, *rest = coe.read_text().splitlines()
    assert (radix, head) == ("memory_initialization_radix=16;", "memory_initialization_vector=")
    assert "".join(rest).endswith(";")
    assert [signed(word, bits) for word in "".join(rest).rstrip(";").split(",")] == expected
    found = intel(hexa.read_text())
    assert [signed(f"{found[place]:x}", bits) for place in range(4)] == expected


def test_addresses_beyond_16_bits(tmp_path):
    codes = np.arange(2**16 + 3) % 251
    (file,) = write_memory(tmp_path / "w", codes, 8, ("hex",))
    found = intel(file.read_text())
    assert [found[place] for place in range(codes.size)] == codes.tolist()


def test_unsigned_codes_and_what_does_not_fit():
    assert words(np.array([255, 0]), 8) == ["ff", "00"]
    for wrong in (256, -129):
        with pytest.raises(UserError, match=f"code {wrong} does not fit 8 bits"):
            words(np.array([wrong]), 8)
