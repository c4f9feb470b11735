"""Codes of tensors whose elements share ranges or exponents: ranges in one pass, codes and counts in another."""
