"""The report in a real browser: no console error, no request, no sideways scroll; map, themes, pages and print work."""

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webelement import WebElement
from test_report import whole_run

from tuneworks.pipelines.report import write_report

pytestmark = pytest.mark.real

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TEXT_COLOURS = ("ink", "quiet", "kept", "gone")
LEAST_CONTRAST = 4.5
"""Of text, by WCAG's level AA."""


def chrome() -> webdriver.Chrome:
    places = [place for name in NAMES if (place := shutil.which(name))]
    driver = shutil.which("chromedriver")
    if not places or driver is None:
        pytest.fail("Chromium or its driver is missing; install them with: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = places[0]
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(whole_run(tmp_path_factory.mktemp("runs") / "reported"))


@pytest.fixture(scope="module")
def started() -> Iterator[webdriver.Chrome]:
    browser = chrome()
    browser.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield browser
    browser.quit()


@pytest.fixture
def browser(started: webdriver.Chrome, report: Path) -> webdriver.Chrome:
    shown(started, 1200)
    started.get(report.as_uri())
    return started


def shown(browser: webdriver.Chrome, width: int, **media: str) -> None:
    """How wide the window is, and what the reader prefers."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    wishes = {"prefers-color-scheme": media.get("scheme", "light"), "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in wishes.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media.get("medium", ""), "features": features})


def dot(browser: webdriver.Chrome, at: int) -> tuple[WebElement, str, int, int]:
    """The map, the text of one of its dots, and how far that is from the map's middle."""
    canvas = browser.find_element("id", "map-canvas")
    held: Any = browser.execute_script("return document.getElementById('map-data').textContent")
    data = json.loads(held)
    places = [int.from_bytes(base64.b64decode(data[axis])[2 * at : 2 * at + 2], "little") / 65_535 for axis in "xy"]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", canvas)
    wide, high = canvas.size["width"], canvas.size["height"]
    x, y = 16 + places[0] * (wide - 32), 16 + (1 - places[1]) * (high - 32)
    return canvas, data["texts"][at], round(x - wide / 2), round(y - high / 2)


def tip(browser: webdriver.Chrome) -> str:
    element = browser.find_element("id", "map-tip")
    return element.text if element.is_displayed() else ""


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_nothing_is_asked_nothing_fails_and_nothing_stands_over(browser: webdriver.Chrome, width: int) -> None:
    shown(browser, width)
    browser.refresh()
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)") == []
    over = "const page = document.scrollingElement; return [page.scrollWidth, innerWidth]"
    wide, inner = browser.execute_script(over)
    assert wide <= inner == width
    assert not browser.find_elements("tag name", "img"), "what a record holds became an element"


def test_pointing_at_a_dot_shows_its_instruction(browser: webdriver.Chrome) -> None:
    canvas, text, x, y = dot(browser, 3)
    assert tip(browser) == ""
    ActionChains(browser).move_to_element_with_offset(canvas, x, y).perform()
    assert plain(text) in plain(tip(browser)) and re.search(r"(plain|harder), (kept|rejected at)", tip(browser))
    ActionChains(browser).move_to_element(browser.find_element("id", "map-title")).perform()
    assert tip(browser) == ""


def test_a_click_keeps_the_text_open_and_keys_go_from_dot_to_dot(browser: webdriver.Chrome) -> None:
    canvas, text, x, y = dot(browser, 0)
    ActionChains(browser).move_to_element_with_offset(canvas, x, y).click().perform()
    ActionChains(browser).move_to_element(browser.find_element("id", "map-title")).perform()
    assert plain(text) in plain(tip(browser))
    browser.execute_script("arguments[0].focus()", canvas)
    seen = {tip(browser)}
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_UP, Keys.ARROW_DOWN):
        ActionChains(browser).send_keys(key).perform()
        seen.add(tip(browser))
    assert len(seen) > 2
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert tip(browser) == ""


def test_a_source_that_is_switched_off_has_no_dots(browser: webdriver.Chrome) -> None:
    drawn = (
        "const empty = document.createElement('canvas'); [empty.width, empty.height] = [arguments[0].width, "
        "arguments[0].height]; return arguments[0].toDataURL() !== empty.toDataURL()"
    )
    canvas = browser.find_element("id", "map-canvas")
    assert browser.execute_script(drawn, canvas)
    for box in browser.find_elements("css selector", "#map-legend input[data-shows^='source']"):
        box.click()
    assert not browser.execute_script(drawn, canvas)


def test_samples_come_by_pages(browser: webdriver.Chrome) -> None:
    rows = browser.find_elements("css selector", "#samples .pair")
    assert [row.is_displayed() for row in rows[:6]] == [True] * 4 + [False] * 2
    browser.find_element("css selector", "#samples .pager button:nth-of-type(2)").click()
    assert [row.is_displayed() for row in rows[:6]] == [False] * 4 + [True] * 2
    assert "5 to 8 of" in browser.find_element("css selector", "#samples .pager").text


def test_dark_and_light_by_preference_and_by_hand_are_readable(browser: webdriver.Chrome) -> None:
    for scheme in ("light", "dark"):
        shown(browser, 1200, scheme=scheme)
        assert light(browser) == (scheme == "light")
        for ground in ("ground", "box"):
            for text in TEXT_COLOURS:
                assert contrast(browser, text, ground) >= LEAST_CONTRAST, (scheme, text, ground)
    browser.find_element("id", "theme").click()
    assert light(browser), "by hand, against the preference"


def light(browser: webdriver.Chrome) -> bool:
    colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    return luminance([int(part) for part in re.findall(r"\d+", colour)[:3]]) > 0.5


def contrast(browser: webdriver.Chrome, text: str, ground: str) -> float:
    read = "return getComputedStyle(document.documentElement).getPropertyValue(arguments[0]).trim()"
    hexes = [browser.execute_script(read, f"--{name}").lstrip("#") for name in (text, ground)]
    dark, bright = sorted(luminance([int(one[at : at + 2], 16) for at in (0, 2, 4)]) for one in hexes)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: list[int]) -> float:
    parts = [c / 255 for c in colour]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_it_prints_in_light_without_what_only_a_screen_can_do(browser: webdriver.Chrome) -> None:
    shown(browser, 1200, scheme="dark", medium="print")
    assert light(browser)
    for what in ("nav", ".pager", "#theme", "#map-legend input"):
        assert not browser.find_element("css selector", what).is_displayed(), what
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    content = base64.b64decode(printed["data"])
    assert content.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", content)) >= 3
    assert browser.get_log("browser") == []
