"""Encoder-decoder Transformer for translation.

Vaswani et al., "Attention is all you need", NeurIPS 2017, figure 1, with learned positions (their table 3, row E:
nearly the same quality) and one table for all tokens. ``width=512, layers=6, heads=8, inner=2048`` and 37,000 tokens
are the base model: 63,082,496 parameters without the positions (table 3 says 65 M). As it stands the network is small.
"""

# ruff: noqa: D102  (Module says what forward does)

import numpy as np

from fxpsim import nn
from fxpsim.autodiff import Tensor, ops

EXAMPLE_INPUT = (21,)  # 10 tokens of the source and 11 of the target, where sizes are compared


class Network(nn.Module):
    """Two fully connected layers with ReLU."""

    def __init__(self, width: int, inner: int) -> None:
        self.wide = nn.Linear(width, inner, initializer=nn.glorot_uniform)
        self.narrow = nn.Linear(inner, width, initializer=nn.glorot_uniform)

    def forward(self, x: Tensor) -> Tensor:
        return self.narrow(ops.relu(self.wide(x)))


class Encoder(nn.Module):
    """Attention and a network, each with a shortcut and normalized behind it."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        self.attention = nn.MultiHeadAttention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.network = Network(width, inner)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.network(x))


class Decoder(nn.Module):
    """Causal attention, attention to the source, and a network."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        self.attention = nn.MultiHeadAttention(width, heads, causal=True)
        self.norm1 = nn.LayerNorm(width)
        self.across = nn.MultiHeadAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.network = Network(width, inner)
        self.norm3 = nn.LayerNorm(width)

    def decode(self, x: Tensor, memory: Tensor) -> Tensor:
        """Let the target's positions see those before them, and all of the source."""
        x = self.norm1(x + self.attention(x))
        x = self.norm2(x + self.across.attend(x, memory))
        return self.norm3(x + self.network(x))


class Transformer(nn.Module):
    """Reads the source and the target so far, one behind the other: tokens (N, source + T)."""

    def __init__(
        self, classes: int, width: int, layers: int, heads: int, inner: int, source: int, context: int
    ) -> None:
        self.source = source
        self.positions = nn.Embedding(context, width)
        self.encoder = nn.Sequential(**{f"layer{i + 1}": Encoder(width, heads, inner) for i in range(layers)})
        self.decoder = nn.Sequential(**{f"layer{i + 1}": Decoder(width, heads, inner) for i in range(layers)})
        self.head = nn.Linear(width, classes, bias=False, initializer=nn.scaled_uniform(0.05))

    def forward(self, x: Tensor) -> Tensor:
        ids = nn.token_ids(x)
        memory = self.encoder(self._embed(ids[:, : self.source]))
        y = self._embed(ids[:, self.source :])
        for _, layer in self.decoder.children():
            y = layer.decode(y, memory)
        return self.head(y)

    def _embed(self, ids: np.ndarray) -> Tensor:
        table = ops.transpose(self.head.weight(), axes=(1, 0))
        places = self.positions.look_up(np.broadcast_to(np.arange(ids.shape[1]), ids.shape))
        return ops.embedding(table, ids=ids) + places


def build(
    *,
    input_shape: tuple[int, ...] = (10,),
    classes: int = 27,
    width: int = 64,
    layers: int = 2,
    heads: int = 4,
    inner: int = 128,
    context: int = 64,
) -> nn.Module:
    """Return the network; ``input_shape`` is the length of the source. It gives scores (N, T, classes)."""
    return Transformer(classes, width, layers, heads, inner, input_shape[0], context)
