"""The frameworks measured: each module has `MODELS`, and a `Session` that makes training steps of a workload."""
