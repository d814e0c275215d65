"""The command `salbench`, on a file system that lists folders backwards where LISTED_BACKWARDS is set."""

import builtins
import os
import sys

if os.environ.get("LISTED_BACKWARDS"):
    _listdir, _scandir = os.listdir, os.scandir

    class Backwards:
        """What `os.scandir` gives, last entry first."""

        def __init__(self, *arguments):
            with _scandir(*arguments) as entries:
                self._entries = iter(sorted(entries, key=lambda entry: entry.name, reverse=True))

        def __iter__(self):
            return self._entries

        def __next__(self):
            return next(self._entries)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.close()

        def close(self):
            """Nothing is open."""

    os.listdir = lambda *arguments: builtins.sorted(_listdir(*arguments), reverse=True)
    os.scandir = Backwards


if __name__ == "__main__":
    from salbench.cli import main

    sys.exit(main(sys.argv[1:]))
