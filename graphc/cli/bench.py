"""`graphc bench`: runs a checkout's benchmarks."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import graphc
from graphc.cli.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="[NAME] ...",
        help="programs (the default), networks, kernels, overhead, compile_time or report, and the arguments it takes",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    given = args.arguments[1:] if args.arguments[:1] == ["--"] else args.arguments
    folder = Path(graphc.__file__).resolve().parent.parent / "benchmarks"
    if not folder.is_dir():
        raise UsageError(f"the benchmarks are not part of the installed package: run it in a checkout (no {folder})")
    return subprocess.call([sys.executable, str(folder), *given])
