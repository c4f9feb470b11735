"""Gates that choose word lengths: a small recurrent network beside the blocks of a network (FracTrain's DFQ).

Before every block its input is averaged over space and embedded; one long short-term memory, shared by all blocks and
stepped once for each, makes of the embeddings a share for each candidate. Every sample's block takes the candidate of
the largest share (the first of equals); gradients reach the shares straight through the choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fxpsim.autodiff import Tensor, ops
from fxpsim.autodiff.protocols import Gating
from fxpsim.errors import UserError
from fxpsim.nn.linear import Linear
from fxpsim.nn.module import Module
from fxpsim.nn.recurrent import LSTM, zeros_like_rows


class Embedded(Module):
    """Mean over space, a layer with ReLU, a layer: (N, H, W, inputs) or (N, inputs) to (N, outputs)."""

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        self.reduce = Linear(inputs, width)
        self.embed = Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Embed a batch."""
        pooled = ops.global_average_pool(x) if len(x.shape) > 2 else x
        return self.embed(ops.relu(self.reduce(pooled)))


class Gates(Module):
    """The gates of a sequence of blocks.

    Parameters
    ----------
    channels : sequence of int
        Channels of every block's input.
    candidates : int
        How many pairs of word lengths there are.
    width, embedding, hidden : int
        Sizes as published: 32, 16, 16.
    """

    def __init__(
        self, channels: Sequence[int], candidates: int, *, width: int = 32, embedding: int = 16, hidden: int = 16
    ) -> None:
        for index, inputs in enumerate(channels):
            setattr(self, f"embed{index + 1}", Embedded(inputs, width, embedding))
        self.cell = LSTM(embedding, hidden)
        self.choice = Linear(hidden, candidates)

    def start(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return state and memory before the first block."""
        return zeros_like_rows(x, self.cell.width), zeros_like_rows(x, self.cell.width)

    def step(self, index: int, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the shares (N, candidates) for a block's input, and the next state."""
        feature = getattr(self, f"embed{index + 1}")(x)
        state = self.cell.cell(self.cell.inputs(feature), *state)
        return ops.softmax(self.choice(state[0])), state


class Gated(Module):
    """Blocks one after the other, the word lengths of each chosen by a gate for every sample.

    Under a method without gates the blocks run as they are. The gates' gradient needs the output of every candidate:
    blocks run once for each different forward word length without a tape, then once as chosen. As the array executes a
    batch once, normalization in a block sees the batch as chosen, and ranges are those of that batch; the published
    code runs the whole batch through every candidate and normalizes each of these passes by itself.

    Parameters
    ----------
    blocks : mapping of str to Module
        Blocks by name, in order.
    channels : sequence of int
        Channels of every block's input.
    candidates : int
        How many pairs of word lengths the method has.
    """

    def __init__(self, blocks: Mapping[str, Module], channels: Sequence[int], *, candidates: int = 5) -> None:
        self.candidates, self.names = candidates, tuple(blocks)
        self.gates = Gates(channels, candidates)
        for name, block in blocks.items():
            setattr(self, name, block)

    def forward(self, x: Tensor) -> Tensor:
        """Run all blocks."""
        state = self.gates.start(x)
        for index, name in enumerate(self.names):
            shares, state = self.gates.step(index, x, state)
            x = self._run(getattr(self, name), x, shares)
        return x

    def _run(self, block: Module, x: Tensor, shares: Tensor) -> Tensor:
        engine = x.engine
        gating = engine.gating
        if gating is None:
            return ops.chosen(block(x), shares, outputs=[], penalty=list)
        if len(gating.forward_words) != self.candidates:
            raise UserError(
                f"the method has {len(gating.forward_words)} candidates, the network's gates {self.candidates}",
                where="gates",
                expected="as many",
                remedy="set network_options.candidates",
            )
        choice = engine.vector.array(shares.value).argmax(axis=1)
        outputs = self._tried(gating, block, x) if engine.training else []
        gating.settle(block.path, choice)
        y = block(x)
        return ops.chosen(y, shares, outputs=outputs, penalty=gating.penalty) if engine.training else y

    def _tried(self, gating: Gating, block: Module, x: Tensor) -> list[object]:
        """Return the block's output for every candidate; those of one forward word length share it."""
        found: dict[int, object] = {}
        with x.engine.trying():
            for candidate, word_bits in enumerate(gating.forward_words):
                if word_bits not in found:
                    gating.choose(block.path, np.full(x.shape[0], candidate))
                    found[word_bits] = block(x).value
        return [found[word_bits] for word_bits in gating.forward_words]
