"""The report of scored models: figures, distributions, and the stimuli behind them, as a page for a browser."""

from salbench.report.report import write_report

__all__ = ["write_report"]
