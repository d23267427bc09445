"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Reads an int of at least `least`, and at most `most`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            span = f"at least {least}" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"expected a whole number {span}, got {text!r}")
        return number

    return read


def positive(text: str) -> float:
    """Reads a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def output_file(text: str) -> str:
    """Reads the name of a file to write: a folder that is not there is found out before the work, not after it."""
    path = Path(text).absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"expected a file in a folder that exists, got {text!r}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written to")
    return text


def shape(text: str) -> tuple[int, ...]:
    """Reads `1,32,32`."""
    try:
        sizes = tuple(int(word) for word in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"expected sizes such as 1,28,28, got {text!r}")
    return sizes


def model_arguments(parser: argparse.ArgumentParser, what: str = "") -> None:
    """MODEL, and what fixes its training step."""
    from graphc.cli.recipes import RECIPES

    parser.add_argument(
        "model", metavar="MODEL",
        help=f"{', '.join(RECIPES)}, or FILE.py:NAME, a Cell class or a function that makes a Cell{what}",
    )  # fmt: skip
    parser.add_argument("--batch-size", type=whole(1), metavar="N", help="images of a step (default: the model's own)")
    parser.add_argument(
        "--input", type=shape, metavar="C,H,W", help="shape of one input, where FILE.py:NAME takes other than 1,28,28"
    )
    parser.add_argument("--lr", type=positive, metavar="RATE", help="learning rate (default: the model's own)")
    parser.add_argument("--seed", type=whole(0, 2**32 - 1), default=1, metavar="N", help="of all random numbers")
    parser.add_argument("--threads", type=whole(1, 256), metavar="N", help="of native code (default: all cores)")
