"""What a pricing counts: the options that are no property of the accelerator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fxpsim.errors import UserError
from fxpsim.registry import unknown

RESULTS = ("activation", "error", "gradient")
PLACES = ("on_chip", "all", "none")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a pricing.

    Parameters
    ----------
    update : bool
        Count the weight update of every layer that has a weight gradient.
    momentum : bool
        The update reads and writes a momentum.
    update_operations_per_weight : float
        Operations of the update unit per weight (SGD with momentum: two multiplications and two additions).
    recompute : bool
        Forward activations are not kept for the weight gradient: the forward GEMM runs again before it.
    frozen : tuple of str
        Layers that are not trained: no weight gradient and no update.
    elementwise_memory : {"on_chip", "all", "none"}
        Which memories element-wise work reads and writes: the innermost one (fused stretches), all, or none.
    random_bits : mapping of str to int
        Random bits per element of results that are rounded stochastically: of the streams ``activation``, ``error`` and
        ``gradient``, for example ``{"error": 8}``.
    policy_operations_per_element : float
        Vector operations of the bit-width policy per element of every stream, at each of its evaluations.
    policy_every_steps : int
        Steps between two evaluations of the policy.

    Examples
    --------
    >>> Options(recompute=True).momentum
    True
    """

    update: bool = True
    momentum: bool = True
    update_operations_per_weight: float = 4.0
    recompute: bool = False
    frozen: tuple[str, ...] = ()
    elementwise_memory: Literal["on_chip", "all", "none"] = "on_chip"
    random_bits: Mapping[str, int] = field(default_factory=dict[str, int])
    policy_operations_per_element: float = 0.0
    policy_every_steps: int = 1

    def __post_init__(self) -> None:
        for name in ("update_operations_per_weight", "policy_operations_per_element"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} is negative", where="Options", expected="0 or more", remedy="change it")
        for stream in self.random_bits:
            if stream not in RESULTS:
                raise unknown("result stream", stream, RESULTS, where="Options.random_bits")
        if self.elementwise_memory not in PLACES:
            raise unknown("place", self.elementwise_memory, PLACES, where="Options.elementwise_memory")
        if self.policy_every_steps < 1:
            raise UserError("policy_every_steps is below 1", where="Options", expected="1 or more", remedy="change it")
