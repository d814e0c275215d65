r"""Plain text as LaTeX that any engine compiles without packages.

Every character is written in ASCII. What LaTeX has no command for without fonts or packages is printed as its code
point, [U+4E2D], so that a title never keeps a document from compiling.
"""

import re
import unicodedata


class Tex(str):
    """LaTeX source, which is not escaped again."""

    __slots__ = ()


_ASCII = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\^{}",
    "~": r"\~{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedblright{}",
    "`": r"\`{}",
    # In braces, because \\ takes a [ or * that begins the next row for its own argument.
    "[": "{[}",
    "*": "{*}",
}

_SYMBOLS = {
    "\N{NO-BREAK SPACE}": "~",
    "\N{EN DASH}": r"\textendash{}",
    "\N{EM DASH}": r"\textemdash{}",
    "\N{LEFT SINGLE QUOTATION MARK}": r"\textquoteleft{}",
    "\N{RIGHT SINGLE QUOTATION MARK}": r"\textquoteright{}",
    "\N{LEFT DOUBLE QUOTATION MARK}": r"\textquotedblleft{}",
    "\N{RIGHT DOUBLE QUOTATION MARK}": r"\textquotedblright{}",
    "\N{HORIZONTAL ELLIPSIS}": r"\dots{}",
    "\N{DAGGER}": r"\dag{}",
    "\N{DOUBLE DAGGER}": r"\ddag{}",
    "\N{SECTION SIGN}": r"\S{}",
    "\N{PILCROW SIGN}": r"\P{}",
    "\N{COPYRIGHT SIGN}": r"\copyright{}",
    "\N{POUND SIGN}": r"\pounds{}",
    "\N{INVERTED EXCLAMATION MARK}": r"\textexclamdown{}",
    "\N{INVERTED QUESTION MARK}": r"\textquestiondown{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "å": r"\aa{}",
    "Å": r"\AA{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "\N{LATIN SMALL LETTER DOTLESS I}": r"\i{}",
}

_MATHS = {
    "\N{MINUS SIGN}": "-",
    "\N{UPWARDS ARROW}": r"\uparrow",
    "\N{DOWNWARDS ARROW}": r"\downarrow",
    "\N{LEFTWARDS ARROW}": r"\leftarrow",
    "\N{RIGHTWARDS ARROW}": r"\rightarrow",
    "\N{MULTIPLICATION SIGN}": r"\times",
    "\N{PLUS-MINUS SIGN}": r"\pm",
    "\N{LESS-THAN OR EQUAL TO}": r"\leq",
    "\N{GREATER-THAN OR EQUAL TO}": r"\geq",
    "\N{NOT EQUAL TO}": r"\neq",
    "\N{ALMOST EQUAL TO}": r"\approx",
    "\N{INFINITY}": r"\infty",
    "\N{BULLET}": r"\bullet",
    "\N{MIDDLE DOT}": r"\cdot",
    "\N{MICRO SIGN}": r"\mu",
    "\N{DEGREE SIGN}": r"{}^\circ",
}

# The letters that TeX has a command for. Capitals that look Latin and omicron have none.
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ",
        (
            *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"),
            *("nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
            *("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"),
        ),
        strict=True,
    )
)

_ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING MACRON}": "=",
    "\N{COMBINING DOT ABOVE}": ".",
    "\N{COMBINING BREVE}": "u",
    "\N{COMBINING CARON}": "v",
    "\N{COMBINING DOUBLE ACUTE ACCENT}": "H",
    "\N{COMBINING CEDILLA}": "c",
    "\N{COMBINING DOT BELOW}": "d",
}

_COMMANDS = {
    **_ASCII,
    **_SYMBOLS,
    **{character: f"${command}$" for character, command in _MATHS.items()},
    **{character: f"$\\{name}$" for character, name in _GREEK.items()},
}


# Twice in a row, TeX makes one character of these: a dash, a closing or a low quotation mark.
_LIGATURE = re.compile(r"([-',])(?=\1)")


def to_tex(text: str) -> Tex:
    """The text, such that LaTeX prints it as it is."""
    characters = (_character(character) for character in unicodedata.normalize("NFC", text))
    return Tex(_LIGATURE.sub(r"\1{}", "".join(characters)))


def _character(character: str) -> str:
    if character in _COMMANDS:
        return _COMMANDS[character]
    if character.isascii():
        return character
    return _accented(character) or f"{{[}}U+{ord(character):04X}]"


def _accented(character: str) -> str:
    """An accented Latin letter as its letter under accent commands; nothing for any other character."""
    decomposed = unicodedata.normalize("NFD", character)
    letter, marks = decomposed[0], decomposed[1:]
    if not (letter.isascii() and letter.isalpha() and marks and set(marks) <= set(_ACCENTS)):
        return ""
    for mark in marks:
        letter = f"\\{_ACCENTS[mark]}{{{letter}}}"
    return letter
