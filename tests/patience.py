"""How long a test waits for what should happen at once: long, so that a slow machine fails nothing that works."""

PATIENCE_S = 90.0
PATIENCE_MS = 90_000
