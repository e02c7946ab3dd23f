"""Prints what feedparser makes of feeds as one JSON document."""

import calendar
import json
import sys

import feedparser


def told(entry):
    content = entry.get("content", [])
    return {
        "id": entry.id,
        "title": entry.title,
        "link": entry.link,
        "authors": [author["name"] for author in entry.authors],
        "published": calendar.timegm(entry.published_parsed),
        "updated": calendar.timegm(entry.get("updated_parsed") or entry.published_parsed),
        "categories": [tag.label or tag.term for tag in entry.get("tags", [])],
        "media": [media["url"] for media in entry.get("media_content", [])]
        + [enclosure.href for enclosure in entry.enclosures],
        "html_length": sum(len(part.value) for part in content if part.type == "text/html"),
    }


def entries(path):
    feed = feedparser.parse(path)
    if feed.bozo:
        sys.exit(f"feedparser: {path}: {feed.bozo_exception}")
    return [told(entry) for entry in feed.entries]


json.dump([entries(path) for path in sys.argv[1:]], sys.stdout)
