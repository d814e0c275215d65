"""What the command line shows while it works: a progress bar and notes, on standard error."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from salbench.plain_text import visible


class ConsoleProgress:
    """A `salbench.progress.Progress` that draws a bar; where standard error is no terminal, only notes are printed."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bars: Bars | None = None
        self._task: TaskID | None = None

    def start(self, description: str, total: int, done: int = 0) -> None:
        """A new bar."""
        self.finish()
        if not self.console.is_terminal:
            return
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
            transient=True,
        )
        self._bars.start()
        self._task = self._bars.add_task(description, total=total, completed=done, figures="")

    def advance(self, steps: int = 1, **figures: float) -> None:
        """Move the bar on."""
        if self._bars is None or self._task is None:
            return
        self._bars.advance(self._task, steps)
        if figures:
            text = "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items())
            self._bars.update(self._task, figures=text)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(visible(text), markup=False)

    def finish(self) -> None:
        """Remove the bar."""
        if self._bars is not None:
            self._bars.stop()
        self._bars = self._task = None
