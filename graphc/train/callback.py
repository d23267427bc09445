"""All callbacks under MindSpore's module name: `from graphc.train.callback import LossMonitor, ModelCheckpoint`."""
# ruff: noqa: F403 (each module says in its `__all__` what users see)

from graphc.train.callbacks import *
from graphc.train.callbacks import CallbackParam
from graphc.train.checkpoint import *
from graphc.train.leaving import *
from graphc.train.summary import SummaryCollector as SummaryCollector

_InternalCallbackParam = CallbackParam  # by which programs with loops of their own make what they give to hooks
