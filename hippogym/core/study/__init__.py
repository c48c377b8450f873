"""The study around the game: what a participant sees next, and what is kept of it. It decides, and touches nothing."""
