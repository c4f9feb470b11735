"""What the processor offers, as Numba sees it: another answer chooses other instructions, never other bits.

``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` make Numba compile for another processor. Numba keeps the features of
the host when only a name is given; we then use only those that the named processor has too.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm
from numba.core import config
from numba.core.codegen import get_host_cpu_features

settings: Any = config  # Numba sets its attributes at run time

# Named processors (LLVM's names) with AVX-512 and with 512-bit dot products; with AVX2 and FMA only.
_AVX512_VNNI = r"cascadelake|cooperlake|icelake.*|tigerlake|rocketlake|sapphirerapids|emeraldrapids|graniterapids.*"
_AVX512 = r"skylake-avx512|skx|cannonlake|x86-64-v4"
_ZEN_AVX512 = r"znver[4-9]"
_AVX2 = r"haswell|broadwell|skylake|core-avx2|x86-64-v3|znver[1-3]|alderlake|raptorlake|meteorlake|arrowlake.*"


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """The instructions that the kernels choose from.

    Parameters
    ----------
    name : str
        The processor that Numba compiles for.
    vector_bits : int
        Width of a vector register: 512, 256 or 128.
    registers : int
        Number of vector registers.
    dot : bool
        Whether 8 and 16 bit dot products into 32 bits exist (VNNI).
    pairs : str
        How two 16-bit products are added: ``avx512``, ``avx2``, ``sse2`` (vpmaddwd), or ``none``.
    fma : bool
        Whether the fused multiply-add is an instruction; otherwise the mathematics library computes it.
    """

    name: str
    vector_bits: int
    registers: int
    dot: bool
    pairs: str
    fma: bool


def _known_features(name: str) -> set[str]:
    """Return the features of a named processor that matter here."""
    avx2 = {"avx2", "fma"}
    avx512 = avx2 | {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
    if re.fullmatch(f"{_AVX512_VNNI}|{_ZEN_AVX512}", name):
        return avx512 | {"avx512vnni"}
    if re.fullmatch(_AVX512, name):
        return avx512
    if re.fullmatch(_AVX2, name):
        return avx2
    return set()


def _features() -> set[str]:
    text = get_host_cpu_features() if settings.CPU_FEATURES is None else settings.CPU_FEATURES
    offered = {feature[1:] for feature in text.split(",") if feature.startswith("+")}
    if settings.CPU_NAME is None or settings.CPU_FEATURES:
        return offered
    return offered & _known_features(settings.CPU_NAME)


def cpu_of(name: str, features: set[str], architecture: str) -> Cpu:
    """Return what a processor with these features offers.

    Examples
    --------
    >>> cpu_of("haswell", {"avx2", "fma"}, "x86_64").vector_bits
    256
    """
    x86 = architecture.startswith(("x86", "i686", "amd64"))
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= features:
        return Cpu(name=name, vector_bits=512, registers=32, dot="avx512vnni" in features, pairs="avx512", fma=True)
    if "avx2" in features:
        return Cpu(name=name, vector_bits=256, registers=16, dot=False, pairs="avx2", fma="fma" in features)
    if x86:
        return Cpu(name=name, vector_bits=128, registers=16, dot=False, pairs="sse2", fma=False)
    fused = architecture.startswith(("aarch64", "arm64"))
    return Cpu(name=name, vector_bits=128, registers=32 if fused else 16, dot=False, pairs="none", fma=fused)


@cache
def cpu() -> Cpu:
    """Return what the processor that Numba compiles for offers."""
    name = settings.CPU_NAME or llvm.get_host_cpu_name()
    return cpu_of(name, _features(), llvm.get_process_triple().split("-")[0])
