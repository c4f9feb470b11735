"""Policies: the bits of each layer and stream over time. One file each, found by name."""

from fxpsim.policies.adept import Adept
from fxpsim.policies.apt import Apt
from fxpsim.policies.base import Decision, Moment, Policy, State, Statistics, policies
from fxpsim.policies.cyclic import Cyclic
from fxpsim.policies.dynasty import Dynasty
from fxpsim.policies.gated import GatedBits
from fxpsim.policies.hgq import LearnedBits
from fxpsim.policies.marvin import Marvin
from fxpsim.policies.muppet import Muppet
from fxpsim.policies.progressive import Progressive
from fxpsim.policies.sample import Sample
from fxpsim.policies.state import from_json, to_json
from fxpsim.policies.static import Static
from fxpsim.policies.stepped import Stepped

__all__ = [
    "Adept",
    "Apt",
    "Cyclic",
    "Decision",
    "Dynasty",
    "GatedBits",
    "LearnedBits",
    "Marvin",
    "Moment",
    "Muppet",
    "Policy",
    "Progressive",
    "Sample",
    "State",
    "Static",
    "Statistics",
    "Stepped",
    "from_json",
    "policies",
    "to_json",
]
