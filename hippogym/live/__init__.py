"""Runs a session: web server, session, worker process, agent, frames."""
