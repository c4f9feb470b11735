"""Training runs: recipe, session, loop, checkpoints, run directory."""

from fxpsim.train.directory import RunDirectory
from fxpsim.train.loop import Interrupted, Trainer, resume
from fxpsim.train.progress import make_progress
from fxpsim.train.recipe import Method, Recipe, ResolvedRecipe, load_recipe
from fxpsim.train.session import Session, StepResult

__all__ = [
    "Interrupted",
    "Method",
    "Recipe",
    "ResolvedRecipe",
    "RunDirectory",
    "Session",
    "StepResult",
    "Trainer",
    "load_recipe",
    "make_progress",
    "resume",
]
