"""Relative addresses: the part of a buffer that a kernel reads or writes is a buffer of its own to the kernel.

    before   y[i+512] = tanh(x[i+1024])        y[i+1024] = tanh(x[i+1536])
    after    y+512[i] = tanh(x+1024[i])        y+1024[i] = tanh(x+1536[i])

Kernels that do the same at different places (the steps of a recurrent network on the slices of a sequence) are then the
same code, given other addresses.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    done: dict[Value, Value] = {}
    stores = tuple(_moved_store(store, new, done) for store in kernel.stores)
    if isinstance(kernel, TiledKernel):
        a, b = (_moved(operand, new, done) for operand in (kernel.a, kernel.b))
        return replace(kernel, a=a, b=b, stores=stores)
    return replace(kernel, stores=stores)


def _moved_store(store: Store, new: Mapping[Buffer, Buffer], done: dict[Value, Value]) -> Store:
    buffer = new.get(store.buffer, store.buffer)
    return Store(buffer, store.address - buffer.at, _moved(store.value, new, done))


def _moved(value: Value, new: Mapping[Buffer, Buffer], done: dict[Value, Value]) -> Value:
    for v in all_values([value]):
        if v not in done:
            args, data = tuple(done[a] for a in v.args), v.data
            if v.kind == "load" and data[0] in new:
                data = (new[data[0]], data[1] - new[data[0]].at)
            done[v] = v if data is v.data and args == v.args else v.b.make(v.kind, v.dtype, data, args)
    return done[value]
