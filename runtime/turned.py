"""Strips of memory turned, sixteen lines by any length: functions that kernels share, each compiled once.

    graphc_turned_float(ptr source, i64 apart, ptr target, i64 distance, i64 length)
    graphc_turned_part_float(ptr source, i64 apart, i64 lines, ptr target, i64 distance, i64 length)

The first reads sixteen lines of `length` elements, a multiple of sixteen, `apart` from one another, and stores their
columns, `distance` apart. The second does so with any length of the first `lines` of sixteen, and zeros for the others.
Written where it is needed, it took most of the time to compile a kernel that does little else.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from graphc.runtime.llvmtext import Builder, Module, Val, const, const_vector, i64, vector
from graphc.schedule import LANES

_NAME, _PART = "graphc_turned_", "part_"
_PARAMETERS = [("ptr", "source"), ("i64", "apart"), ("ptr", "target"), ("i64", "distance"), ("i64", "length")]


def turn(
    b: Builder, element: str, source: Val, apart: int, lines: int, target: Val, distance: int, length: Val,
    squares: bool,
) -> None:
    """Writes calls: whole squares of sixteen lines, then what is left.

    Args:
        squares: whether the length is known to be a multiple of sixteen.
    """
    if lines == LANES:
        whole = length if squares else b.int_op("and", length, -LANES)
        b.call(_NAME + element, "void", source, i64(apart), target, i64(distance), whole)
        if squares:
            return
        length = b.sub(length, whole)
        source, target = b.gep(source, whole, element), b.gep(target, b.mul(whole, distance), element)
    b.call(_NAME + _PART + element, "void", source, i64(apart), i64(lines), target, i64(distance), length)


def columns(b: Builder, element: str, source: Val, apart: Val, lines: int = LANES) -> list[Val]:
    """The columns of sixteen lines of sixteen elements; of the first `lines`, and zeros for the others."""
    type_ = vector(element, LANES)
    there = [b.load(b.gep(source, b.mul(apart, line), element), type_) for line in range(lines)]
    return b.transpose([*there, *[const(0, type_)] * (LANES - lines)])


def texts_for(texts: Iterable[str]) -> list[str]:
    """The modules of the functions that some kernels' texts call."""
    needed = {line.split("(")[0].removeprefix(f"declare void @{_NAME}") for text in texts for line in _declared(text)}
    return [text_for(name) for name in sorted(needed)]


def _declared(text: str) -> list[str]:
    """The lines that declare functions of this module."""
    head = text.partition("\ndefine ")[0]
    return [line for line in head.split("\n") if line.startswith(f"declare void @{_NAME}")]


@functools.cache
def text_for(name: str) -> str:
    """The module of the function for elements of a type, or of that for a part of the lines."""
    element = name.removeprefix(_PART)
    module = Module(_NAME + name)
    if name == element:
        _write_whole(module.function(_NAME + name, _PARAMETERS), element)
    else:
        parameters = [*_PARAMETERS[:2], ("i64", "lines"), *_PARAMETERS[2:]]
        _write_part(module.function(_NAME + name, parameters), element)
    return str(module)


def _write_whole(b: Builder, element: str) -> None:
    source, apart, target, distance, length = b.args
    with b.loop(i64(0), length, LANES) as at:
        place = b.gep(target, b.mul(at, distance), element)
        for column in columns(b, element, b.gep(source, at, element), apart):
            b.store(column, place)
            place = b.gep(place, distance, element)
    b.ret()


def _write_part(b: Builder, element: str) -> None:
    """Reads nothing beyond the length and the lines, and stores nothing beyond the length."""
    source, apart, lines, target, distance, length = b.args
    type_, steps = vector(element, LANES), const_vector(list(range(LANES)), "i64")
    with b.loop(i64(0), length, LANES) as at:
        left = b.sub(length, at)
        there = b.icmp("slt", steps, b.splat(left, LANES))
        rows = []
        for line in range(LANES):
            lanes_on = b.int_op("and", there, b.splat(b.icmp("sgt", lines, line), LANES))
            corner = b.gep(source, b.add(at, b.mul(apart, line)), element)
            rows.append(b.masked_load(corner, type_, lanes_on))
        place = b.gep(target, b.mul(at, distance), element)
        for number, column in enumerate(b.transpose(rows)):
            with b.when(b.icmp("sgt", left, number)):
                b.store(column, b.gep(place, b.mul(distance, number), element))
    b.ret()
