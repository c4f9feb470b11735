"""Tasks that are drawn from a seed: any size, no files."""

from fxpsim.data.generated import polynomial, shapes, translation  # noqa: F401  (each enters its data sets)
