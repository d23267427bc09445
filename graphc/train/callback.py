"""All callbacks under MindSpore's module name: `from graphc.train.callback import LossMonitor, ModelCheckpoint`."""

from graphc.train.callbacks import (
    Callback,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    LossMonitor,
    ReduceLROnPlateau,
    RunContext,
    TimeMonitor,
)
from graphc.train.checkpoint import CheckpointConfig, ModelCheckpoint
from graphc.train.leaving import BackupAndRestore, OnRequestExit
from graphc.train.summary import SummaryCollector

__all__ = [
    "BackupAndRestore",
    "Callback",
    "CheckpointConfig",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "LossMonitor",
    "ModelCheckpoint",
    "OnRequestExit",
    "ReduceLROnPlateau",
    "RunContext",
    "SummaryCollector",
    "TimeMonitor",
]
