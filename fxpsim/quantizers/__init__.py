"""Quantizers: how a stream's tensor becomes codes. One file each, found by name.

``quantizers`` holds the format quantizers, ``tensor_quantizers`` those that return codes and how to read them
(:mod:`fxpsim.quantizers.base`).
"""

from fxpsim.quantizers.base import Encoded, Evidence, Linear, TensorQuantizer
from fxpsim.quantizers.block_floating_point import BlockFloatingPoint
from fxpsim.quantizers.block_matmul import block_bit_products, block_matmul
from fxpsim.quantizers.contraction import affine_matmul, contract, transposed
from fxpsim.quantizers.dorefa import DoReFa
from fxpsim.quantizers.dynasty import DynastyBlocks
from fxpsim.quantizers.fixed_point import FixedPoint
from fxpsim.quantizers.hadamard import PowerOfTwoHadamard
from fxpsim.quantizers.hgq import HighGranularity
from fxpsim.quantizers.logarithmic import LogarithmicCodes
from fxpsim.quantizers.logarithmic_matmul import logarithmic_matmul
from fxpsim.quantizers.niti import Niti
from fxpsim.quantizers.power_of_two_rows import PowerOfTwoRows
from fxpsim.quantizers.registry import build, quantizers, tensor_quantizers
from fxpsim.quantizers.sample_bits import AffineSampleBits
from fxpsim.quantizers.statquant_bhq import StatQuantBHQ
from fxpsim.quantizers.statquant_psq import StatQuantPSQ
from fxpsim.quantizers.statquant_ptq import StatQuantPTQ
from fxpsim.quantizers.stream import CodedStream
from fxpsim.quantizers.wage import Wage

__all__ = [
    "AffineSampleBits",
    "BlockFloatingPoint",
    "CodedStream",
    "DoReFa",
    "DynastyBlocks",
    "Encoded",
    "Evidence",
    "FixedPoint",
    "HighGranularity",
    "Linear",
    "LogarithmicCodes",
    "Niti",
    "PowerOfTwoHadamard",
    "PowerOfTwoRows",
    "StatQuantBHQ",
    "StatQuantPSQ",
    "StatQuantPTQ",
    "TensorQuantizer",
    "Wage",
    "affine_matmul",
    "block_bit_products",
    "block_matmul",
    "build",
    "contract",
    "logarithmic_matmul",
    "quantizers",
    "tensor_quantizers",
    "transposed",
]
