"""Published and measured leaderboard figures, as package data."""
