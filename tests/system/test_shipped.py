"""What a new user does: start the server with the bundle that ships, ask over HTTP, look at the page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from serving import Served, serve, until

from models.bundle import read_bundle, shipped_bundles

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

GERMAN = "Ich habe keine Zeit."
QUIET = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
FLAGS = QUIET + "--disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1200,800 --lang=en"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serve() as served:
        yield served


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    chrome, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not (chrome and driver):
        pytest.skip("no chromium with chromedriver on this machine")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chrome
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options, webdriver.ChromeService(driver)) as made:
        yield made


@pytest.fixture
def page(browser: Chrome, server: Served) -> Page:
    browser.get(server.url)
    browser.execute_script("localStorage.clear(); sessionStorage.clear()")
    browser.get(server.url)
    opened = Page(browser)
    until(lambda: opened.value("source-language"))
    return opened


class Page:
    """The page as a visitor sees it."""

    def __init__(self, browser: Chrome) -> None:
        self.browser = browser

    def element(self, identifier: str) -> Any:
        return self.browser.find_element("id", identifier)

    def value(self, identifier: str) -> str:
        return str(self.element(identifier).get_property("value"))

    def translation(self) -> str:
        """What is shown, once it is up to date."""
        fresh = "stale" not in self.element("result").get_attribute("class")
        return str(self.element("target-words").get_property("textContent")).strip("\u200b\n ") if fresh else ""

    def replace(self, text: str) -> None:
        """Put a text in the place of the one that stands there, as pasting does."""
        script = "const box = document.getElementById('source-text'); box.value = arguments[0]; "
        self.browser.execute_script(script + "box.dispatchEvent(new Event('input'))", text)

    def type(self, text: str) -> str:
        """Type a text and wait for its translation."""
        self.element("source-text").send_keys(text)
        until(self.translation)
        return self.translation()


def test_the_bundle_that_ships_is_small_and_says_where_it_comes_from() -> None:
    (folder,) = shipped_bundles()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 16_000_000
    bundle = read_bundle(folder)
    assert set(bundle.info.directions) == {"de-en", "en-de"}
    assert "tatoeba.org" in bundle.info.attribution
    assert "manythings.org" in bundle.info.attribution
    assert "CC-BY 2.0 FR" in bundle.info.licence
    assert {score.direction for score in bundle.info.scores if score.set == "tatoeba test"} == {"de-en", "en-de"}
    assert all("version:" in score.signature for score in bundle.info.scores)
    assert bundle.placeholders


@pytest.mark.parametrize(
    ("source", "target", "text", "word"),
    [
        ("de", "en", GERMAN, "time"),
        ("en", "de", "I am very tired.", "müde"),
        ("de", "en", "Wo ist der Bahnhof?", "station"),
    ],
)
def test_real_sentences_are_translated(server: Served, source: str, target: str, text: str, word: str) -> None:
    body = {"text": text, "source": source, "target": target}
    answer = httpx.post(server.url + "/v1/translate", json=body, timeout=60)
    assert word in answer.json()["translations"][0]["text"]


@pytest.mark.parametrize(
    ("source", "target", "text", "literals"),
    [
        ("de", "en", "Meine Nummer ist 0176 4455667.", ["0176 4455667"]),
        ("de", "en", "Schreib an max.mustermann@firma.de, bitte.", ["max.mustermann@firma.de"]),
        ("de", "en", "Das Haus kostet 1.250.000 Euro. Das ist gut 😀", ["1,250,000", "😀"]),
        (
            "en",
            "de",
            "Please read https://example.org/a?b=1 and call +49 30 1234567.",
            ["https://example.org/a?b=1", "+49 30 1234567"],
        ),
        ("en", "de", "The bread costs 3.50 €.", ["3,50 €"]),
    ],
)
def test_literals_are_carried_over(server: Served, source: str, target: str, text: str, literals: list[str]) -> None:
    body = {"text": text, "source": source, "target": target}
    (found,) = httpx.post(server.url + "/v1/translate", json=body, timeout=60).json()["translations"]
    assert [found["text"].count(one) for one in literals] == [1] * len(literals)
    assert "warnings" not in found


@pytest.mark.parametrize(
    ("source", "target", "text", "said"),
    [
        ("de", "en", "Gute Besserung!", "Get well soon!"),
        ("de", "en", "Guten Morgen! Gute Besserung!", "Good morning! Get well soon!"),
        ("en", "de", "Break a leg!", "Hals- und Beinbruch!"),
    ],
)
def test_set_phrases_are_looked_up(server: Served, source: str, target: str, text: str, said: str) -> None:
    body = {"text": text, "source": source, "target": target}
    (found,) = httpx.post(server.url + "/v1/translate", json=body, timeout=60).json()["translations"]
    assert found == {"text": said}


def test_a_server_has_a_glossary(tmp_path: Path) -> None:
    terms = tmp_path / "terms.tsv"
    terms.write_text("de\ten\nZeit\tleisure\nMit freundlichen Grüßen\tYours, always\n", encoding="utf-8")
    with serve(glossaries=terms) as served:
        for source, target, text, word in (
            ("de", "en", GERMAN, "leisure"),
            ("de", "en", "Mit freundlichen Grüßen", "Yours, always"),
            ("en", "de", "I have no leisure.", "Zeit"),
        ):
            body = {"text": text, "source": source, "target": target}
            answer = httpx.post(served.url + "/v1/translate", json=body, timeout=60)
            assert word in answer.json()["translations"][0]["text"]


def test_the_server_is_ready_in_a_few_seconds(server: Served) -> None:
    assert server.seconds < 10  # under 5 on an idle machine; test machines are not idle


def test_lines_are_translated_from_a_pipe() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MT_")}
    command = [sys.executable, "-m", "mt_service", "translate", "--source", "de", "--target", "en", "--threads", "1"]
    text = f"{GERMAN}\n\n{GERMAN} Wo bist du?\n"
    done = subprocess.run(command, input=text, capture_output=True, encoding="utf-8", env=environment, check=True)
    first, empty, both = done.stdout.removesuffix("\n").split("\n")
    assert "time" in first
    assert empty == ""
    assert both.startswith(first)
    assert len(both) > len(first)


def test_a_visitor_sees_a_translation_when_typing_stops(page: Page) -> None:
    assert "time" in page.type(GERMAN)


def test_the_page_tells_the_language_and_keeps_one_that_is_chosen(page: Page) -> None:
    def languages() -> tuple[str, str, str]:
        shown = page.browser.find_element("css selector", "#source-language option:checked").text
        return page.value("source-language"), shown, page.value("target-language")

    assert languages()[:2] == ("auto", "Detect language")
    page.type(GERMAN)
    assert languages() == ("auto", "German – detected", "en")
    page.element("clear").click()
    assert languages()[:2] == ("auto", "Detect language")
    page.type("I have no time today.")
    assert languages() == ("auto", "English – detected", "de")
    page.element("swap").click()
    assert languages() == ("de", "German", "en")


def test_a_sentence_that_the_model_is_unsure_of_is_underlined(page: Page) -> None:
    page.type("I have no time. Beyond thrice whilst albeit hitherto notwithstanding perchance.")
    unsure = [one.text for one in page.browser.find_elements("css selector", "#target-words .unsure")]
    words = [one.text for one in page.browser.find_elements("css selector", "#target-words .word")]
    assert 0 < len(unsure) < len(words)


def test_pointing_at_a_word_shows_where_it_came_from(page: Page) -> None:
    from selenium.webdriver import ActionChains

    page.type(GERMAN)
    words = page.browser.find_elements("css selector", "#target-words .word")
    (word,) = [one for one in words if "time" in one.text]
    ActionChains(page.browser).move_to_element(word).perform()
    until(lambda: page.browser.find_elements("css selector", "#source-words .word[data-weight]"))
    lit = page.browser.find_elements("css selector", "#source-words .word[data-weight]")
    assert any("Zeit" in str(one.get_property("textContent")) for one in lit)


def test_swapping_translates_back(page: Page) -> None:
    english = page.type(GERMAN)
    page.element("swap").click()
    until(lambda: page.translation() and page.translation() != english)
    assert (page.value("source-language"), page.value("target-language")) == ("en", "de")
    assert page.value("source-text") == english
    assert "Zeit" in page.translation()


def test_languages_are_not_swapped_before_the_translation_is_there(page: Page) -> None:
    page.type(GERMAN)
    assert page.element("swap").is_enabled()
    page.replace("x" * 20_001)
    until(lambda: page.element("problem").is_displayed())
    assert not page.element("copy").is_enabled()
    assert not page.element("swap").is_enabled()
    page.replace(GERMAN)
    until(page.translation)
    assert page.element("swap").is_enabled()


def test_alternatives_close_where_there_are_none(page: Page) -> None:
    page.type(GERMAN)
    page.element("more").click()
    assert page.element("alternatives").is_displayed()
    page.replace("Gute Besserung!")
    until(lambda: page.translation() == "Get well soon!")
    assert not page.element("alternatives").is_displayed()


def test_a_long_address_stays_within_its_pane(page: Page) -> None:
    page.type(f"Ich habe keine Zeit: https://example.com/{'a' * 200}")
    width, screen = page.browser.execute_script(
        "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
    )
    assert width <= screen


def test_the_word_that_holds_the_cursor_shows_what_became_of_it(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.type(GERMAN)
    page.element("source-text").send_keys(Keys.HOME)
    lit = "#target-words .word[data-weight]"
    until(lambda: "I" in [one.text for one in page.browser.find_elements("css selector", lit)])
    assert [one.get_property("textContent") for one in page.browser.find_elements("css selector", ".here")] == ["Ich"]


def test_what_a_proxy_answers_is_told_and_not_asked_again(page: Page) -> None:
    page.browser.execute_script(
        "window.asked = 0; window.fetch = async () => { window.asked++; return new Response('<html>', {status: 413}) }"
    )
    page.replace(GERMAN)
    until(lambda: page.element("problem").text == "The server answered 413.")
    assert page.browser.execute_script("return window.asked") == 1


def test_the_text_stays_with_its_tab(page: Page) -> None:
    page.type(GERMAN)
    kept = page.browser.execute_script("return [JSON.stringify(localStorage), JSON.stringify(sessionStorage)]")
    assert [GERMAN in one for one in kept] == [False, True]


def test_a_visitors_own_words_are_used_and_exchanged_with_the_languages(page: Page) -> None:
    page.type(GERMAN)
    page.browser.find_element("css selector", "#glossary summary").click()
    page.element("terms").send_keys("Zeit = leisure\nnot yet =")
    until(lambda: "leisure" in page.translation())
    assert not page.element("problem").is_displayed()
    page.element("swap").click()
    until(lambda: "Zeit" in page.translation())
    assert page.value("terms") == "leisure = Zeit\n= not yet"
    page.browser.refresh()
    until(lambda: page.value("terms"))
    assert page.value("terms") == "leisure = Zeit\n= not yet"


def test_a_page_asks_for_no_more_alternatives_than_it_may(browser: Chrome) -> None:
    with serve(max_n_best=1) as few:
        browser.get(few.url)
        assert "time" in Page(browser).type(GERMAN)


def test_a_text_that_is_too_long_is_told_without_asking_the_server(page: Page) -> None:
    page.replace("x" * 20_001)
    until(lambda: page.element("problem").is_displayed())
    assert "20,000 characters at most" in page.element("problem").text


def test_nothing_comes_from_outside_and_nothing_goes_wrong(page: Page, server: Served) -> None:
    page.type(GERMAN)
    names = page.browser.execute_script("return performance.getEntries().map((one) => one.name)")
    assert all(name.startswith(server.url) for name in names if "://" in name)
    assert [entry for entry in page.browser.get_log("browser") if entry["level"] == "SEVERE"] == []  # type: ignore[no-untyped-call]
