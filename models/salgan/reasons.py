"""Why something failed, in words short enough for a message. Nothing here needs torch."""


def first_line(error: BaseException) -> str:
    """What an error says, cut to its first line; its type where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def reason_of(error: BaseException) -> str:
    """Why a file could not be written, in the system's words, which torch hides behind an error of its own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__context__
    return first_line(error)
