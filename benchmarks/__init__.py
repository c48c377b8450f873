"""What is fast, measured beside a reference server in the same run. Start with ``python -m benchmarks.play``."""
