"""Walk the tape backwards."""

from __future__ import annotations

from fxpsim.autodiff.tensor import Tensor


def backward(output: Tensor, grad: Tensor) -> dict[int, Tensor]:
    """Compute the gradients of every leaf that wants one.

    Parameters
    ----------
    output : Tensor
        Where to start.
    grad : Tensor
        Gradient with respect to ``output``, of its shape.

    Returns
    -------
    dict
        ``id`` of a leaf tensor -> its gradient. Contributions are added in the order in which the tape is walked,
        which is fixed by the program.
    """
    engine = output.engine
    gradients: dict[int, Tensor] = {id(output): grad}
    order = _topological(output)
    with engine.going_back():
        while order:
            tensor = order.pop()
            record = tensor.record
            if record is None or id(tensor) not in gradients:
                continue
            incoming = gradients.pop(id(tensor))
            with engine.at(layer=record.layer, pass_="input_grad"):
                parts = record.op.gradient(incoming, record.inputs, tensor, record.saved, **record.attributes)
                for source, part in zip(record.inputs, parts, strict=True):
                    if part is None or not source.requires_grad:
                        continue
                    known = gradients.get(id(source))
                    gradients[id(source)] = part if known is None else known + part
            tensor.record = None  # the tape is used up: let go of what the op kept
    if engine.error_vector is not None:
        leave = engine.error_vector.leave
        return {leaf: Tensor(engine, leave(gradient.value)) for leaf, gradient in gradients.items()}
    return gradients


def _topological(output: Tensor) -> list[Tensor]:
    """Return the tensors below ``output``, every one behind its inputs."""
    order: list[Tensor] = []
    seen: set[int] = set()
    stack: list[tuple[Tensor, bool]] = [(output, False)]
    while stack:
        tensor, done = stack.pop()
        if done:
            order.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            if tensor.record is not None:
                stack.extend((source, False) for source in tensor.record.inputs if source.requires_grad)
    return order
