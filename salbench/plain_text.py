"""Texts of strangers, such as names of files, as a terminal, a table or a page can show them."""

import unicodedata


def visible(text: str) -> str:
    """The text on one line, with what no output can carry replaced by U+FFFD.

    That is control characters (a terminal obeys them), lone surrogates (no encoding writes them) and marks that reorder
    the text around them. Line breaks and tabs become spaces: a name must not make a line of its own.
    """
    spaced = text.translate(dict.fromkeys(map(ord, "\n\r\t"), " "))
    return "".join("\N{REPLACEMENT CHARACTER}" if _unprintable(c) else c for c in spaced)


def one_line(text: str) -> str:
    """The text as a table can print it: visible, with white space collapsed."""
    return visible(" ".join(text.split()))


def _unprintable(character: str) -> bool:
    reorders = unicodedata.bidirectional(character) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return reorders or unicodedata.category(character) in {"Cc", "Cs"}
