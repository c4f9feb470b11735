"""Makes the oracle beside these tests importable, and runs tests with several numbers of threads."""

import sys
from pathlib import Path

import pytest

from fxpsim.kernels import threads

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(params=[1, 2, 5])
def members(request):
    """Number of threads."""
    before = threads.threads()
    threads.set_threads(request.param)
    yield request.param
    threads.set_threads(before)
