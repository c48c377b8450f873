"""The researcher's dashboard: who may open it, what it is told, and the one-way mirror."""
