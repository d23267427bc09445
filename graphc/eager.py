"""Eager mode, piece by piece: the ops of one call of a Cell or of a gradient function are noted, and run together.

An op that is called by itself runs at once. The outermost call of a Cell or of a gradient function opens a piece: its
ops are noted, and run when it returns, or earlier if a value is asked for (printing, `if`, a Parameter looked at).
Results that nobody holds by then are not computed.

A piece that comes for the first time runs op by op, unless that has many kernels to compile; when it comes again it
runs as a compiled graph. Nobody can tell the difference: op by op and compiled give the same bits.

A piece is recognised while it is being noted (`graphc.noting`, `graphc.pieces`). Where steps were noted in the same
place before, as those of a sweep of gradients or of a function that only applies ops (`of_ops`), all of them are noted
in one go.

    with in_one_piece(net):
        y = net.construct(x)        # noted
        print(y)                    # runs what y depends on, and whatever else somebody holds
        z = y * 2.0                 # noted
    z                               # has run

Where pieces keep changing, ops are not noted, and run at once (`Root.kind`), as what calls them need not be known.

`set_context(pynative_synchronize=True)` does without pieces: every op runs when it is called.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, TypeVar

from graphc import context
from graphc.dispatch import by_shortcut
from graphc.noting import Piece
from graphc.pieces import Kind, forest
from graphc.state import state
from graphc.tensor import settle

Function = TypeVar("Function", bound=Callable[..., Any])


class in_one_piece:  # noqa: N801 (used as a statement: `with in_one_piece(net):`)
    """Notes the ops within and runs them at the end: what `called` does in eager mode.

    After an error no Parameter is written that had not been written before (because a value was asked for). Where
    pieces vary, as where a text grows word by word, ops run at once until arguments like these come again and again.

    Args:
        called: the function or Cell that is called.
        args: what it is called with.
    """

    __slots__ = ("_args", "_began", "_called", "_kind", "_root")

    def __init__(self, called: Callable[..., Any], args: Sequence[Any] = ()) -> None:
        self._called, self._args = called, args
        self._kind: Kind | None = None

    def __enter__(self) -> None:
        now = state.now
        if now.call is not None or now.piece is not None:
            settle()
        if now.tapes or context.synchronizes():
            return
        self._root = forest.root(self._called)
        self._kind = self._root.kind(self._args)
        if self._kind is None or self._root.pays(self._kind):
            now.piece = Piece(self._root, self._kind is not None)
        else:
            self._began = perf_counter()

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        now = state.now
        piece, now.piece = now.piece, None
        if piece is None:
            if self._kind is not None:
                self._kind.seconds += perf_counter() - self._began
        elif error is None:
            piece.run()
            self._root.noted(piece.new, self._kind)
        else:
            piece.abandon()


def as_one_piece(function: Function) -> Function:
    """A function of several ops, and of nothing else, that called by itself in eager mode runs in one piece."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        now = state.now
        if now.trace is not None:
            return function(*args, **kwargs)
        if now.piece is not None:
            return now.piece.call(function, args, kwargs)
        quick = by_shortcut(function, args, kwargs)
        if quick is not None:
            return quick
        with in_one_piece(function, (*args, *kwargs.values())):
            return function(*args, **kwargs) if now.piece is None else now.piece.call(function, args, kwargs)

    return called  # type: ignore[return-value]  # of the same signature


def of_ops(function: Function) -> Function:
    """A function of several ops, and of nothing else: where it noted them before it is not called again."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        now = state.now
        piece = now.piece
        if now.trace is not None:
            return function(*args, **kwargs)
        if piece is None:
            quick = by_shortcut(function, args, kwargs)
            return function(*args, **kwargs) if quick is None else quick
        return piece.call(function, args, kwargs)

    return called  # type: ignore[return-value]  # of the same signature


def at_once(function: Function) -> Function:
    """A function of ops, and of nothing else, that called by itself is native code when it comes often."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        quick = by_shortcut(function, args, kwargs)
        return function(*args, **kwargs) if quick is None else quick

    return called  # type: ignore[return-value]  # of the same signature
