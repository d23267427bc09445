"""Compiled programs: each is compiled once, and kept on disk.

The compiler is imported only where something must be compiled, or where an error or a dump asks how code came about. A
program that was compiled before runs without it.
"""

from __future__ import annotations

import functools
import glob
import os
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphc import context
from graphc.ir import Graph
from graphc.runtime import binary, executable, jit, pool
from graphc.runtime.executable import Executable
from graphc.tensor import Tensor
from graphc.trace import no_collection

if TYPE_CHECKING:
    from graphc.runtime.program import Program

_dumped: dict[str, int] = {}
"""How many compiles this process has written dumps of, by the folder."""


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

    with no_collection(), jit.ahead() as begin:
        compiled = compile_program(graph, begin).binary()
        made = Executable(graph, compiled, bound, functools.partial(_program, graph))
    if key:
        binary.store(key, compiled)
    return made


def _program(graph: Graph) -> Program:
    from graphc.compiler import compile_program

    return compile_program(graph)


def _dump(graph: Graph) -> None:
    """Writes the text of every stage: `<path>/<compile>_<graph>/<stage number>_<stage>.txt`.

    The first of a process takes the place of all that others have written there before.
    """
    from graphc.compiler import STAGES, stage_texts

    path = os.path.abspath(context.get_context("save_graphs_path"))
    if path not in _dumped:
        _remove_dumps(path, {f"{number:02d}_{name}.txt" for number, name in enumerate(STAGES)})
    number = _dumped[path] = _dumped.get(path, -1) + 1
    folder = os.path.join(path, f"{number:02d}_{graph.name}")
    os.makedirs(folder, exist_ok=True)
    for stage, (name, text) in enumerate(stage_texts(graph)):
        with open(os.path.join(folder, f"{stage:02d}_{name}.txt"), "w", encoding="utf-8") as file:
            file.write(text + "\n")


def _remove_dumps(path: str, names: set[str]) -> None:
    """Removes the folders of dumps, where they hold nothing else, so that no reader takes an old one for a new one."""
    for first in glob.glob(os.path.join(glob.escape(path), "[0-9][0-9]*_*", "00_traced.txt")):
        folder = os.path.dirname(first)
        if names.issuperset(os.listdir(folder)):
            shutil.rmtree(folder)


def set_num_threads(count: int) -> None:
    pool.set_num_threads(count)


def num_threads() -> int:
    return pool.num_threads()
