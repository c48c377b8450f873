"""Shows it: the participant's page and the routes that serve it."""
