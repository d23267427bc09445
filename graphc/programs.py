"""Programs that users call: each compiled once and kept, on disk too; and the ops that eager mode runs by themselves.

The compiler is imported only where something must be compiled, or where an error or a dump asks how code came about:
what was compiled before runs without it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from graphc import context, dispatch
from graphc.ir import Graph, Node, TensorType, input_node
from graphc.op import Op
from graphc.runtime import binary, executable, jit, pool
from graphc.runtime.executable import Executable
from graphc.tensor import Tensor

if TYPE_CHECKING:
    from graphc.runtime.program import Program

_compiles = 0


def compile_graph(graph: Graph, bound: Sequence[Tensor], dump: bool = True) -> Executable:
    """An executable of the graph, its inputs that are no arguments bound to these tensors.

    With `dump`, and where `save_graphs` is set, the text of every stage is written.
    """
    key = binary.key_of(graph, executable.KERNEL_NS, executable.STEP_NS, pool.most_threads())
    made = (_known(key, graph, bound) if key else None) or _compiled(key, graph, bound)
    if dump and context.get_context("save_graphs"):
        _dump(graph)
    return made


def _known(key: str, graph: Graph, bound: Sequence[Tensor]) -> Executable | None:
    """The executable of a binary on disk, if there is one and all of its code is there."""
    found = binary.load(key)
    if found is None:
        return None
    try:
        return Executable(graph, found, bound, functools.partial(_program, graph))
    except jit.MissingCodeError:
        return None


def _compiled(key: str | None, graph: Graph, bound: Sequence[Tensor]) -> Executable:
    from graphc.compiler import compile_program

    with _no_collection(), jit.ahead() as begin:
        compiled = compile_program(graph, begin).binary()
        made = Executable(graph, compiled, bound, functools.partial(_program, graph))
    if key:
        binary.store(key, compiled)
    return made


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Within, Python looks for no cycles: what a compile makes lives to its end, and to look took a tenth of it."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def _program(graph: Graph) -> Program:
    from graphc.compiler import compile_program

    return compile_program(graph)


def _dump(graph: Graph) -> None:
    """Writes the text of every stage: `<path>/<compile>_<graph>/<stage number>_<stage>.txt`."""
    from graphc.compiler import stage_texts

    global _compiles
    folder = os.path.join(os.fspath(context.get_context("save_graphs_path")), f"{_compiles:02d}_{graph.name}")
    _compiles += 1
    os.makedirs(folder, exist_ok=True)
    for number, (name, text) in enumerate(stage_texts(graph)):
        with open(os.path.join(folder, f"{number:02d}_{name}.txt"), "w", encoding="utf-8") as file:
            file.write(text + "\n")


# Ops by themselves, for eager mode

_single: dict[Any, Executable] = {}


def kernel_key(op: Op, types: tuple[TensorType, ...], attrs: dict[str, Any]) -> Any:
    """What tells the kernel of one op from others."""
    return op.name, types, tuple(attrs.items())


def missing_kernels(keys: Iterable[Any]) -> int:
    """How many of these kernels are not compiled yet."""
    return len({key for key in keys if key not in _single})


def run_kernel(op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any], type_: TensorType) -> Tensor:
    """Runs one op by its own compiled kernel, which is kept."""
    types = tuple([o.type for o in operands])
    key = kernel_key(op, types, attrs)
    kernel = _single.get(key)
    if kernel is None:
        inputs = tuple(input_node(f"x{i}", t) for i, t in enumerate(types))
        node = Node(op.name, inputs, attrs, type_)
        kernel = _single[key] = compile_graph(Graph(op.name, inputs, (node,)), (), dump=False)
    return kernel(operands)[0]


dispatch.set_kernel_runner(run_kernel)  # in place of what imports this module


def set_num_threads(count: int) -> None:
    pool.set_num_threads(count)


def num_threads() -> int:
    return pool.num_threads()
