"""The compiler's passes: pure functions from IR to IR, each a module of its name. `graphc.compiler` is their order."""
