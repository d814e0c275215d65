"""The page that `salbench table --format html --document` writes."""

import pytest

from salbench.tables import make_table, render

from .conftest import DESKTOP, PHONE


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_its_window(open_page, tmp_path, size, dark):
    """Catches a page that is wider than a phone, or that asks for a file from elsewhere."""
    file = tmp_path / "table.html"
    file.write_text(render(make_table([], layout="4", published=True), "html", document=True), encoding="utf-8")
    opened = open_page(file, size, dark=dark)
    assert opened.page.locator("tbody tr th[scope=row]").count() == 16
    assert not opened.scrolls_sideways()


def test_the_harness_sees_errors_and_requests(open_page, tmp_path):
    """Catches a harness that passes whatever a page does."""
    file = tmp_path / "bad.html"
    file.write_text("<img src='http://127.0.0.1:9/x.png'><script>nothing()</script>")
    opened = open_page(file)
    assert opened.outside == ["http://127.0.0.1:9/x.png"]
    assert any("nothing" in problem for problem in opened.problems)
    opened.outside.clear()
    opened.problems.clear()
