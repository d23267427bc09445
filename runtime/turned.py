"""Strips of memory turned, sixteen by a multiple of sixteen: functions that kernels share, each compiled once.

    graphc_turned_float(ptr source, i64 apart, ptr target, i64 distance, i64 length)

reads sixteen lines of `length` elements, `apart` from one another, and stores their columns, `distance` apart. Written
where it is needed, it took most of the time to compile a kernel that does little else.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from graphc.runtime.llvmtext import Builder, Module, Val, i64, vector
from graphc.schedule import LANES

_NAME = "graphc_turned_"


def turn(b: Builder, element: str, source: Val, apart: int, target: Val, distance: int, length: Val) -> None:
    """Writes a call."""
    b.call(_NAME + element, "void", source, i64(apart), target, i64(distance), length)


def columns(b: Builder, element: str, source: Val, apart: Val) -> list[Val]:
    """The columns of sixteen lines of sixteen elements."""
    lines = []
    for _ in range(LANES):
        lines.append(b.load(source, vector(element, LANES)))
        source = b.gep(source, apart, element)
    return b.transpose(lines)


def texts_for(texts: Iterable[str]) -> list[str]:
    """The modules of the functions that some kernels' texts call."""
    needed = {line.split("(")[0].removeprefix(f"declare void @{_NAME}") for text in texts for line in _declared(text)}
    return [text_for(element) for element in sorted(needed)]


def _declared(text: str) -> list[str]:
    """The lines that declare functions of this module."""
    head = text.partition("\ndefine ")[0]
    return [line for line in head.split("\n") if line.startswith(f"declare void @{_NAME}")]


@functools.cache
def text_for(element: str) -> str:
    """The module of the function for elements of a type."""
    module = Module(_NAME + element)
    arguments = [("ptr", "source"), ("i64", "apart"), ("ptr", "target"), ("i64", "distance"), ("i64", "length")]
    b = module.function(_NAME + element, arguments)
    source, apart, target, distance, length = b.args
    with b.loop(i64(0), length, LANES) as at:
        place = b.gep(target, b.mul(at, distance), element)
        for column in columns(b, element, b.gep(source, at, element), apart):
            b.store(column, place)
            place = b.gep(place, distance, element)
    b.ret()
    return str(module)
