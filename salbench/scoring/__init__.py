"""Scoring: the runner, the run folder and the statistics over stimuli."""
