"""Re-executes episodes: joins live's agent and data's reader, as only the top may. Only cli.py imports it."""
