"""Does in a browser what lines on standard input say: JSON arrays, each
answered with one line of JSON."""

import itertools
import json
import shutil
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 10
WIDTHS = (1280, 375)
SCHEMES = ("light", "dark")


def start(browser, driver, profile):
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync",
        f"user-data-dir={profile}",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def wait_for_heading(page, text):
    """The first heading, once it is this text; nobody reloads the page."""
    def shown(page):
        script = "const h = document.querySelector('h1'); return h && h.textContent.trim();"
        return page.execute_script(script) == text
    WebDriverWait(page, PATIENCE, 0.05).until(shown)
    return text


def look(page, url):
    """The page on a desk and on a phone, each in light and dark."""
    wide, broken, titles = [], [], set()
    page.get_log("browser")
    for width, scheme in itertools.product(WIDTHS, SCHEMES):
        page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        page.get(url)
        across = page.execute_script("return document.documentElement.scrollWidth")
        if across > width:
            wide.append([width, scheme, across])
        broken += broken_pictures(page)
        titles.add(page.title)
        for frame in page.find_elements(By.TAG_NAME, "iframe"):
            is_displayed = frame.is_displayed()
            page.switch_to.frame(frame)
            titles.add(page.execute_script("return document.title"))
            if is_displayed:
                broken += broken_pictures(page)
            page.switch_to.default_content()
    console = [entry["message"] for entry in page.get_log("browser")]
    return {"wide": wide, "broken": broken, "console": console, "titles": sorted(titles)}


def broken_pictures(page):
    script = """
        const pictures = [...document.images].filter(one => one.loading !== 'lazy');
        const broken = pictures.filter(one => one.complete && !one.naturalWidth);
        return broken.map(one => one.src);
    """
    return page.execute_script(script)


def main():
    profile = tempfile.mkdtemp()
    page = start(*sys.argv[1:3], profile)
    try:
        for line in sys.stdin:
            order, argument = json.loads(line)
            if order == "open":
                answer = page.get(argument)
            elif order == "wait for heading":
                answer = wait_for_heading(page, argument)
            else:
                answer = look(page, argument)
            print(json.dumps(answer), flush=True)
    finally:
        page.quit()
        shutil.rmtree(profile, ignore_errors=True)


main()
