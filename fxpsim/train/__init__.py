"""Training runs: recipe, session, loop, checkpoints, run directory."""

from fxpsim.train.recipe import Method, Recipe, ResolvedRecipe, load_recipe
from fxpsim.train.session import Session, StepResult

__all__ = ["Method", "Recipe", "ResolvedRecipe", "Session", "StepResult", "load_recipe"]
