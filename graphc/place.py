"""Where the user's program is: the line that errors, warnings, graphs and profiles name, and the Cell it is in.

That line is the innermost one on the stack that is neither graphc's own nor the standard library's. The ready-made
networks of graphc read as a user's own.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import warnings
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, TypeVar

from graphc.ir import NOWHERE, Location
from graphc.state import state

Function = TypeVar("Function", bound=Callable[..., Any])

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_PARENT = os.path.dirname(_PACKAGE.rstrip(os.sep))
_HOMES = (_PACKAGE, *(os.path.join(_PARENT, folder) + os.sep for folder in ("passes", "runtime")))
_NETWORKS = (f"{_PACKAGE}models.py", f"{_PACKAGE}vision{os.sep}")
_COMMANDS = f"{_PACKAGE}cli{os.sep}"  # behind these there is no user's file
_LIBRARY = sysconfig.get_path("stdlib") + os.sep
_OF_OPS = ("graphc.ops", "graphc.mint", "graphc.numpy", "graphc.scipy")
_INSTALLED = tuple(sysconfig.get_path(name) + os.sep for name in ("purelib", "platlib"))  # may lie within it


class _Files(dict[str, bool | None]):
    """For each file of Python code whether its lines are a user's; None where behind them there is no user's file."""

    def __missing__(self, file: str) -> bool | None:
        self[file] = found = None if file.startswith(_COMMANDS) else self._is_users(file)
        return found

    @staticmethod
    def _is_users(file: str) -> bool:
        if file.startswith(_HOMES):
            return file.startswith(_NETWORKS)
        in_library = file.startswith("<frozen ") or (file.startswith(_LIBRARY) and not file.startswith(_INSTALLED))
        return not in_library


_files = _Files()


def is_users(file: str) -> bool:
    """Whether the code in a file is a user's: neither graphc's own nor the standard library's."""
    return bool(_files[file])


def _user_frame() -> FrameType | None:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        theirs = _files[frame.f_code.co_filename]
        if theirs:
            return frame
        if theirs is None:
            return None
        frame = frame.f_back
    return None


def user_line() -> tuple[str, int]:
    """The line of the user's program: file and number; ("", 0) if there is none."""
    frame = _user_frame()
    return ("", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def user_location() -> Location:
    """The user's line that asked for the op being called, and the path of the Cell that it is in."""
    now = state.now
    if now.place is not None:
        return now.place
    file, line = user_line()
    return Location(".".join(now.scopes), _cell(file) if "IPython" in sys.modules else file, line)


def _cell(file: str) -> str:
    """`In[3]` for the file that IPython names a cell of a notebook by, whose own name is a number; else the file."""
    shell = sys.modules["IPython"].get_ipython()
    found = None if shell is None else shell.compile.format_code_name(file)
    return file if found is None else str(found[1])


def located(error: Exception) -> Exception:
    """The same kind of error whose message begins with the function that the user called, and ends with the user's file
    and line (once)."""
    if getattr(error, "located", False):
        return error
    where, message = user_location(), str(error).removesuffix(".")
    called = _called() if state.now.place is None else ""
    if called and _plain(message.partition(":")[0]) != _plain(called):
        message = f"{called}: {message}"
    better = type(error)(f"{message}; {where}") if where != NOWHERE else error
    better.located = True  # type: ignore[attr-defined]  # marks the message as complete
    return better


def leave_out_own_frames(error: Exception) -> None:
    """Leaves graphc's own frames out of a traceback, but for those behind the last line of the program.

    It is for handlers that then `raise`, in functions that a program calls: what the reader sees is where his own code
    was, and what went wrong there. Before, the frames of Cells and of tracing were nine of ten.
    """
    frames: list[TracebackType] = []
    frame = error.__traceback__
    while frame is not None:
        frames.append(frame)
        frame = frame.tb_next
    theirs = [number for number, frame in enumerate(frames) if is_users(frame.tb_frame.f_code.co_filename)]
    behind = theirs[-1] + 1 if theirs else 1  # the first is the handler's
    kept = frames[behind] if behind < len(frames) else None
    for number in reversed(theirs):
        frame = frames[number]
        kept = TracebackType(kept, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    error.__traceback__ = kept or error.__traceback__


def _called() -> str:
    """The function of ops that the user's line calls: "where", say, for an error that `select` found; "" if none."""
    found = ""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and _files[frame.f_code.co_filename] is False:
        home, name = frame.f_globals, frame.f_code.co_name
        if home["__name__"].startswith(_OF_OPS) and (
            name in home.get("__all__", ()) or name in vars(sys.modules[home["__package__"]]).get("__all__", ())
        ):
            found = name
        frame = frame.f_back
    return found


def named(function: Function, name: str, doc: str | None = None) -> Function:
    """The function, which errors and tracebacks call by this name from here on, with this docstring."""
    function.__code__ = function.__code__.replace(co_name=name, co_qualname=name)  # type: ignore[attr-defined]
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def _plain(name: str) -> str:
    """A name without what differs between a function and the class of the same: `avg_pool2d`, `AvgPool2d`."""
    return name.replace("_", "").lower()


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns of something at the user's line; once for each, as `warnings` has it."""
    frame = _user_frame()
    if frame is None:
        warnings.warn_explicit(message, category, "graphc", 0)
        return
    names = frame.f_globals
    registry = names.setdefault("__warningregistry__", {})
    name = names.get("__name__")
    warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, name, registry)


class scope:  # noqa: N801 (used as a statement: `with scope("net.fc1")`)
    """Names the Cell whose ops are recorded within."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        now = state.now
        now.scopes = (*now.scopes, self.name)

    def __exit__(self, *error: object) -> None:
        now = state.now
        now.scopes = now.scopes[:-1]
