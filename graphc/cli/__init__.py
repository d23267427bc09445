"""The command line: `graphc train`, `run`, `dump`, `profile`, `doctor`, `bench`.

Each command is a module with two functions: `arguments(parser)` says what it takes, `run(args)` does it and returns the
exit code. What a user gets wrong is one line on the standard error and exit code 2.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from graphc.cli.errors import UsageError

COMMANDS = {
    "train": "train a network on images, and say how well it does",
    "run": "run a program, and profile it or look into what it compiles",
    "dump": "print or draw any stage of compiling a network's training step",
    "profile": "time each kernel of a network's training step",
    "doctor": "say what graphc finds on this machine, and try it",
    "bench": "time the programs in benchmarks/ side by side with other frameworks",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, where argparse would print the usage too."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def parse_known_args(self, *args: Any, **options: Any) -> tuple[Any, list[str]]:
        """Reports what is not known as an error of the command that met it, where argparse names the whole program."""
        found, unknown = super().parse_known_args(*args, **options)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    whole = _Parser(prog="graphc", description="A graph-compiling deep-learning framework.")
    whole.add_argument("--version", action="version", version=f"graphc {_version()}")
    whole.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        _module(name).arguments(command)
    return whole


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: its arguments; those of the process by default.
    Returns:
        The exit code: 0, 1 where a check failed, 2 for what the user got wrong, 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["bench"] and given[1:2] not in (["-h"], ["--help"]):
        given.insert(1, "--")  # what follows is the benchmark's own, options too
    try:
        args = parser().parse_args(given)
    except SystemExit as done:  # --help, --version, or an error that is already printed
        return int(done.code or 0)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without a letter such as µ shows another in its place
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warned
            code: int = _module(args.command).run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UsageError, OSError, ValueError, TypeError, IndexError, RuntimeError, MemoryError) as error:
        if args.debug:
            raise
        message = " ".join(_text(error).split()) or type(error).__name__
        print(f"graphc {args.command}: {message}{_hint(args, error)}", file=sys.stderr)
        return 2


def _text(error: Exception) -> str:
    """What an error says; of a file that cannot be read or written its name and why."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _hint(args: argparse.Namespace, error: Exception) -> str:
    """What may be behind an error of a network from a user's file, which inputs of a shape of ours do not fit."""
    fits = isinstance(error, (UsageError, OSError)) or getattr(args, "input", ()) is not None
    return "" if fits or ".py:" not in args.model else " (inputs are 1,28,28 unless --input says otherwise)"


def _warned(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as one line: what it names is not a line of the user's that calls graphc."""
    print(f"graphc: warning: {message}", file=sys.stderr)


def _module(command: str) -> Any:
    return importlib.import_module(f"graphc.cli.{command}")


def _version() -> str:
    import graphc

    return graphc.__version__
