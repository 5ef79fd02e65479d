"""The service compared with what people would use instead: ``python -m benchmarks [ROW]``.

docs/performance.md explains each row. Every row runs ours and its baseline in turns, so
that whatever else the machine does meets both alike, and compares the medians.
"""
