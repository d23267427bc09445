"""The log of the package: messages as MindSpore's `log` takes them, in Python's logging."""

from __future__ import annotations

import logging

import pytest

from graphc import log


def test_log_goes_to_the_logger_of_the_package(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "graphc"):
        log.info("loss %.1f", 0.5)
        log.error("no file")
        assert log.get_level() == "0"
    assert [(r.levelname, r.getMessage(), r.filename) for r in caplog.records] == [
        ("INFO", "loss 0.5", "test_log.py"), ("ERROR", "no file", "test_log.py")
    ]  # fmt: skip
