"""`python benchmarks NAME ...`: programs (the default), networks, kernels, overhead, compile_time or report."""

from __future__ import annotations

import importlib
import sys

NAMES = ("programs", "networks", "kernels", "overhead", "compile_time", "report")


def main() -> None:
    """Runs the benchmark named first, or `programs`."""
    arguments = sys.argv[1:]
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return
    name = arguments.pop(0) if arguments and arguments[0] in NAMES else NAMES[0]
    importlib.import_module(name).main(arguments)


if __name__ == "__main__":
    main()
