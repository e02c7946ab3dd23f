"""Prints what feedparser makes of a feed as one JSON document."""

import calendar
import json
import sys

import feedparser

feed = feedparser.parse(sys.argv[1])
if feed.bozo:
    sys.exit(f"feedparser: {sys.argv[1]}: {feed.bozo_exception}")


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


json.dump([told(entry) for entry in feed.entries], sys.stdout)
