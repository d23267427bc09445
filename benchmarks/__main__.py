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
    name = arguments.pop(0) if arguments and not arguments[0].startswith("-") else NAMES[0]
    if name not in NAMES:
        print(f"there is no benchmark {name!r}: expected one of {', '.join(NAMES)}", file=sys.stderr)
        sys.exit(2)
    importlib.import_module(name).main(arguments)


if __name__ == "__main__":
    main()
