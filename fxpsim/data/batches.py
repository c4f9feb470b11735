"""Batches in a deterministic order, made ahead of time by a background thread."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from fxpsim.data.augment import Augmentation, augment
from fxpsim.data.dataset import Split
from fxpsim.data.order import Purpose, epoch_order, words
from fxpsim.errors import UserError
from fxpsim.registry import unknown


class Batch(NamedTuple):
    """Inputs and targets of one step."""

    inputs: np.ndarray
    targets: np.ndarray


def batch_count(split: Split, *, batch: int, drop_last: bool) -> int:
    """Return the number of batches of an epoch.

    >>> split = Split(inputs=np.zeros((10, 1), np.uint8), targets=np.zeros(10, np.int32))
    >>> batch_count(split, batch=4, drop_last=False), batch_count(split, batch=4, drop_last=True)
    (3, 2)
    """
    return len(split) // batch if drop_last else -(-len(split) // batch)


def batches(
    split: Split,
    *,
    batch: int,
    seed: int = 0,
    epoch: int = 0,
    shuffle: bool = False,
    drop_last: bool = False,
    augment: Iterable[str] = (),
    start: int = 0,
    prefetch: int = 2,
) -> Iterator[Batch]:
    """Iterate over one epoch of ``split``.

    Which samples a batch holds and how they are varied depends only on (seed, epoch, sample): neither on the thread
    that makes it nor on the batches before, so ``start`` resumes an epoch at any batch.

    Parameters
    ----------
    split : Split
        The samples.
    batch : int
        Samples in a batch; the last one may be smaller.
    seed, epoch : int
        Key of order and augmentation.
    shuffle : bool
        Visit the samples in the epoch's own random order instead of the stored one.
    drop_last : bool
        Leave out a last batch that is not full.
    augment : iterable of str
        ``crop`` (pad by 4, cut at random) and ``flip`` (mirror left and right), applied in the given order.
    start : int
        Index of the first batch to make.
    prefetch : int
        Batches made ahead by a background thread; 0 makes each when it is asked for.

    Yields
    ------
    Batch
        ``(inputs, targets)``; copies, which the caller may change.

    Raises
    ------
    UserError
        If ``batch`` is not positive, or an augmentation is unknown or does not fit the samples.

    Examples
    --------
    >>> split = Split(inputs=np.arange(5, dtype=np.uint8)[:, None], targets=np.arange(5, dtype=np.int32))
    >>> [b.targets.tolist() for b in batches(split, batch=2)]
    [[0, 1], [2, 3], [4]]
    """
    steps = _steps(split, augment)
    if batch < 1 or (drop_last and batch > len(split)):
        raise UserError(
            f"batch is {batch}",
            where=f"{len(split)} samples",
            expected="at least 1, and with drop_last no more than there are samples",
            remedy="choose another batch size",
        )
    order = epoch_order(len(split), seed=seed, epoch=epoch) if shuffle else np.arange(len(split))
    random = words(seed=seed, purpose=Purpose.AUGMENT, epoch=epoch, size=len(split)) if steps else None
    numbers = range(start, batch_count(split, batch=batch, drop_last=drop_last))

    def make(index: int) -> Batch:
        return _make(split, order[index * batch : (index + 1) * batch], random, steps)

    return _ahead(make, numbers, prefetch) if prefetch else map(make, numbers)


def _make(split: Split, chosen: np.ndarray, random: np.ndarray | None, steps: tuple[Augmentation, ...]) -> Batch:
    inputs = split.inputs[chosen]
    if random is not None:
        inputs = augment(inputs, random[chosen], steps)
    return Batch(inputs, split.targets[chosen])


def _ahead(make: Callable[[int], Batch], numbers: range, depth: int) -> Iterator[Batch]:
    """Yield ``make(i)`` for each i of ``numbers``, keeping ``depth`` of them under way in one thread."""
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fxpsim-batches")
    pending: deque[Future[Batch]] = deque()
    try:
        for index in numbers:
            pending.append(pool.submit(make, index))
            if len(pending) > depth:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _steps(split: Split, names: Iterable[str]) -> tuple[Augmentation, ...]:
    names = tuple(names)
    for name in names:
        if name not in list(Augmentation):
            raise unknown("augmentation", name, [known.value for known in Augmentation], where="augment")
    if names and (split.inputs.ndim != 4 or split.targets.ndim != 1):
        raise UserError(
            f"augmentation {', '.join(names)} does not fit these samples",
            where=repr(split),
            expected="images (N, H, W, C) with one class each: the targets are not moved along",
            remedy="leave augment empty",
        )
    return tuple(Augmentation(name) for name in names)
