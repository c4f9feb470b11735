"""Other instructions, same bits: Numba compiles for other processors in processes of their own."""

import os
import subprocess
import sys
from functools import cache

import pytest

from fxpsim.kernels.lanes import cpu, cpu_of

SCRIPT = """
import hashlib
import numpy as np
from fxpsim.kernels import mac
from fxpsim.kernels.lanes import cpu

rng = np.random.default_rng(9)
digest = hashlib.sha256()
x, e = rng.integers(0, 256, (3, 7, 9, 4), dtype=np.uint8), rng.integers(-128, 128, (3, 7, 9, 12), dtype=np.int8)
w = rng.integers(-128, 128, (3, 3, 4, 12), dtype=np.int8)
a, b = (rng.integers(-32768, 32768, shape, dtype=np.int16) for shape in ((5, 300), (300, 14)))
results = []
for spec in (mac.MacSpec(), mac.MacSpec(word_bits=18, overflow="saturate")):
    results.append(mac.conv2d(x, w, spec, padding=1, x_bound=255, w_bound=128))
    results.append(mac.conv2d_weight_grad(x, e, spec, kernel_shape=w.shape, padding=1, x_bound=255, e_bound=128))
wide = {"a_bound": 32768, "b_bound": 32768}
results.append(mac.matmul(a, b, mac.MacSpec(word_bits=48), **wide))
p, q = a.astype(np.int32) << 14, b.astype(np.int32) << 15
results.append(mac.matmul(p, q, mac.MacSpec(word_bits=64), a_bound=1 << 29, b_bound=1 << 30))
for rounding in ("floor", "toward_zero", "half_even", "half_odd", "jam", "jam_unbiased"):
    spec = mac.MacSpec(word_bits=24, overflow="saturate", product_shift=10, rounding=rounding)
    results.append(mac.matmul(a, b, spec, **wide))
c, d, f = x[..., [0, 1, 2, 3] * 5], e[..., [0, 1, 2, 3] * 5], w[:, :, :1, [0, 1, 2, 3] * 5]  # depthwise, 20 channels
options = {"padding": 1, "groups": 20}
results.append(mac.conv2d(c, f, mac.MacSpec(), x_bound=255, w_bound=128, **options))
results.append(mac.conv2d_weight_grad(c, d, mac.MacSpec(), kernel_shape=f.shape, x_bound=255, e_bound=128, **options))
for result in results:
    digest.update(result.codes.tobytes() + repr((result.overflowed, result.max_abs)).encode())
p, q = rng.standard_normal((5, 50)).astype(np.float32), rng.standard_normal((50, 14)).astype(np.float32)
digest.update(mac.matmul_float(p, q).tobytes())
c, d, f = (array.astype(np.float32) / 7 for array in (c, d, f))
digest.update(mac.conv2d_float(c, f, **options).tobytes())
digest.update(mac.conv2d_weight_grad_float(c, d, kernel_shape=f.shape, **options).tobytes())
f = rng.standard_normal((3, 3, 2, 40)).astype(np.float32)  # groups of two channels, joined
digest.update(mac.conv2d_float(c, f, padding=1, groups=10).tobytes())
print(cpu().vector_bits, digest.hexdigest())
"""


@cache
def digest(name: str) -> tuple[int, str]:
    """Return (bits of a vector, digest of the results) on a processor; "" is this one."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_CPU")}
    if name:
        env["NUMBA_CPU_NAME"] = name
    out = subprocess.run([sys.executable, "-c", SCRIPT], env=env, check=True, capture_output=True, text=True)
    bits, found = out.stdout.split()
    return int(bits), found


@pytest.mark.xdist_group("processors")
@pytest.mark.parametrize(("name", "vector_bits"), [("haswell", 256), ("generic", 128)])
def test_another_processor_gives_the_same_bits(name, vector_bits):
    bits, found = digest(name)
    assert found == digest("")[1]
    assert bits <= vector_bits


PORTABLE = """
import numpy as np
from fxpsim.kernels import lanes
lanes.cpu = lambda: lanes.cpu_of("portable", set(), "arm64")
from fxpsim.kernels import mac

rng = np.random.default_rng(9)
a, b = rng.integers(-128, 128, (5, 30), dtype=np.int8), rng.integers(-128, 128, (30, 7), dtype=np.int8)
found = mac.matmul(a, b, mac.MacSpec(), a_bound=128, b_bound=128).codes
rounded = mac.matmul(a, b, mac.MacSpec(product_shift=3, rounding="half_up"), a_bound=128, b_bound=128).codes
products = a.astype(np.int64)[:, :, None] * b
print((found == products.sum(1)).all() and (rounded == (products + 4 >> 3).sum(1)).all())
"""


def test_the_portable_lane_of_other_architectures(tmp_path):
    # a cache of its own: the pretended processor is not part of Numba's key
    env = {**os.environ, "FXPSIM_CACHE_DIR": str(tmp_path), "NUMBA_CPU_NAME": "generic"}
    out = subprocess.run([sys.executable, "-c", PORTABLE], env=env, check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "True"


def test_what_processors_offer():
    avx512 = {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma"}
    assert cpu_of("znver5", avx512 | {"avx512vnni"}, "x86_64").dot
    assert not cpu_of("skylake-avx512", avx512, "x86_64").dot
    assert cpu_of("haswell", {"avx2", "fma"}, "x86_64").pairs == "avx2"
    assert cpu_of("generic", set(), "x86_64").pairs == "sse2"
    assert cpu_of("apple-m1", set(), "arm64").pairs == "none"


def test_numba_keeps_the_host_s_features_and_we_do_not():
    script = "from fxpsim.kernels.lanes import cpu; print(cpu().vector_bits, cpu().dot)"
    env = {**os.environ, "NUMBA_CPU_NAME": "haswell"}
    out = subprocess.run([sys.executable, "-c", script], env=env, check=True, capture_output=True, text=True)
    assert out.stdout.split() == [str(min(256, cpu().vector_bits)), "False"]
