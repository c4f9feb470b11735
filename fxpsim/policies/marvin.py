"""MARViN: the first version of ADEPT (Kummer et al., arXiv 2107.13490 v1, July 2021).

The same controller (intra-epoch PushDown and PushUp for each layer) without sparsification: no penalty enters the loss
that the strategy follows, its preset has no L1 decay, and its cost counts all weights, zeros included. The text of v1
was not at hand beyond its abstract: that nothing else differs is our reconstruction.
"""

from __future__ import annotations

from dataclasses import dataclass

from fxpsim.policies.adept import Adept
from fxpsim.policies.base import policies


@policies.register("marvin")
@dataclass(frozen=True, kw_only=True)
class Marvin(Adept):
    """ADEPT's controller without its sparsification.

    >>> Marvin().sparsity_penalty
    False
    """

    sparsity_penalty: bool = False
