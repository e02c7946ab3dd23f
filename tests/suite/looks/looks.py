"""Looks at letters in a browser as readers see them, and says what they could
not read, reach or press. One JSON list of findings on standard output.

    looks.py BROWSER DRIVER LETTER.html... [--public DIR] [--pictures DIR]

--public DIR     where the pictures of https://magazine.example.org/ lie
--pictures DIR   keep a picture of every view there, to look at
"""

import argparse
import json
import pathlib
import re
import shutil
import tempfile

from selenium import webdriver

SITE = "https://magazine.example.org/"
WIDTHS = (600, 375)

# What a reader could not use on this page. Contrast as WCAG 2.2 computes it:
# 4.5 to 1, and 3 to 1 for large text; a link inside a sentence may be as high
# as its line (2.5.8), any other is 44 pixels high.
LOOK = r"""
const found = [];
const say = (what, node) => found.push(what + ': ' + (node.textContent || node.alt || '').trim().slice(0, 50));
const across = document.documentElement.scrollWidth;
if (across > innerWidth) found.push(`the page is ${across} pixels wide`);
const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
const light = (colour) => {
  const [r, g, b] = parts(colour).map(part => {
    part /= 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (node) => {
  for (; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    const [, , , alpha = 1] = parts(colour);
    if (alpha > 0) return colour;
  }
  return 'rgb(255, 255, 255)';
};
const seen = (node) => node.checkVisibility() && !node.closest('.preheader');
const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let texts = 0;
while (words.nextNode()) {
  const node = words.currentNode.parentElement;
  if (!words.currentNode.textContent.trim() || !seen(node)) continue;
  texts += 1;
  const style = getComputedStyle(node);
  const size = parseFloat(style.fontSize);
  if (size < 14) say(`${size} pixels high text`, node);
  const [a, b] = [light(style.color), light(ground(node))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const isLarge = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
  if (contrast < (isLarge ? 3 : 4.5)) say(`contrast of ${contrast.toFixed(2)}`, node);
}
if (!texts) found.push('there is nothing to read');
let links = 0;
for (const link of document.querySelectorAll('a[href]')) {
  if (!seen(link)) continue;
  links += 1;
  const style = getComputedStyle(link);
  const isInSentence = style.display === 'inline' && !link.querySelector('img')
    && link.parentElement.textContent.trim() !== link.textContent.trim();
  const tall = Math.max(link.getBoundingClientRect().height,
    ...[...link.querySelectorAll('img')].map(img => img.getBoundingClientRect().height));
  if (!isInSentence && tall < 44) say(`a link ${tall} pixels high`, link);
}
if (!links) found.push('there is nothing to press');
for (const img of document.images) {
  if (!img.hasAttribute('alt')) say('a picture without alt', img);
  for (const side of ['width', 'height'])
    if (img.hasAttribute(side) && !/^\d+$/.test(img.getAttribute(side))) say(`${side} is no number`, img);
}
return found;
"""


def start(browser, driver, profile):
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync",
        "allow-file-access-from-files", "host-resolver-rules=MAP * ~NOTFOUND",
        f"user-data-dir={profile}",
    ):
        options.add_argument(f"--{flag}")
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def variants(html):
    """The letter as it is, and as some programs leave it."""
    yield "", html
    yield "-no-style", re.sub(r"(?s)<style.*?</style>", "", html)
    yield "-no-pictures", re.sub(r'(<img[^>]*?) src="[^"]*"( srcset="[^"]*")?', r'\1 src="about:blank"', html)


def show(page, width, scheme, force_dark=False):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme}]})
    page.execute_cdp_cmd("Emulation.setAutoDarkModeOverride", {"enabled": force_dark})


def keep(page, folder, name):
    tall = page.execute_script("return document.documentElement.scrollHeight")
    metrics = page.execute_script("return innerWidth")
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": metrics, "height": min(tall, 6000), "deviceScaleFactor": 1, "mobile": False})
    page.save_screenshot(str(folder / f"{name}.png"))


def look(page, letter, args, work):
    html = letter.read_text(encoding="utf-8")
    if args.public:
        html = html.replace(f'="{SITE}', f'="{args.public.resolve().as_uri()}/')
        html = re.sub(rf'( 2x|, ){re.escape(SITE)}', rf'\1{args.public.resolve().as_uri()}/', html)
    found = []
    for variant, text in variants(html):
        file = work / f"{letter.stem}{variant}.html"
        file.write_text(text, encoding="utf-8")
        page.get(file.as_uri())
        for width in WIDTHS:
            for scheme in ("light", "dark"):
                show(page, width, scheme)
                name = f"{letter.stem}{variant}-{width}-{scheme}"
                found += [f"{name}: {what}" for what in page.execute_script(LOOK)]
                if args.pictures:
                    keep(page, args.pictures, name)
        if args.pictures and not variant:
            show(page, 600, "light", force_dark=True)
            keep(page, args.pictures, f"{letter.stem}-600-forced-dark")
            page.execute_cdp_cmd("Emulation.setAutoDarkModeOverride", {"enabled": False})
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("browser")
    parser.add_argument("driver")
    parser.add_argument("letters", nargs="+", type=pathlib.Path)
    parser.add_argument("--public", type=pathlib.Path)
    parser.add_argument("--pictures", type=pathlib.Path)
    args = parser.parse_args()
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
    profile = tempfile.mkdtemp()
    page = start(args.browser, args.driver, profile)
    try:
        work = pathlib.Path(profile)
        found = [one for letter in args.letters for one in look(page, letter, args, work)]
    finally:
        page.quit()
        shutil.rmtree(profile, ignore_errors=True)
    print(json.dumps(sorted(set(found))))


main()
