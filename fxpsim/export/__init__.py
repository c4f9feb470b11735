"""Export: trained state for other software, memory contents and test vectors for hardware."""

from fxpsim.export.products import Product, export_memory, export_vectors
from fxpsim.export.weights import export_weights
from fxpsim.export.words import memory_formats, words, write_memory

__all__ = [
    "Product",
    "export_memory",
    "export_vectors",
    "export_weights",
    "memory_formats",
    "words",
    "write_memory",
]
