"""Modules: layers with parameters, nested and named."""

from __future__ import annotations

from collections.abc import Iterator

from fxpsim.autodiff import Tensor
from fxpsim.nn.parameter import Buffer, Parameter


class Module:
    """Base of all layers and networks.

    Parameters and sub-modules are found by assignment to attributes; the attributes' names become the layers' names.
    A subclass defines ``forward``.
    """

    path = ""
    multiplies = False  # whether products of activations, without a weight, run on the MAC array here

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, x: Tensor) -> Tensor:
        """Run ``forward`` with this module as the current layer."""
        with x.engine.at(layer=self.path):
            return self.forward(x)

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the direct sub-modules with their names, in the order of assignment."""
        for name, item in vars(self).items():
            if isinstance(item, Module):
                yield name, item

    def own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the parameters of this very module."""
        for name, item in vars(self).items():
            if isinstance(item, Parameter):
                yield name, item

    def own_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Yield the buffers of this very module."""
        for name, item in vars(self).items():
            if isinstance(item, Buffer):
                yield name, item

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below, parents first."""
        yield self
        for _, child in self.children():
            yield from child.modules()

    def parameters(self) -> Iterator[Parameter]:
        """Yield all parameters, in the order of the modules."""
        for module in self.modules():
            for _, parameter in module.own_parameters():
                yield parameter

    def buffers(self) -> Iterator[Buffer]:
        """Yield all buffers, in the order of the modules."""
        for module in self.modules():
            for _, buffer in module.own_buffers():
                yield buffer

    def bind(self, path: str = "") -> Module:
        """Name this module and all below by their attributes, joined with dots; returns the module.

        >>> from fxpsim import nn
        >>> net = nn.Sequential(first=nn.Linear(2, 3), act=nn.ReLU()).bind()
        >>> [p.path for p in net.parameters()]
        ['first.weight', 'first.bias']
        """
        self.path = path
        for name, parameter in self.own_parameters():
            parameter.path = f"{path}.{name}" if path else name
        for name, buffer in self.own_buffers():
            buffer.path = f"{path}.{name}" if path else name
        for name, child in self.children():
            child.bind(f"{path}.{name}" if path else name)
        return self


class Sequential(Module):
    """Layers one after the other, named by keyword.

    >>> from fxpsim import nn
    >>> net = nn.Sequential(hidden=nn.Linear(4, 8), relu=nn.ReLU(), output=nn.Linear(8, 2))
    >>> [name for name, _ in net.children()]
    ['hidden', 'relu', 'output']
    """

    def __init__(self, **layers: Module) -> None:
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Run the layers in order."""
        for _, layer in self.children():
            x = layer(x)
        return x
