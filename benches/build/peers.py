"""How each tool is set up to publish the same articles, and how it is called.

All make feeds of the newest 20 articles with their whole text, for the site and
for each of 10 sections, 40 tags and 20 authors. With pages they also make a page
for each article and lists of them. What they do beyond that is as they come:

Letterpress  RSS, Atom and JSON Feed of each stream; checks every link and
             picture. Here without archives of older articles and without
             compressed copies, which no other tool makes; "as it comes" has both.
Hugo         RSS, Atom and JSON from templates of ours, as people write them.
Eleventy     RSS, Atom and JSON by its own plugin, one virtual template each.
Pelican      RSS and Atom; it knows no JSON Feed. Pages by its "simple" theme.
"""

import pathlib
import shutil

import generate

ORDER = {"letterpress": "Letterpress", "hugo": "Hugo", "eleventy": "Eleventy", "pelican": "Pelican"}
STYLES = {"letterpress": "yaml", "hugo": "yaml", "eleventy": "yaml", "pelican": "pelican"}
BASE = "https://magazine.example.org/"
ENTRIES = 20


def nothing():
    pass


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


class Tool:
    """A tool in a folder of its own, with the shared articles in it."""

    def __init__(self, name, collection, mode, scratch, folder):
        self.name, self.mode, self.scratch = name, mode, scratch
        self.folder = scratch / "sites" / folder
        self.out = self.folder / "public"
        self.is_lean = False
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        # Hard links: 100,000 articles need not be on the disk four times.
        shutil.copytree(collection / "content", self.folder / "content", copy_function=link)
        self.set_up()

    def clean(self):
        shutil.rmtree(self.out, ignore_errors=True)

    def output(self):
        sizes = [path.stat().st_size for path in self.out.rglob("*") if path.is_file()]
        return {"files": len(sizes), "bytes": sum(sizes)}


def link(source, target):
    pathlib.Path(target).hardlink_to(source)


class Letterpress(Tool):
    def __init__(self, name, collection, mode, scratch, program):
        self.program = program
        super().__init__(name, collection, mode, scratch, "letterpress")

    def set_up(self):
        pages = "true" if self.mode == "pages" else "false"
        head = (
            '[publication]\ntitle = "Bench"\ndescription = "A benchmark."\n'
            f'base_url = "{BASE}"\nid_authority = "magazine.example.org,2026"\n'
        )
        lean = f"[content]\npages = {pages}\ncompress = []\n[feeds]\narchive = false\nentries = {ENTRIES}\n"
        write(self.folder / "letterpress.toml", head + lean)
        write(self.folder / "whole.toml", head + f"[content]\npages = {pages}\n")

    def clean(self):
        super().clean()
        for path in self.folder.glob("letterpress.*"):
            if path.suffix != ".toml":
                path.unlink()

    def edit(self, number):
        path = self.folder / "content" / generate.SECTIONS[0] / "article-000000.md"
        text = path.read_text(encoding="utf-8")
        # Another file: the tools share their articles by hard links.
        path.unlink()
        write(path, text.replace("\ndescription: \"", f"\ndescription: \"Edit {number}. ") + f"\nOne more line, {number}.\n")

    def cases(self, number):
        build = [self.program, "--quiet", "build"]
        whole = [self.program, "--quiet", "--config", "whole.toml", "build"]
        yield "cold", self.clean, build
        yield "unchanged", nothing, build
        yield "after one edit", lambda: self.edit(number), build
        if not self.is_lean:
            yield "cold, as it comes", self.clean, whole
            yield "after one edit, as it comes", lambda: self.edit(number + 1000), whole


class Hugo(Tool):
    def __init__(self, name, collection, mode, scratch, _):
        super().__init__(name, collection, mode, scratch, "hugo")

    def set_up(self):
        page = '"HTML", ' if self.mode == "pages" else ""
        lists = f'[{page}"RSS", "ATOM", "JSONFEED"]'
        config = f"""
baseURL = "{BASE}"
title = "Bench"
languageCode = "en"
disableKinds = ["taxonomy", "sitemap", "robotsTXT", "404"]
[services.rss]
limit = {ENTRIES}
[pagination]
pagerSize = 24
[taxonomies]
tag = "tags"
author = "author"
[outputs]
page = ["HTML"]
home = {lists}
section = {lists}
term = {lists}
[mediaTypes."application/atom+xml"]
suffixes = ["xml"]
[mediaTypes."application/feed+json"]
suffixes = ["json"]
[outputFormats.RSS]
mediaType = "application/rss+xml"
baseName = "rss"
[outputFormats.ATOM]
mediaType = "application/atom+xml"
baseName = "atom"
[outputFormats.JSONFEED]
mediaType = "application/feed+json"
baseName = "feed"
isPlainText = true
"""
        if self.mode == "feeds":
            # Articles have addresses, and no pages of their own.
            config += '[[cascade]]\n[cascade.build]\nrender = "link"\n[cascade.target]\nkind = "page"\n'
        write(self.folder / "hugo.toml", config)
        for name, text in LAYOUTS.items():
            write(self.folder / "layouts" / name, text)

    def cases(self, _):
        hugo = next((self.scratch / "venv").glob("lib/python*/site-packages/hugo/binaries/hugo"))
        yield "cold", self.clean_all, [hugo, "--quiet", "--logLevel", "error"]

    def clean_all(self):
        self.clean()
        shutil.rmtree(self.folder / "resources", ignore_errors=True)


HOME = "{{ $pages := .RegularPages }}{{ if .IsHome }}{{ $pages = site.RegularPages }}{{ end }}" + (
    "{{ range first %d $pages.ByDate.Reverse }}" % ENTRIES
)
RSS = (
    '{{ printf "<?xml version=\\"1.0\\" encoding=\\"utf-8\\"?>" | safeHTML }}\n'
    '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom">\n<channel>\n'
    "<title>{{ .Title }}</title>\n<link>{{ .Permalink }}</link>\n<description>{{ site.Title }}</description>\n"
    '{{ with .OutputFormats.Get "RSS" }}<atom:link href="{{ .Permalink }}" rel="self" type="application/rss+xml"/>{{ end }}\n'
    + HOME
    + "\n<item>\n<title>{{ .Title }}</title>\n<link>{{ .Permalink }}</link>\n<guid>{{ .Permalink }}</guid>\n"
    '<pubDate>{{ .Date.Format "Mon, 02 Jan 2006 15:04:05 -0700" | safeHTML }}</pubDate>\n'
    "<dc:creator>{{ .Params.author }}</dc:creator>\n{{ range .Params.tags }}<category>{{ . }}</category>\n{{ end }}"
    "<description>{{ .Description }}</description>\n<content:encoded>{{ .Content | transform.XMLEscape | safeHTML }}</content:encoded>\n"
    "</item>\n{{ end }}\n</channel>\n</rss>\n"
)
ATOM = (
    '{{ printf "<?xml version=\\"1.0\\" encoding=\\"utf-8\\"?>" | safeHTML }}\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
    "<title>{{ .Title }}</title>\n<id>{{ .Permalink }}</id>\n<link href=\"{{ .Permalink }}\"/>\n"
    '{{ with .OutputFormats.Get "ATOM" }}<link rel="self" href="{{ .Permalink }}"/>{{ end }}\n'
    "<updated>{{ site.Lastmod.Format \"2006-01-02T15:04:05Z07:00\" | safeHTML }}</updated>\n"
    + HOME
    + "\n<entry>\n<title>{{ .Title }}</title>\n<id>{{ .Permalink }}</id>\n<link href=\"{{ .Permalink }}\"/>\n"
    "<author><name>{{ .Params.author }}</name></author>\n{{ range .Params.tags }}<category term=\"{{ . }}\"/>\n{{ end }}"
    '<published>{{ .Date.Format "2006-01-02T15:04:05Z07:00" | safeHTML }}</published>\n'
    '<updated>{{ .Lastmod.Format "2006-01-02T15:04:05Z07:00" | safeHTML }}</updated>\n'
    "<summary>{{ .Description }}</summary>\n<content type=\"html\">{{ .Content | transform.XMLEscape | safeHTML }}</content>\n"
    "</entry>\n{{ end }}\n</feed>\n"
)
JSON = (
    "{{ $items := slice }}" + HOME + '{{ $items = $items | append (dict "id" .Permalink "url" .Permalink "title" .Title '
    '"summary" .Description "content_html" .Content "date_published" (.Date.Format "2006-01-02T15:04:05Z07:00") '
    '"authors" (slice (dict "name" .Params.author)) "tags" .Params.tags) }}{{ end }}'
    '{{ dict "version" "https://jsonfeed.org/version/1.1" "title" .Title "home_page_url" .Permalink "items" $items | jsonify }}\n'
)
PAGE = (
    '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{{ .Title }} · {{ site.Title }}</title>\n'
    '<meta name="description" content="{{ .Description }}">\n<link rel="canonical" href="{{ .Permalink }}">\n'
    '<meta property="og:title" content="{{ .Title }}"><meta property="og:url" content="{{ .Permalink }}"></head>\n<body>\n'
)
CARD = '<article><h2><a href="{{ .RelPermalink }}">{{ .Title }}</a></h2><p>{{ .Description }}</p><time>{{ .Date.Format "2 January 2006" }}</time></article>\n'
LAYOUTS = {
    "_default/single.html": PAGE
    + "<article><h1>{{ .Title }}</h1><p>{{ .Description }}</p><p>{{ .Params.author }}</p>\n"
    '{{ with .Params.image }}<img src="{{ .src }}" alt="{{ .alt }}">{{ end }}\n{{ .Content }}\n'
    '<p>{{ range .Params.tags }}<a href="/tags/{{ . | urlize }}/">{{ . }}</a> {{ end }}</p>\n'
    '{{ with .PrevInSection }}<a href="{{ .RelPermalink }}">{{ .Title }}</a>{{ end }}\n'
    '{{ with .NextInSection }}<a href="{{ .RelPermalink }}">{{ .Title }}</a>{{ end }}\n</article></body></html>\n',
    "_default/list.html": PAGE
    + "<h1>{{ .Title }}</h1>\n{{ $pages := .RegularPages }}{{ if .IsHome }}{{ $pages = site.RegularPages }}{{ end }}"
    "{{ $pager := .Paginate $pages }}{{ range $pager.Pages }}" + CARD + "{{ end }}\n"
    '{{ with $pager.Next }}<a href="{{ .URL }}">Older</a>{{ end }}</body></html>\n',
    "_default/list.rss.xml": RSS,
    "_default/list.atom.xml": ATOM,
    "_default/list.jsonfeed.json": JSON,
}


class Eleventy(Tool):
    def __init__(self, name, collection, mode, scratch, _):
        super().__init__(name, collection, mode, scratch, "eleventy")

    def set_up(self):
        # As a child of the folder with its packages, so that it finds them.
        (self.folder / "node_modules").symlink_to(self.scratch / "node" / "node_modules")
        write(self.folder / "package.json", '{"private": true, "type": "module"}\n')
        pages = self.mode == "pages"
        write(self.folder / "content" / "content.11tydata.js", ELEVENTY_PAGES if pages else "export default { permalink: false };\n")
        write(self.folder / "eleventy.config.js", ELEVENTY % {"entries": ENTRIES, "base": BASE, "pages": str(pages).lower()})
        if pages:
            write(self.folder / "_includes" / "article.liquid", ELEVENTY_ARTICLE)
            write(self.folder / "content" / "lists.njk", ELEVENTY_LIST)

    def cases(self, _):
        program = self.folder / "node_modules" / "@11ty" / "eleventy" / "cmd.cjs"
        yield "cold", self.clean, ["node", "--max-old-space-size=12288", program, "--quiet"]


ELEVENTY_PAGES = 'export default { layout: "article.liquid" };\n'
ELEVENTY_ARTICLE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title><meta name="description" content="{{ description }}"></head>
<body><article><h1>{{ title }}</h1><p>{{ description }}</p><p>{{ author }}</p><img src="{{ image.src }}" alt="{{ image.alt }}">
{{ content }}
<p>{% for tag in tags %}<a href="/tags/{{ tag | slugify }}/">{{ tag }}</a> {% endfor %}</p></article></body></html>
"""
ELEVENTY_LIST = """---
pagination: { data: spans, size: 1, alias: span }
permalink: "{{ span.path }}index.html"
layout: false
---
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{ span.name }}</title></head><body><h1>{{ span.name }}</h1>
{% for post in collections[span.name].slice(span.from, span.to) %}<article><h2><a href="{{ post.url }}">{{ post.data.title }}</a></h2><p>{{ post.data.description }}</p></article>
{% endfor %}</body></html>
"""
ELEVENTY = """import { readdirSync, readFileSync } from "node:fs";
import { feedPlugin } from "@11ty/eleventy-plugin-rss";

// The streams, from the front matter, before Eleventy reads it: a feed is a
// virtual template, and must be there when it begins.
const counts = new Map([["whole", 0]]);
const keys = (section, tags, author) => ["whole", `section_${section}`, ...tags.map((t) => `tag_${t}`), `author_${author}`]
  .map((key) => key.replace(/[^A-Za-z0-9]/g, "_"));
for (const section of readdirSync("content", { withFileTypes: true }).filter((e) => e.isDirectory())) {
  for (const file of readdirSync(`content/${section.name}`).filter((f) => f.endsWith(".md"))) {
    const front = readFileSync(`content/${section.name}/${file}`, "utf8").slice(0, 600);
    const tags = JSON.parse(`[${/^tags: \\[(.*)\\]$/m.exec(front)[1]}]`);
    const author = /^author: "(.*)"$/m.exec(front)[1];
    for (const key of keys(section.name, tags, author)) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
}

export default function (config) {
  const lists = new Map();
  const streams = (api) => {
    if (lists.size === 0) {
      for (const post of api.getFilteredByGlob("content/*/*.md").sort((a, b) => a.date - b.date)) {
        const section = post.inputPath.split("/").at(-2);
        // Without pages of their own articles keep their addresses.
        post.url ||= `/${section}/${post.fileSlug}/`;
        for (const key of keys(section, post.data.tags, post.data.author)) {
          if (!lists.has(key)) lists.set(key, []);
          lists.get(key).push(post);
        }
      }
    }
    return lists;
  };
  for (const name of counts.keys()) {
    config.addCollection(name, (api) => streams(api).get(name) ?? []);
    for (const [type, file] of [["rss", "rss.xml"], ["atom", "atom.xml"], ["json", "feed.json"]]) {
      config.addPlugin(feedPlugin, {
        type,
        outputPath: `/${name}/${file}`,
        inputPath: `feed-${name}-${type}.njk`,
        collection: { name, limit: %(entries)d },
        metadata: { language: "en", title: `Bench: ${name}`, subtitle: "A benchmark.", base: "%(base)s", author: { name: "Bench" } },
      });
    }
  }
  if (%(pages)s) {
    config.addGlobalData("spans", [...counts].flatMap(([name, count]) =>
      Array.from({ length: Math.ceil(count / 24) }, (_, n) => (
        { name, from: n * 24, to: n * 24 + 24, path: n ? `${name}/page/${n + 1}/` : `${name}/` }))));
  }
  return { dir: { input: "content", output: "public", includes: "../_includes" } };
}
"""


class Pelican(Tool):
    def __init__(self, name, collection, mode, scratch, _):
        super().__init__(name, collection, mode, scratch, "pelican")

    def set_up(self):
        config = f"""
SITENAME = "Bench"
SITEURL = "{BASE.rstrip("/")}"
TIMEZONE = "UTC"
DEFAULT_LANG = "en"
PATH = "content"
OUTPUT_PATH = "public"
THEME = "simple"
STATIC_PATHS = {[f"{section}/picture.png" for section in generate.SECTIONS]}
DEFAULT_PAGINATION = 24
FEED_MAX_ITEMS = {ENTRIES}
RSS_FEED_SUMMARY_ONLY = False
FEED_DOMAIN = SITEURL
FEED_RSS = "rss.xml"
FEED_ATOM = "atom.xml"
FEED_ALL_ATOM = None
CATEGORY_FEED_RSS = "sections/{{slug}}/rss.xml"
CATEGORY_FEED_ATOM = "sections/{{slug}}/atom.xml"
TAG_FEED_RSS = "tags/{{slug}}/rss.xml"
TAG_FEED_ATOM = "tags/{{slug}}/atom.xml"
AUTHOR_FEED_RSS = "authors/{{slug}}/rss.xml"
AUTHOR_FEED_ATOM = "authors/{{slug}}/atom.xml"
TRANSLATION_FEED_ATOM = None
CACHE_CONTENT = False
"""
        if self.mode == "feeds":
            config += 'ARTICLE_SAVE_AS = ""\nCATEGORY_SAVE_AS = ""\nTAG_SAVE_AS = ""\nAUTHOR_SAVE_AS = ""\nDIRECT_TEMPLATES = []\n'
        else:
            config += 'ARTICLE_URL = "{category}/{slug}/"\nARTICLE_SAVE_AS = "{category}/{slug}/index.html"\n'
        write(self.folder / "pelicanconf.py", config)

    def cases(self, _):
        program = self.scratch / "venv" / "bin" / "pelican"
        yield "cold", self.clean, [program, "--settings", "pelicanconf.py", "--quiet"]


MAKERS = {"letterpress": Letterpress, "hugo": Hugo, "eleventy": Eleventy, "pelican": Pelican}
