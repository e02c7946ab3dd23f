"""A reader's browser that does what lines on standard input say: JSON arrays,
each answered with one line of JSON.

    journey.py BROWSER DRIVER LANGUAGE [FOLDER]

FOLDER   keep a picture of every page that is audited there, to look at
"""

import itertools
import json
import pathlib
import shutil
import sys
import tempfile

import axe_core_python
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

PATIENCE = 20
WIDTHS = (1280, 375)
SCHEMES = ("light", "dark")
# WCAG 2.1 A and AA, as the audit calls them.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
AXE = pathlib.Path(axe_core_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
# A finger needs 44 pixels; a tick has the row around it.
SMALL = """
const targets = document.querySelectorAll('a, button, select, summary, label, input[type=email], input[type=text]');
const shown = [...targets].filter(one => one.checkVisibility() && !one.closest('.apart'));
const small = shown.filter(one => !one.matches('.field > label') && one.getBoundingClientRect().height < 44);
return small.map(one => `${one.tagName} ${one.textContent.trim()}`);
"""


def start(browser, driver, language, profile):
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync",
        f"user-data-dir={profile}",
    ):
        options.add_argument(f"--{flag}")
    options.add_experimental_option("prefs", {"intl.accept_languages": language})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    page = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    allow_scripts(page, False)
    return page


def allow_scripts(page, are_allowed):
    """Pages have to work without scripts; an audit is one."""
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not are_allowed})


def size(page, width, height, scheme):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme}]})


def audit(page, name, folder):
    """What is wrong with the page on a desk and a phone, by light and in the dark."""
    found = []
    allow_scripts(page, True)
    for width, scheme in itertools.product(WIDTHS, SCHEMES):
        size(page, width, 900, scheme)
        page.execute_script(AXE)
        result = page.execute_async_script(
            "const [rules, done] = arguments;"
            "axe.run(document, {runOnly: rules}).then(done, error => done({violations: [{id: String(error), nodes: []}]}));",
            RULES)
        found += [f"{width} {scheme}: {one['id']} {[node['html'] for node in one['nodes']]}"
                  for one in result["violations"]]
        across = page.execute_script("return document.documentElement.scrollWidth")
        if across > width:
            found.append(f"{width} {scheme}: {across} pixels wide")
        found += [f"{width} {scheme}: small target {one}" for one in page.execute_script(SMALL)]
        if folder:
            tall = page.execute_script("return document.documentElement.scrollHeight")
            size(page, width, min(tall, 4000), scheme)
            page.save_screenshot(str(folder / f"{name}-{width}-{scheme}.png"))
    # That a form comes back with a remark is no trouble.
    told = [entry["message"] for entry in page.get_log("browser")]
    found += [one for one in told if "status of 400" not in one]
    allow_scripts(page, False)
    return found


def press(page, selector):
    """Presses a button and waits for the page it leads to."""
    old = page.find_element(By.TAG_NAME, "html")
    page.find_element(By.CSS_SELECTOR, selector).click()
    WebDriverWait(page, PATIENCE, 0.05).until(lambda page: page.find_element(By.TAG_NAME, "html") != old)
    return heading(page)


def heading(page):
    return page.find_element(By.TAG_NAME, "h1").text


def obey(page, folder, order, *words):
    if order == "open":
        page.get(words[0])
        return heading(page)
    if order == "fill":
        field = page.find_element(By.CSS_SELECTOR, words[0])
        field.clear()
        field.send_keys(words[1])
        return None
    if order == "tick":
        return page.find_element(By.CSS_SELECTOR, words[0]).click()
    if order == "choose":
        return Select(page.find_element(By.CSS_SELECTOR, words[0])).select_by_value(words[1])
    if order == "press":
        return press(page, words[0])
    if order == "text":
        return page.find_element(By.TAG_NAME, "main").text
    if order == "cookies":
        return page.get_cookies()
    return audit(page, words[0], folder)


def main():
    folder = pathlib.Path(sys.argv[4]) if len(sys.argv) > 4 else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    profile = tempfile.mkdtemp()
    page = start(*sys.argv[1:4], profile)
    try:
        for line in sys.stdin:
            print(json.dumps(obey(page, folder, *json.loads(line))), flush=True)
    finally:
        page.quit()
        shutil.rmtree(profile, ignore_errors=True)


main()
