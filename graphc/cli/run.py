"""`graphc run`: runs a program as Python does, and looks into what graphc does in it; the program stays as it is."""

from __future__ import annotations

import argparse
import contextlib
import logging
import runpy
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

from graphc.anomaly import detect_anomaly
from graphc.cli.errors import UsageError
from graphc.cli.options import output_file
from graphc.context import set_context
from graphc.place import leave_out_own_frames
from graphc.profile import profile

_show_warning = warnings.showwarning  # Python's own, as this module is imported before a command runs


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", action="store_true", help="list the kernels that ran, and how long each took")
    parser.add_argument(
        "--trace", type=output_file, metavar="FILE", help="write a timeline for Perfetto or chrome://tracing"
    )
    parser.add_argument(
        "--save-graphs", metavar="DIR", help="write the text of every stage of every compile there"
    )
    parser.add_argument(
        "--log-traces", action="store_true", help="say of every function when it is traced, and why it is traced again"
    )
    parser.add_argument(
        "--detect-anomaly", action="store_true", help="stop where NaN or infinite values come about, and say where"
    )
    parser.add_argument("program", metavar="PROGRAM.py", help="what to run")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="its arguments")


def run(args: argparse.Namespace) -> int:
    if not Path(args.program).is_file():
        raise UsageError(f"there is no file {args.program}")
    if args.save_graphs:
        set_context(save_graphs=True, save_graphs_path=args.save_graphs)
    if args.log_traces:
        _log_traces()
    warnings.showwarning = _show_warning
    with _profiled(args), detect_anomaly() if args.detect_anomaly else contextlib.nullcontext():
        return _run(args.program, args.arguments)


def _run(program: str, arguments: list[str]) -> int:
    """Runs the program as `python PROGRAM.py ...` would; 1 where it ends with an error, which is shown."""
    argv, path = sys.argv, list(sys.path)
    sys.argv, sys.path[0] = [program, *arguments], str(Path(program).resolve().parent)
    try:
        runpy.run_path(program, run_name="__main__")
        return 0
    except Exception as error:
        leave_out_own_frames(error)
        traceback.print_exception(error)
        return 1
    finally:
        sys.argv, sys.path[:] = argv, path


@contextlib.contextmanager
def _profiled(args: argparse.Namespace) -> Iterator[None]:
    """Prints and writes a profile of what runs within, if it is asked for; also where that ends with an error."""
    if not (args.profile or args.trace):
        yield
        return
    p = profile()
    try:
        with p:
            yield
    finally:
        if args.profile:
            print(p)
        if args.trace:
            p.save(args.trace)
            print(f"trace: {args.trace} (open it at https://ui.perfetto.dev)")


def _log_traces() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("graphc: %(message)s"))
    logger = logging.getLogger("graphc.jit")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
