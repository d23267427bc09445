"""Log messages: `from graphc import log as logger; logger.warning("...")`; the logger `graphc` of Python's `logging`.

Level and destination are set as for any logger: `logging.getLogger("graphc").setLevel(logging.INFO)`.
"""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["critical", "debug", "error", "get_level", "info", "warning"]

_logger = logging.getLogger("graphc")


def debug(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Logs what helps to find a mistake; `args` fill in the %-places of `msg`."""
    _logger.debug(msg, *args, stacklevel=2, **kwargs)


def info(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Logs what goes as it should."""
    _logger.info(msg, *args, stacklevel=2, **kwargs)


def warning(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Logs what may be a mistake: shown unless the level says otherwise."""
    _logger.warning(msg, *args, stacklevel=2, **kwargs)


def error(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Logs what went wrong."""
    _logger.error(msg, *args, stacklevel=2, **kwargs)


def critical(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Logs what ends the program."""
    _logger.critical(msg, *args, stacklevel=2, **kwargs)


def get_level() -> str:
    """The least level that is shown, as MindSpore numbers them: "0" for debug to "4" for critical."""
    return str(min(max(_logger.getEffectiveLevel() // 10 - 1, 0), 4))
