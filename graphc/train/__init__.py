"""Training: `Model`, its callbacks, metrics and checkpoints."""
# ruff: noqa: F403 (each module says in its `__all__` what users see)

from graphc.amp import DynamicLossScaleManager, FixedLossScaleManager, LossScaleManager, build_train_network
from graphc.export import export, load
from graphc.serialization import load_checkpoint, load_param_into_net, save_checkpoint
from graphc.train.callbacks import *
from graphc.train.checkpoint import *
from graphc.train.leaving import *
from graphc.train.metrics import *
from graphc.train.model import *
from graphc.train.progress import *
from graphc.train.sink import *
from graphc.train.summary import *

__all__ = [
    "DynamicLossScaleManager", "FixedLossScaleManager", "LossScaleManager", "build_train_network", "export", "load",
    "load_checkpoint", "load_param_into_net", "save_checkpoint",
]  # fmt: skip
__all__ += [name for name, value in vars().items() if getattr(value, "__module__", "").startswith(__name__)]
