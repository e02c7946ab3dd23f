//! The website: every page is sound, every link leads somewhere, and what was
//! written for one reader is on none of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::html::Html;
use crate::press::Press;

const BASE: &str = "https://garden.example.org/";

/// A publication with everything a page can have, its first letter sent.
fn rich_press() -> Press {
    let mut press = Press::new();
    press.article(
        "food/hostile.md",
        "+++\n\
         title = \"</script><b>Soup</b> & \\\"quotes\\\" {{ secrets }}\"\n\
         date = 2026-11-23\n\
         description = \"A <i>standfirst</i> & more\"\n\
         authors = [\"日本\", \"Zoë <Adams>\", \"A. B.\", \"A B\"]\n\
         tags = [\"C++ & <co>\", \"summer\"]\n\
         aliases = [\"/old/soup\", \"old.html\", \"food/apricots\", \"../outside\"]\n\
         +++\n\
         Text[^a] with {{ secrets }}, [own](#whats-new), [other](../garden/shade.md#what-should-you-do-first).\n\n\
         ## What's new?\n\n\
         <p id=\"page-main\">x</p> <p onclick=\"x()\" style=\"color:red\">y</p>\n\n\
         | a | b |\n|---|---|\n| 1 | 2 |\n\n[^a]: A note.\n",
    );
    press.article(
        "garden/arabic.md",
        "+++\ntitle = \"مرحبا\"\ndate = 2026-11-10\nlanguage = \"ar\"\nsection = \"garden\"\n+++\nنص\n",
    );
    press.article(
        "garden/elsewhere.md",
        "+++\ntitle = \"On another site\"\ndate = 2026-11-09\nurl = \"https://elsewhere.example.net/x\"\n\
         aliases = [\"/moved-away/\"]\n+++\nBut *summarised* here.\n",
    );
    press.subscribe(["thandi@example.org", "pieter@example.net"]);
    press.run(&["run"]).succeeds();
    press.at("2026-11-27T09:00:00+02:00");
    press.run(&["build"]).succeeds();
    press
}

/// Every HTML file below `public/`, by path.
fn pages(press: &Press) -> BTreeMap<String, Html> {
    press
        .files("public")
        .into_iter()
        .filter(|file| file.ends_with(".html"))
        .map(|file| {
            let page = Html::read(&press.read(&file));
            (file["public/".len()..].to_owned(), page)
        })
        .collect()
}

/// The file that a server shows at a path.
fn file_at(path: &str) -> String {
    let path = percent_encoding::percent_decode_str(path.trim_start_matches('/'));
    let path = path.decode_utf8().unwrap();
    if path.is_empty() || path.ends_with('/') {
        format!("{path}index.html")
    } else {
        path.into_owned()
    }
}

/// Each link of each page that leads nowhere: `page: link`.
fn broken_links(public: &Path, pages: &BTreeMap<String, Html>, base: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, page) in pages {
        for element in &page.elements {
            let links = ["href", "src", "srcset", "cite"];
            for link in links.iter().filter_map(|key| element.attribute(key)) {
                // The one candidate of a letter's picture.
                let link = link.strip_suffix(" 2x").unwrap_or(link);
                let link = link
                    .strip_prefix(base.trim_end_matches('/'))
                    .unwrap_or(link);
                let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
                let path = path.split('?').next().unwrap();
                let target = if path.is_empty() {
                    name.clone()
                } else if path.starts_with('/') {
                    file_at(path)
                } else if path.starts_with("https://") || path.starts_with("mailto:") {
                    continue;
                } else {
                    broken.push(format!("{name}: {link} is relative"));
                    continue;
                };
                let fragment = percent_encoding::percent_decode_str(fragment);
                let fragment = fragment.decode_utf8().unwrap();
                let is_there = public.join(&target).is_file();
                let has_place = fragment.is_empty()
                    || pages
                        .get(&target)
                        .is_some_and(|page| page.has_id(&fragment));
                if !is_there || !has_place {
                    broken.push(format!("{name}: {link}"));
                }
            }
        }
    }
    broken
}

#[test]
fn every_page_parses_without_an_error_and_is_complete() {
    let press = rich_press();
    let pages = pages(&press);
    for file in [
        "index.html",
        "food/index.html",
        "food/hostile/index.html",
        "tags/summer/index.html",
        "authors/nomsa-dube/index.html",
        "letters/weekly/index.html",
        "letters/weekly/1/index.html",
        "404.html",
        "old.html",
    ] {
        assert!(pages.contains_key(file), "no {file} in {:?}", pages.keys());
    }
    for (name, page) in &pages {
        assert_eq!(page.errors, Vec::<String>::new(), "{name}");
        let html = page.all("html").next().unwrap();
        assert_eq!(html.attribute("lang"), Some("en-ZA"), "{name}");
        assert_eq!(html.attribute("dir"), Some("ltr"), "{name}");
        assert!(
            page.all("title").any(|title| !title.text.is_empty()),
            "{name}"
        );
        let mut metas = page.all("meta").filter_map(|meta| meta.attribute("name"));
        assert!(metas.any(|meta| meta == "viewport"), "{name}");
        let mut ids = BTreeSet::new();
        for id in page.elements.iter().filter_map(|one| one.attribute("id")) {
            assert!(ids.insert(id), "{name} has two of {id}");
        }
        for element in &page.elements {
            let is_style = element.attribute("style").is_some();
            assert!(!is_style || name.starts_with("letters/"), "{name}");
            assert!(element.attribute("onclick").is_none(), "{name}");
            assert!(
                element.name != "img" || element.attribute("alt").is_some(),
                "{name}"
            );
        }
    }
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    let press = rich_press();
    let found = broken_links(&press.path("public"), &pages(&press), BASE);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_website_of_the_sample_is_sound() {
    let press = Press::empty();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    press.write_bytes(
        "letterpress.toml",
        &fs::read(root.join("letterpress.toml")).unwrap(),
    );
    for entry in walkdir::WalkDir::new(root.join("content")) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(root).unwrap();
            press.write_bytes(name.to_str().unwrap(), &fs::read(entry.path()).unwrap());
        }
    }
    press.run(&["run"]).succeeds();
    press.run(&["build"]).succeeds();
    let pages = pages(&press);
    for (name, page) in &pages {
        assert_eq!(page.errors, Vec::<String>::new(), "{name}");
    }
    let base = "https://magazine.example.org/";
    assert_eq!(
        broken_links(&press.path("public"), &pages, base),
        Vec::<String>::new()
    );
    assert!(pages.contains_key("letters/weekly/1/index.html"));
}

#[test]
fn an_article_is_described_to_machines_as_it_is_to_people() {
    let press = rich_press();
    let pages = pages(&press);
    let page = &pages["food/hostile/index.html"];
    let script = page
        .all("script")
        .find(|one| one.attribute("type") == Some("application/ld+json"))
        .unwrap();
    let data: serde_json::Value = serde_json::from_str(&script.text).unwrap();
    let (article, trail) = (&data["@graph"][0], &data["@graph"][1]);
    let title = "</script><b>Soup</b> & \"quotes\" {{ secrets }}";
    assert_eq!(article["@type"], "Article");
    assert_eq!(article["headline"], title);
    assert_eq!(article["url"], format!("{BASE}food/hostile/"));
    assert_eq!(article["author"][1]["name"], "Zoë <Adams>");
    assert_eq!(trail["@type"], "BreadcrumbList");
    assert_eq!(trail["itemListElement"][1]["item"], format!("{BASE}food/"));
    let property = |name: &str| {
        let mut metas = page.all("meta");
        let found = metas.find(|meta| meta.attribute("property") == Some(name));
        found.and_then(|meta| meta.attribute("content")).unwrap()
    };
    assert_eq!(property("og:title"), title);
    assert_eq!(property("og:type"), "article");
    let picture = &pages["food/apricots/index.html"];
    let mut images = picture.all("meta");
    assert!(images.any(|meta| {
        meta.attribute("property") == Some("og:image")
            && meta.attribute("content") == Some(&format!("{BASE}food/apricots.png"))
    }));
    for page in pages.values() {
        for script in page.all("script") {
            serde_json::from_str::<serde_json::Value>(&script.text).unwrap();
        }
    }
}

#[test]
fn pages_announce_feeds_that_exist() {
    let press = rich_press();
    let mut announced = BTreeSet::new();
    for (name, page) in pages(&press) {
        for link in page.all("link") {
            if link.attribute("rel") != Some("alternate") {
                continue;
            }
            let url = link.attribute("href").unwrap();
            let file = url.strip_prefix(BASE).unwrap();
            assert!(press.path("public").join(file).is_file(), "{name}: {url}");
            assert!(
                link.attribute("title")
                    .is_some_and(|title| !title.is_empty())
            );
            announced.insert((name.clone(), file.to_owned()));
        }
    }
    for (page, feed) in [
        ("index.html", "rss.xml"),
        ("index.html", "atom.xml"),
        ("index.html", "feed.json"),
        ("food/index.html", "sections/food/atom.xml"),
        ("food/hostile/index.html", "sections/food/feed.json"),
    ] {
        let pair = (page.to_owned(), feed.to_owned());
        assert!(announced.contains(&pair), "{page} does not announce {feed}");
    }
}

#[test]
fn old_addresses_lead_on_and_never_take_the_place_of_an_article() {
    let press = rich_press();
    let pages = pages(&press);
    for (file, target) in [
        ("old/soup/index.html", "/food/hostile/"),
        ("old.html", "/food/hostile/"),
        ("moved-away/index.html", "https://elsewhere.example.net/x"),
    ] {
        let page = &pages[file];
        let refresh = page
            .all("meta")
            .find(|meta| meta.attribute("http-equiv") == Some("refresh"))
            .unwrap();
        assert_eq!(
            refresh.attribute("content"),
            Some(format!("0; url={target}").as_str())
        );
        assert!(
            page.all("a")
                .any(|link| link.attribute("href") == Some(target)),
            "{file}"
        );
    }
    let taken = &pages["food/apricots/index.html"];
    assert!(
        taken
            .all("h1")
            .any(|title| title.text == "A bowl of apricots")
    );
    assert!(!press.path("outside").exists());
}

#[test]
fn a_letter_on_the_web_shows_nothing_of_its_readers() {
    let press = rich_press();
    let letter = press.read("public/letters/weekly/1/index.html");
    for secret in [
        "thandi",
        "pieter",
        "unsubscribe",
        "Unsubscribe",
        "lpslot",
        "letters.example.org",
    ] {
        assert!(!letter.contains(secret), "{secret} is in {letter}");
    }
    assert!(letter.contains("our readers"));
    assert!(letter.contains("1 Example Street"));
}

#[test]
fn articles_of_other_sites_have_no_page_but_stand_in_the_lists() {
    let press = rich_press();
    assert!(!press.path("public/garden/elsewhere/index.html").exists());
    let section = press.read("public/garden/index.html");
    assert!(section.contains("https://elsewhere.example.net/x"));
    assert!(section.contains("But summarised here."));
}

#[test]
fn with_content_pages_false_there_is_no_page() {
    let press = Press::new();
    press.set("content.pages", false);
    press.run(&["build"]).succeeds();
    let files = press.files("public");
    assert!(files.contains(&"public/rss.xml".to_owned()), "{files:?}");
    assert!(
        !files.iter().any(|file| file.ends_with(".html")),
        "{files:?}"
    );
}

#[test]
fn a_second_build_changes_no_page_and_the_day_does_not_matter() {
    let mut press = rich_press();
    press.at("2027-03-01T12:00:00+02:00");
    let built = press.run(&["--format", "json", "build"]);
    let built = built.succeeds().json();
    assert_eq!(built["created"], serde_json::json!([]), "{built}");
    assert_eq!(built["changed"], serde_json::json!([]), "{built}");
}

#[test]
fn a_long_list_has_pages_that_show_every_article_once() {
    let press = Press::new();
    for number in 0..70 {
        let text =
            format!("+++\ntitle = \"Article {number}\"\ndate = 2025-01-01\n+++\nText {number}.\n");
        press.article(&format!("food/a{number}.md"), &text);
    }
    press.run(&["build"]).succeeds();
    let pages = pages(&press);
    let mut seen = BTreeMap::new();
    let mut next = Some("/food/".to_owned());
    let mut count = 0;
    while let Some(path) = next {
        count += 1;
        let page = &pages[&file_at(&path)];
        let titles = page
            .all("a")
            .filter(|a| a.attribute("aria-hidden").is_none());
        for link in titles.filter_map(|a| a.attribute("href")) {
            if link.starts_with("/food/a") {
                *seen.entry(link.to_owned()).or_insert(0) += 1;
            }
        }
        let mut links = page.all("link");
        let link = links.find(|link| link.attribute("rel") == Some("next"));
        next = link
            .and_then(|link| link.attribute("href"))
            .map(str::to_owned);
    }
    // Apricots and the seventy.
    assert_eq!((seen.len(), count), (71, 3));
    assert!(seen.values().all(|&times| times == 1), "{seen:?}");
    assert_eq!(
        broken_links(&press.path("public"), &pages, BASE),
        Vec::<String>::new()
    );
}

#[test]
fn own_templates_take_the_place_of_ours_and_check_finds_their_faults() {
    let press = Press::new();
    press.write(
        "templates/pages/article.html",
        "{% extends \"pages/base.html\" %}{% block main %}<h1>Mine: {{ article.title }}</h1>{{ article.html }}{% endblock main %}",
    );
    press.run(&["build"]).succeeds();
    assert!(
        press
            .read("public/food/apricots/index.html")
            .contains("Mine: A bowl of apricots")
    );
    press.write(
        "templates/pages/article.html",
        "{% extends \"pages/base.html\" %}\n{% block main %}{{ article.titel }}{% endblock main %}",
    );
    let checked = press.run(&["check"]);
    checked.exits(65).prints("templates/pages/article.html:2");
}

#[test]
fn the_sitemap_lists_every_page_that_is_to_be_found() {
    let press = rich_press();
    let sitemap = press.read("public/sitemap.xml");
    for path in [
        "",
        "food/",
        "food/apricots/",
        "tags/summer/",
        "letters/weekly/1/",
    ] {
        let loc = format!("<loc>{BASE}{path}</loc>");
        assert!(sitemap.contains(&loc), "{loc} is not in {sitemap}");
    }
    for path in ["404.html", "old/soup/", "elsewhere"] {
        assert!(!sitemap.contains(path), "{path} is in {sitemap}");
    }
}
