"""Language model of stacked LSTM layers.

Zaremba, Sutskever, Vinyals, "Recurrent neural network regularization", 2014, section 4.1; ``width=200, layers=2`` and
10,000 tokens are their non-regularized model: 4,651,600 parameters (published as 4.65 M with two biases a gate), and
2,640,000 MAdds a token forward. As it stands the network is a small one for characters.
"""

# ruff: noqa: D102  (Module says what forward does)

from fxpsim import nn
from fxpsim.autodiff import Tensor

EXAMPLE_INPUT = (64,)  # tokens of a sample, where sizes are compared


class LanguageModel(nn.Module):
    """Embedding, LSTM layers, scores of the next token."""

    def __init__(self, classes: int, width: int, layers: int, dropout: float) -> None:
        self.embedding = nn.Embedding(classes, width)
        self.drop = nn.Dropout(dropout)
        parts: dict[str, nn.Module] = {}
        for index in range(1, layers + 1):
            parts |= {f"lstm{index}": nn.LSTM(width, width), f"drop{index}": nn.Dropout(dropout)}
        self.stack = nn.Sequential(**parts)
        self.output = nn.Linear(width, classes, initializer=nn.glorot_uniform)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.stack(self.drop(self.embedding(x))))


def build(*, classes: int = 65, width: int = 128, layers: int = 2, dropout: float = 0.0) -> nn.Module:
    """Return the network; it maps tokens (N, T) to scores (N, T, classes)."""
    return LanguageModel(classes, width, layers, dropout)
