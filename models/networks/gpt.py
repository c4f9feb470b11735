"""A small GPT: a Transformer decoder that predicts the next token.

Radford et al., "Language models are unsupervised multitask learners", 2019, in the form of A. Karpathy's nanoGPT (no
biases, scores from the transposed token table). ``width=384, layers=6, heads=6, context=256`` and 65 tokens are its
model of Shakespeare's characters: 10,745,088 parameters, 10,646,784 without the positions (published as 10.65 M). As it
stands the network is smaller.
"""

# ruff: noqa: D102  (Module says what forward does)

import numpy as np

from fxpsim import nn
from fxpsim.autodiff import Tensor, ops

EXAMPLE_INPUT = (64,)  # tokens of a sample, where sizes are compared


class Block(nn.Module):
    """Attention and a two-layer network, each behind a layer normalization and beside a shortcut."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        self.norm1 = nn.LayerNorm(width, bias=False)
        self.attention = nn.MultiHeadAttention(width, heads, causal=True, bias=False)
        self.drop1 = nn.Dropout(dropout)
        self.norm2 = nn.LayerNorm(width, bias=False)
        self.wide = nn.Linear(width, 4 * width, bias=False, initializer=nn.glorot_uniform)
        self.act = nn.GELU()
        self.narrow = nn.Linear(4 * width, width, bias=False, initializer=nn.glorot_uniform)
        self.drop2 = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop1(self.attention(self.norm1(x)))
        return x + self.drop2(self.narrow(self.act(self.wide(self.norm2(x)))))


class GPT(nn.Module):
    """Token and position tables, blocks, scores."""

    def __init__(self, classes: int, width: int, layers: int, heads: int, context: int, dropout: float) -> None:
        self.context = context
        self.positions = nn.Embedding(context, width)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.Sequential(**{f"block{i + 1}": Block(width, heads, dropout) for i in range(layers)})
        self.norm = nn.LayerNorm(width, bias=False)
        self.head = nn.Linear(width, classes, bias=False, initializer=nn.scaled_uniform(0.05))

    def forward(self, x: Tensor) -> Tensor:
        n, steps = x.shape
        if steps > self.context:
            raise ValueError(f"{steps} tokens are more than the context of {self.context}")
        table = ops.transpose(self.head.weight(), axes=(1, 0))
        tokens = ops.embedding(table, ids=nn.token_ids(x))
        places = self.positions.look_up(np.broadcast_to(np.arange(steps), (n, steps)))
        return self.head(self.norm(self.blocks(self.drop(tokens + places))))


def build(
    *, classes: int = 65, width: int = 128, layers: int = 4, heads: int = 4, context: int = 256, dropout: float = 0.0
) -> nn.Module:
    """Return the network; it maps tokens (N, T) to scores (N, T, classes)."""
    return GPT(classes, width, layers, heads, context, dropout)
