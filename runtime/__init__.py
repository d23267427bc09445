"""The native layer: target description, LLVM code generation, object cache, worker pool, execution.

The only package that knows llvmlite, which is imported when code is first generated and not before.
"""
