"""Functions under other names of their arguments, for `graphc.mint`.

    cumsum = renamed(ops.cumsum, "input, dim, dtype=None", dim="axis")
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

from graphc.place import located, named


def renamed(function: Callable[..., Any], parameters: str, name: str | None = None, **names: str) -> Any:
    """`function` with other parameters.

    Args:
        parameters: the parameters, as in a `def`. The first is given to the function by position, the others by name.
        name: what it is called; by default as the function.
        names: for parameters that the function calls otherwise, what it calls them.
    """
    signature = _signature(parameters)
    first = next(iter(signature.parameters))
    called = name or function.__name__
    variadic = signature.parameters[first].kind is inspect.Parameter.VAR_POSITIONAL

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise located(TypeError(f"{called}: {error}")) from None
        bound.apply_defaults()
        given = dict(bound.arguments)
        head = given.pop(first)
        options = {names.get(key, key): value for key, value in given.items()}
        return function(*head, **options) if variadic else function(head, **options)

    call.__signature__ = signature  # type: ignore[attr-defined]  # what help() and inspect show
    return named(call, called, function.__doc__)


def _signature(parameters: str) -> inspect.Signature:
    arguments = ast.parse(f"def f({parameters}): pass").body[0].args  # type: ignore[attr-defined]
    defaults = [ast.literal_eval(d) for d in arguments.defaults]
    kinds = inspect.Parameter
    found = []
    for i, argument in enumerate(arguments.args):
        place = i - (len(arguments.args) - len(defaults))
        default = defaults[place] if place >= 0 else kinds.empty
        found.append(kinds(argument.arg, kinds.POSITIONAL_OR_KEYWORD, default=default))
    if arguments.vararg:
        found.append(kinds(arguments.vararg.arg, kinds.VAR_POSITIONAL))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        value = kinds.empty if default is None else ast.literal_eval(default)
        found.append(kinds(argument.arg, kinds.KEYWORD_ONLY, default=value))
    return inspect.Signature(found)
