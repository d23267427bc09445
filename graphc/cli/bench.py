"""`graphc bench`: runs a checkout's benchmarks."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import graphc
from graphc.cli.errors import UsageError

DEFAULT = "programs"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="[NAME] ...",
        help=f"a script in benchmarks/ without its .py (default: {DEFAULT}), and the arguments it takes",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    given = args.arguments[1:] if args.arguments[:1] == ["--"] else args.arguments
    name, rest = (given[0], given[1:]) if given and not given[0].startswith("-") else (DEFAULT, given)
    folder = Path(graphc.__file__).resolve().parent.parent / "benchmarks"
    if not folder.is_dir():
        raise UsageError(f"the benchmarks are not part of the installed package: run it in a checkout (no {folder})")
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))}
    scripts = [stem for stem, text in texts.items() if 'if __name__ == "__main__"' in text]
    if name not in scripts:
        raise UsageError(f"there is no benchmark {name!r}: expected one of {', '.join(scripts)}")
    return subprocess.call([sys.executable, str(folder / f"{name}.py"), *rest])
