"""The leaderboard's page in a real browser: sorting, filtering, keyboard, phone, provenance."""

import shutil

import pytest

from salbench.cli import main
from salbench.scoring.runner import score
from salbench.site import write_site

from .conftest import DESKTOP, PHONE

NASTY = "</script><img src=x onerror=alert(1)> & 'x'"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    names = {"centre": None, "chance": NASTY, "gold-standard": None}
    runs = [
        score("synthetic", model=model, name=name, metrics=["nss", "kl_divergence"], out=out / model).path
        for model, name in names.items()
    ]
    write_site(out / "site.html", runs)
    return out / "site.html"


def measured(opened):
    return opened.page.locator("section.measured")


def models(section):
    return [text.split(" †")[0].strip() for text in section.locator("tbody th").all_inner_texts()]


def values(section, place):
    return [cell.get_attribute("data-value") for cell in section.locator(f"tbody td:nth-child({place})").all()]


def test_a_click_sorts_best_first_and_another_worst_first(open_page, page):
    """Catches an order by text, by the wrong direction of KL, and a header that does not say how it sorts."""
    section = measured(open_page(page))
    kl = section.get_by_role("button", name="KL")
    kl.click()
    assert values(section, 3) == sorted(values(section, 3), key=float)
    assert section.locator("th[aria-sort=ascending]").inner_text().startswith("KL")
    kl.click()
    assert values(section, 3) == sorted(values(section, 3), key=float, reverse=True)
    nss = section.get_by_role("button", name="NSS")
    nss.click()
    assert values(section, 2) == sorted(values(section, 2), key=float, reverse=True)
    assert section.locator("th[aria-sort=descending]").count() == 1


def test_undefined_values_stay_last_both_ways(open_page, page, tmp_path):
    """Catches a dash that is sorted as a number: here the gold standard's run has no KL."""
    runs = [page.parent / "centre", page.parent / "chance"]
    runs.append(score("synthetic", model="gold-standard", metrics=["nss"], out=tmp_path / "gold").path)
    write_site(tmp_path / "site.html", runs)
    section = measured(open_page(tmp_path / "site.html"))
    place = section.locator("thead th").all_inner_texts().index("KL ↓")
    for order in ("ascending", "descending"):
        section.get_by_role("button", name="KL").click()
        assert section.locator(f"th[aria-sort={order}]").count() == 1
        found = values(section, place + 1)
        assert [value is None for value in found] == [False, False, True]


def test_the_keyboard_does_all(open_page, page):
    """Catches a control that only a mouse reaches."""
    opened = open_page(page)
    section = measured(opened)
    section.get_by_role("button", name="NSS").focus()
    opened.page.keyboard.press("Enter")
    assert section.locator("th[aria-sort=descending]").count() == 1
    opened.page.locator("#model").focus()
    opened.page.keyboard.type("salgan")
    assert opened.page.locator("#shown").inner_text() == "2 rows shown"


def test_filters_by_model_data_set_and_source(open_page, page):
    """Catches a section without rows that stays, and a filter that the others undo."""
    opened = open_page(page)
    everything = opened.page.locator("#shown").inner_text()
    opened.page.locator("#source").select_option("measured")
    assert opened.page.locator("section[data-source]:visible").count() == 1
    assert opened.page.locator("#shown").inner_text() == "3 rows shown"
    opened.page.locator("#model").fill("centre")
    assert opened.page.locator("#shown").inner_text() == "1 rows shown"
    opened.page.locator("#dataset").select_option("mit300")
    assert opened.page.locator("section[data-source]:visible").count() == 0
    opened.page.get_by_role("button", name="Show all").click()
    opened.page.wait_for_function(f"document.getElementById('shown').textContent === '{everything}'")


def test_intervals_are_drawn_where_they_lie(open_page, page):
    """Catches a bar that is not on its column's scale: the least and greatest interval ends touch the bar's ends."""
    bars = measured(open_page(page)).locator("tbody td:nth-child(2) .bar").all()
    places = [
        [float(bar.evaluate(f"e => getComputedStyle(e).getPropertyValue('--{name}')").strip("% ")) for bar in bars]
        for name in ("low", "at", "high")
    ]
    assert (min(places[0]), max(places[2])) == (0.0, 100.0)
    assert all(low <= at <= high for low, at, high in zip(*places, strict=True))
    assert all("95 % interval" in bar.get_attribute("aria-label") for bar in bars)


def test_provenance_opens_and_hostile_names_are_text(open_page, page):
    """Catches a name that becomes an element, and figures without their check sums and command."""
    opened = open_page(page)
    section = measured(opened)
    assert NASTY in models(section)
    assert opened.page.locator("img").count() == 0
    section.get_by_text("Where these figures come from").click()
    section.locator("details details summary").first.click()
    origin = section.locator("details details pre").first.inner_text()
    assert '"fixations": "' in origin
    assert '"command"' in origin


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_desktop_and_phone_in_light_and_dark(open_page, page, size, dark):
    """Catches a page wider than its window, and a theme whose text is as dark as its paper."""
    opened = open_page(page, size, dark=dark)
    assert not opened.scrolls_sideways()
    ink, paper = opened.page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    brightness = [sum(int(part) for part in colour[4:-1].split(",")) for colour in (ink, paper)]
    assert brightness[0] - brightness[1] > 400 if dark else brightness[1] - brightness[0] > 400


def test_a_reader_without_scripts_sees_the_figures(chromium, page):
    """Catches a page that is empty until a script fills it."""
    context = chromium.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(page.as_uri())
    assert "GAN/4" in opened.locator("main").inner_text()
    context.close()


def test_the_command_writes_the_page_and_refuses_an_empty_board(page, tmp_path, capsys):
    board = shutil.copytree(page.parent / "centre", tmp_path / "centre")
    assert main(["leaderboard", "site", str(board), "-o", str(tmp_path / "s.html")]) == 0
    assert (tmp_path / "s.html").stat().st_size > 20_000
    (tmp_path / "empty").mkdir()
    assert main(["leaderboard", "site", str(tmp_path / "empty"), "-o", str(tmp_path / "s.html")]) == 1
    assert "no entries" in capsys.readouterr().err


def test_a_name_that_browsers_show_as_text_is_refused(page, tmp_path, capsys):
    """Catches a page written under a name that no browser opens as one."""
    assert main(["leaderboard", "site", str(page.parent / "centre"), "-o", str(tmp_path / "board")]) == 2
    assert "board: browsers show it as a page only if its name ends with .html" in capsys.readouterr().err
    assert not (tmp_path / "board").exists()
