"""What to say about a name that nobody registered."""

import difflib
from collections.abc import Sequence


def unknown_name(kind: str, name: str, known: Sequence[str]) -> str:
    """The text for a name that is not registered: the near ones first, then all."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"unknown {kind} {name!r}.{hint} Known: {', '.join(known) or 'none'}."
