#!/usr/bin/env python3
"""Writes a realistic collection of articles, the same for every site generator.

    generate.py COUNT DIR [--front yaml|pelican]

About 6 KB of Markdown an article: headings, paragraphs, lists, a quotation, a
table now and then, links, one picture reference in the front matter and three
tags of forty. Ten sections, twenty authors, five years of dates. The same
arguments give the same bytes.
"""

import argparse
import datetime
import pathlib
import random
import struct
import zlib

WORDS = """salt light kitchen window morning river garden slow market street bread
linen orchard winter paper stone evening letter harbour copper fig thyme cloud
table neighbour train bicycle lamp quiet ink wool honey orange tide road shelf
button spoon field basket clay mirror candle apron kettle plum pepper cotton
veranda dust rain summer pencil map salad shade chalk almond silver gate bell""".split()
SECTIONS = [f"section-{n:02}" for n in range(10)]
TAGS = [f"{WORDS[n]} {WORDS[n + 20]}" for n in range(40)]
AUTHORS = [f"{WORDS[n].title()} {WORDS[-n - 1].title()}" for n in range(20)]
NEWEST = datetime.datetime(2026, 11, 1, 8, 0, 0)


def sentence(rng):
    words = rng.choices(WORDS, k=rng.randint(7, 18))
    words[0] = words[0].title()
    if rng.random() < 0.2:
        at = rng.randrange(len(words))
        words[at] = rng.choice(["*{}*", "**{}**", "[{}](https://links.example.net/p/1)"]).format(words[at])
    return " ".join(words) + rng.choice([".", ".", ".", "?", " – and more."])


def paragraph(rng):
    return " ".join(sentence(rng) for _ in range(rng.randint(3, 6)))


def body(rng):
    parts = [paragraph(rng), paragraph(rng)]
    size = sum(map(len, parts))
    while size < 5600:
        kind = rng.random()
        if kind < 0.2:
            part = f"## {sentence(rng).rstrip('.')}"
        elif kind < 0.35:
            part = "\n".join(f"- **{rng.choice(WORDS).title()}**: {sentence(rng)}" for _ in range(4))
        elif kind < 0.42:
            part = f"> {sentence(rng)}\n> {sentence(rng)}"
        elif kind < 0.46:
            part = "| what | how |\n| --- | --- |\n" + "\n".join(
                f"| {rng.choice(WORDS)} | {sentence(rng)} |" for _ in range(3)
            )
        else:
            part = paragraph(rng)
        parts.append(part)
        size += len(part) + 2
    return "\n\n".join(parts) + "\n"


def front(style, title, when, author, tags, summary):
    stamp = when.strftime("%Y-%m-%d %H:%M:%S")
    if style == "pelican":
        return (
            f"Title: {title}\nDate: {stamp}\nAuthor: {author}\nTags: {', '.join(tags)}\n"
            f"Summary: {summary}\nImage: picture.png\n\n"
        )
    listed = ", ".join(f'"{tag}"' for tag in tags)
    iso = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f'---\ntitle: "{title}"\ndate: {iso}\nauthor: "{author}"\ntags: [{listed}]\n'
        f'description: "{summary}"\nimage: {{src: "picture.png", alt: "A plain square."}}\n---\n\n'
    )


def picture():
    """A real picture of 64 by 64 pixels."""
    rows = b"".join(b"\0" + b"".join(bytes((x * 4, y * 4, 140)) for x in range(64)) for y in range(64))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("count", type=int)
    arguments.add_argument("dir", type=pathlib.Path)
    arguments.add_argument("--front", choices=["yaml", "pelican"], default="yaml")
    chosen = arguments.parse_args()
    for section in SECTIONS:
        (chosen.dir / section).mkdir(parents=True, exist_ok=True)
        (chosen.dir / section / "picture.png").write_bytes(picture())
    for number in range(chosen.count):
        rng = random.Random(number)
        title = f"{sentence(rng).rstrip('.?').replace('*', '').split('[')[0].strip()} {number}"
        when = NEWEST - datetime.timedelta(minutes=number * 5 * 365 * 24 * 60 // chosen.count)
        text = front(
            chosen.front,
            title,
            when,
            rng.choice(AUTHORS),
            rng.sample(TAGS, 3),
            " ".join(rng.choices(WORDS, k=18)).capitalize() + ".",
        )
        path = chosen.dir / SECTIONS[number % len(SECTIONS)] / f"article-{number:06}.md"
        path.write_text(text + body(rng), encoding="utf-8")


if __name__ == "__main__":
    main()
