"""Relative addresses: the part of a buffer that a kernel reads or writes is a buffer of its own to the kernel.

    before   y[i+512] = tanh(x[i+1024])        y[i+1024] = tanh(x[i+1536])
    after    y+512[i] = tanh(x+1024[i])        y+1024[i] = tanh(x+1536[i])

Kernels that do the same at different places (the steps of a recurrent network on the slices of a sequence) are then the
same code, given other addresses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphc.loops import Buffer, Kernel, Store, TiledKernel, Value, accesses, all_values, gathers


def relative(kernel: Kernel | TiledKernel) -> Kernel | TiledKernel:
    """The kernel with every buffer beginning where it is used first; as it is, if it reads places from memory."""
    if gathers(kernel):
        return kernel
    first: dict[Buffer, int] = {}
    for buffer, address in accesses(kernel):
        least = address.bounds[0]
        first[buffer] = min(first.get(buffer, least), least)
    new = {buffer: buffer.since(at) for buffer, at in first.items() if 0 < at < buffer.elements}
    if not new:
        return kernel
    if isinstance(kernel, TiledKernel):
        a, b, *values = _moved([kernel.a, kernel.b, *(store.value for store in kernel.stores)], new)
        return replace(kernel, a=a, b=b, stores=_moved_stores(kernel.stores, values, new))
    values = _moved([store.value for store in kernel.stores], new)
    return replace(kernel, stores=_moved_stores(kernel.stores, values, new))


def _moved_stores(
    stores: Sequence[Store], values: Sequence[Value], new: Mapping[Buffer, Buffer]
) -> tuple[Store, ...]:
    buffers = [new.get(store.buffer, store.buffer) for store in stores]
    return tuple(
        Store(buffer, store.address - buffer.at, value)
        for store, buffer, value in zip(stores, buffers, values, strict=True)
    )


def _moved(values: Sequence[Value], new: Mapping[Buffer, Buffer]) -> list[Value]:
    done: dict[Value, Value] = {}
    for v in all_values(values):
        args, data = tuple([done[a] for a in v.args]), v.data
        if v.kind == "load" and data[0] in new:
            data = (new[data[0]], data[1] - new[data[0]].at)
        done[v] = v if data is v.data and args == v.args else v.b.make(v.kind, v.dtype, data, args)
    return [done[value] for value in values]
