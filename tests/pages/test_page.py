"""The frame of every page, and data that is handed to a script."""

import json

import pytest

from salbench.pages.page import as_script_data, render_page

NASTY = "</script><script>alert(1)</script><!-- \u2028 & \" '"


def test_data_comes_back_as_it_went_in_and_ends_no_script():
    """Catches a title that closes the script it is written into."""
    text = as_script_data({"title": NASTY, "none": None})
    assert "<" not in text
    assert json.loads(text) == {"title": NASTY, "none": None}
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_script_data({"nss": float("nan")})


def test_a_hostile_title_is_text(open_page, tmp_path):
    """Catches a title that becomes an element of the page."""
    file = tmp_path / "page.html"
    file.write_text(render_page("base.html.j2", title=NASTY, version="1"), encoding="utf-8")
    opened = open_page(file)
    assert " ".join(opened.page.locator("h1").inner_text().split()) == " ".join(NASTY.split())
    assert opened.page.locator("script").count() == 0
