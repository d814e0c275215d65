"""The command line: parse, call one library function, print. Errors become one line and an exit code."""

import errno
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

import click

from salbench.cli.commands import cli
from salbench.errors import SalbenchError
from salbench.plain_text import visible

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
INTERRUPTED = 130
"""What a shell expects of a command that Ctrl-C ended."""


class Terminated(BaseException):
    """SIGTERM came. No SystemExit, which a plugin may raise at the cost of its stimulus alone; this ends the run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 something failed, 2 wrong usage, 130 interrupted."""
    try:
        result = cli.main(
            args=None if arguments is None else list(arguments), prog_name="salbench", standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SalbenchError as error:
        return _fail(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _fail(
            "interrupted; score, bounds make, train, reproduce and demo go on with the same command", INTERRUPTED
        )
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe left: there is nobody to tell
        return 1
    except MemoryError:
        return _fail("out of memory; try fewer --jobs", 1)
    except OSError as error:
        mend = "; make room, or name another folder, and run the same command again"
        return _fail(f"{error}{mend if error.errno in UNWRITABLE else ''}", 1)
    return result if isinstance(result, int) else 0


def run() -> None:
    """The console script."""
    sys.unraisablehook = _ask_again
    signal.signal(signal.SIGTERM, _leave)
    try:
        code = main()
    except Terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # asked again, nothing is left to clean up
        code = 128 + signal.SIGTERM
    sys.exit(code)


def _leave(number: int, frame: object) -> NoReturn:
    """A scheduler's or a `timeout`'s wish to end, as an exception, so that everything cleans up behind itself."""
    del number, frame
    raise Terminated


def _ask_again(lost: "sys.UnraisableHookArgs") -> None:
    """Python only prints what is raised in a destructor, or in what a library in C calls: the wish would be lost."""
    wishes = {Terminated: signal.SIGTERM, KeyboardInterrupt: signal.SIGINT}
    wish = next((number for kind, number in wishes.items() if isinstance(lost.exc_value, kind)), None)
    if wish is None:
        sys.__unraisablehook__(lost)
        return
    timer = threading.Timer(0.05, os.kill, (os.getpid(), wish))
    timer.daemon = True
    timer.start()


def _fail(text: str, code: int) -> int:
    click.echo(f"salbench: {visible(text)}", err=True)
    return code
