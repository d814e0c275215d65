"""How long work tells the caller how far it is, without knowing who listens."""

from typing import Protocol


class Progress(Protocol):
    """A listener to long work: the command line draws a bar, a library caller may pass anything of this shape."""

    def start(self, description: str, total: int, done: int = 0) -> None:
        """A piece of work begins: `total` steps, `done` of which were finished by an earlier, interrupted run."""

    def advance(self, steps: int = 1, **figures: float) -> None:
        """Some steps are finished; `figures` are values to show beside the bar (`loss`, `images_per_second`)."""

    def note(self, text: str) -> None:
        """One line that the user should read."""

    def finish(self) -> None:
        """The piece of work that `start` announced is over."""


class Silent:
    """A `Progress` that tells nobody."""

    def start(self, description: str, total: int, done: int = 0) -> None:
        """Ignored."""

    def advance(self, steps: int = 1, **figures: float) -> None:
        """Ignored."""

    def note(self, text: str) -> None:
        """Ignored."""

    def finish(self) -> None:
        """Ignored."""
