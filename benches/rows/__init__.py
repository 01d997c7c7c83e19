"""Goals of docs/benchmarks.md, a module for what is measured alike.

Each has `rows(bench, goal)`, which yields a `support.table.Row` for every figure as soon as it is there.
"""
