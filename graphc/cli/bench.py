"""`graphc bench`: runs the checkout's benchmarks."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import graphc
from graphc.cli.errors import UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="given on to the benchmarks")


def run(args: argparse.Namespace) -> int:
    checkout = Path(graphc.__file__).resolve().parent.parent
    script = checkout / "benchmarks" / "__main__.py"
    if not script.is_file():
        raise UsageError(f"the benchmarks are not part of the installed package: run this in a checkout (no {script})")
    return subprocess.call([sys.executable, str(script.parent), *args.arguments])
