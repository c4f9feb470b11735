"""Policies: the bits of each layer and stream over time. One file each, found by name."""

from fxpsim.policies.base import Policy, State, policies
from fxpsim.policies.static import Static

__all__ = ["Policy", "State", "Static", "policies"]
