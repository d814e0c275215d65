"""The templates of this package: every value is escaped, an undefined name is an error."""

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from salbench.tables.latex_text import Tex, to_tex

_LOADER = PackageLoader("salbench", "tables/templates")


def html_template(name: str) -> Template:
    """A template whose values are escaped as HTML."""
    environment = Environment(
        loader=_LOADER,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
    return environment.get_template(name)


def latex_template(name: str) -> Template:
    """A template with delimiters that LaTeX does not use, whose values are escaped as LaTeX unless they are `Tex`."""
    environment = Environment(
        loader=_LOADER,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - `finalize` escapes
        finalize=_escaped,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
    return environment.get_template(name)


def _escaped(value: object) -> str:
    return value if isinstance(value, Tex) else to_tex(str(value))
