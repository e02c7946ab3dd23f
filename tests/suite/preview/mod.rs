//! The local page: it shows what readers would get, says what is wrong, follows
//! every save, and changes nothing.

mod browser;
mod client;
mod following;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::process::Command;

use rustix::process::Signal;

use self::client::Preview;
use crate::caching::settle;
use crate::html::Html;
use crate::press::{Press, reader_address};
use crate::tools::program;

/// Every file of the publication with its bytes, but for what SQLite keeps
/// beside a database while it is open.
fn everything(press: &Press) -> BTreeMap<String, Vec<u8>> {
    let files = press.files("");
    let kept = files
        .into_iter()
        .filter(|file| !file.ends_with("-shm") && !file.ends_with("-wal"));
    kept.map(|file| (file.clone(), press.read_bytes(&file)))
        .collect()
}

#[test]
fn readers_are_told_in_plots_and_tables() {
    let press = Press::new();
    let nothing = Preview::of(&press).get("/_preview/readers/").text();
    assert!(nothing.contains("There is no ledger yet"), "{nothing}");
    press.subscribers(4);
    press.run(&["run"]).succeeds();
    press
        .run(&["subscribers", "unsubscribe", &reader_address(1)])
        .succeeds();
    let page = Preview::of(&press).get("/_preview/readers/").text();
    for says in [
        "3 active, 1 unsubscribed",
        "<title>2026-11: 4 joined, 1 went</title><rect class=\"up\" x=\"0\" y=\"0\" width=\"20\" height=\"120\"/><rect class=\"down\" x=\"0\" y=\"121\" width=\"20\" height=\"30\"/>",
        "<th scope=\"row\">weekly/1</th><td>4</td><td>0</td><td>0.00 %</td>",
        "Bounced, of each issue <span class=\"about\">nobody</span>",
    ] {
        assert!(page.contains(says), "{says}: {page}");
    }
}

#[test]
fn every_link_of_a_preview_leads_somewhere_and_nothing_is_written() {
    let press = Press::new();
    press.article(
        "garden/plan.md",
        "+++\ntitle = \"A plan\"\ndate = 2026-12-24\n+++\nSee [shade](shade.md).\n",
    );
    press.subscribers(2);
    press.run(&["run"]).succeeds();
    press.article(
        "garden/new.md",
        "+++\ntitle = \"New\"\ndate = 2026-11-26\n+++\n\
         Text.\n\n<img src=\"shade.png\" srcset=\"shade.png 1x, wide.png 2x\" alt=\"Shade\">\n",
    );
    press.picture("garden/wide.png", 80, 60);
    let before = everything(&press);

    let preview = Preview::of(&press);
    let found = preview.crawl();
    for (path, answer) in &found {
        assert!(
            matches!(answer.status, 200 | 302),
            "{path}: {}",
            answer.status
        );
        if path.starts_with("/_preview/") && answer.media_type().starts_with("text/html") {
            let page = Html::read(&answer.text());
            let is_letter = path.starts_with("/_preview/letter/");
            let is_page = path.starts_with("/_preview/held-back/");
            assert!(
                is_letter || is_page || page.errors.is_empty(),
                "{path}: {:?}",
                page.errors
            );
        }
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
        let policy = &answer.headers["content-security-policy"];
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
    }
    for wanted in [
        "/",
        "/rss.xml",
        "/feeds.opml",
        "/sections/garden/feed.json",
        "/garden/shade/",
        "/garden/shade.png",
        "/garden/wide.png",
        "/letters/weekly/1/",
        "/_preview/feed/tags/summer/?view=atom.xml",
        "/_preview/issue/weekly/?view=source",
        "/_preview/letter/weekly/?scheme=dark",
        "/_preview/issue/weekly/?kind=letter&view=text",
        "/_preview/letter/weekly/?kind=confirm&scheme=dark",
        "/_preview/held-back/content/garden/plan.md?scheme=light",
    ] {
        assert!(
            found.iter().any(|(path, _)| path == wanted),
            "{wanted} is linked"
        );
    }
    let new = preview.page("/garden/new/");
    let set = "srcset=\"/garden/shade.png 1x, /garden/wide.png 2x\"";
    assert!(new.contains(set), "{new}");
    preview.end(Signal::TERM).succeeds();
    assert!(
        everything(&press) == before,
        "a file was written or changed"
    );
}

#[test]
fn pages_and_feeds_are_what_a_build_writes() {
    let press = Press::new();
    press.subscribers(1);
    press.run(&["run"]).succeeds();
    let preview = Preview::of(&press);
    let files = press.files("public");
    let files = files.iter().filter(|file| !file.ends_with(".gz"));
    let mut compared = 0;
    for file in files {
        let path = file["public/".len()..].trim_end_matches("index.html");
        let answer = preview.get(&format!("/{path}"));
        assert_eq!(answer.status, 200, "{path}");
        let built = press.read_bytes(file);
        if file.ends_with(".html") {
            // Links stay here, and a script reloads the page; nothing else.
            let mut built = String::from_utf8(built).unwrap();
            for name in ["href", "src"] {
                let away = format!(" {name}=\"https://garden.example.org/");
                built = built.replace(&away, &format!(" {name}=\"/"));
            }
            let shown = answer.text();
            let (before, rest) = shown.split_once("<script data-version=").unwrap();
            let (_, after) = rest.split_once("</script>").unwrap();
            assert_eq!(format!("{before}{after}"), built, "{path}");
        } else {
            assert!(answer.body == built, "{path} has other bytes");
        }
        compared += 1;
    }
    assert!(compared > 40, "{compared} files");
    for (path, media_type) in [
        ("/rss.xml", "application/rss+xml"),
        ("/atom.xml", "application/atom+xml"),
        ("/feed.json", "application/feed+json"),
        ("/garden/shade.png", "image/png"),
        ("/style.css", "text/css; charset=utf-8"),
    ] {
        assert_eq!(preview.get(path).media_type(), media_type);
    }
}

#[test]
fn a_feed_reader_can_subscribe_to_a_preview() {
    let press = Press::new();
    let preview = Preview::of(&press);
    let reader = tempfile::tempdir().unwrap();
    let place = |name: &str| reader.path().join(name);
    let feed = format!("http://{}/atom.xml\n", preview.host());
    fs::write(place("urls"), feed).unwrap();
    fs::write(place("config"), "").unwrap();
    let said = Command::new(program("newsboat"))
        .env("HOME", reader.path())
        .args(["-C".into(), place("config"), "-u".into(), place("urls")])
        .args(["-c".into(), place("cache.db"), "-x".into(), "reload".into()])
        .arg("print-unread")
        .output()
        .unwrap();
    let said = format!("{said:?}");
    assert!(said.contains("4 unread articles"), "{said}");
}

#[test]
fn drafts_and_future_articles_can_be_looked_at_and_are_in_no_feed() {
    let press = Press::new();
    press.article(
        "garden/secret.md",
        "+++\ntitle = \"A secret draft\"\ndate = 2026-11-20\ndraft = true\n\
         [hero]\nsrc = \"secret.png\"\nalt = \"Secret\"\n+++\nDraft text.\n",
    );
    press.picture("garden/secret.png", 40, 30);
    press.article(
        "garden/feast.md",
        "+++\ntitle = \"A feast to come\"\ndate = 2026-12-24\n+++\nFuture text.\n",
    );
    let preview = Preview::of(&press);
    let overview = preview.page("/_preview/");
    assert!(overview.contains("A secret draft") && overview.contains("draft"));
    assert!(
        overview.contains("not before 24 December 2026, "),
        "{overview}"
    );
    let article = preview.page("/_preview/article/content/garden/secret.md");
    assert!(article.contains("Draft text.") && article.contains("src=\"/garden/secret.png\""));
    assert_eq!(preview.get("/garden/secret.png").status, 200);
    let page = preview.page("/_preview/held-back/content/garden/secret.md");
    assert!(page.contains("Draft text.") && page.contains("The Garden Table"));
    for public in ["/", "/garden/", "/rss.xml", "/feed.json", "/sitemap.xml"] {
        let text = preview.page(public);
        assert!(
            !text.contains("secret") && !text.contains("feast"),
            "{public}"
        );
    }
    let would_be = preview.get("/garden/secret/");
    let held_back = "/_preview/held-back/content/garden/secret.md";
    assert_eq!(would_be.headers["location"], held_back);
}

#[test]
fn a_mistake_leads_to_its_line_whatever_the_name_of_the_article_ends_in() {
    let press = Press::new();
    for name in ["leeks.md", "herbs.markdown"] {
        press.article(
            &format!("garden/{name}"),
            "+++\ntitel = \"Green\"\ndate = 2026-11-26\n+++\nText.\n",
        );
    }
    let preview = Preview::of(&press);
    let overview = preview.page("/_preview/");
    for name in ["leeks.md", "herbs.markdown"] {
        let source = format!("/_preview/article/content/garden/{name}?view=source");
        assert!(
            overview.contains(&format!("href=\"{source}#L2\"")),
            "{overview}"
        );
        let shown = preview.page(&source);
        assert!(shown.contains("<li id=\"L2\" class=\"is-marked\">"));
    }
}

#[test]
fn a_mistake_is_shown_at_its_line_and_the_save_that_mends_it_is_followed() {
    let press = Press::new();
    let good = press.read("content/food/apricots.md");
    let settings = press.read("letterpress.toml");
    let preview = Preview::of(&press);
    let mut events = preview.listen();
    let mut version = events.next().unwrap();
    let mut saved = |path: &str, text: &str| {
        press.write(path, text);
        let next = events.next().unwrap();
        assert_ne!(next, version);
        version = next;
    };
    let health = || {
        let page = Html::read(&preview.page("/_preview/"));
        let links = page
            .all("a")
            .filter(|a| a.attribute("href") == Some("/_preview/#problems"));
        links.map(|a| a.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(health(), ["no problems"]);

    // An article.
    saved(
        "content/food/apricots.md",
        &good.replace("title =", "titel ="),
    );
    assert_ne!(health(), ["no problems"]);
    let overview = preview.page("/_preview/");
    assert!(
        overview.contains("content/food/apricots.md:2"),
        "{overview}"
    );
    assert!(overview.contains("did you mean `title`?"), "{overview}");
    let source = preview.page("/_preview/article/content/food/apricots.md?view=source");
    assert!(
        source.contains("<li id=\"L2\" class=\"is-marked\">"),
        "{source}"
    );
    saved(
        "content/food/apricots.md",
        &good.replace("A bowl of", "Two bowls of"),
    );
    assert_eq!(health(), ["no problems"]);
    assert!(preview.page("/rss.xml").contains("Two bowls of apricots"));

    // A template: a folder that was not there when the preview began.
    saved("templates/pages/article.html", "{% block %}");
    let overview = preview.page("/_preview/");
    assert!(
        overview.contains("templates/pages/article.html:1"),
        "{overview}"
    );
    assert_eq!(
        preview
            .get("/_preview/file/templates/pages/article.html")
            .status,
        200
    );
    assert_eq!(
        preview.get("/food/apricots/").status,
        200,
        "the built-in one stands in"
    );
    saved("templates/pages/article.html", "<p>{{ article.titel }}</p>");
    let page = preview.get("/food/apricots/");
    assert_eq!(page.status, 500);
    assert!(page.text().contains("titel") && page.text().contains("<script data-version="));
    saved(
        "templates/pages/article.html",
        "<p>Mine: {{ article.title }}</p>",
    );
    assert!(preview.page("/food/apricots/").contains("Mine: Two bowls"));

    // The settings: what was there stays in sight.
    saved(
        "letterpress.toml",
        &settings.replace("[content]", "[contents]"),
    );
    let overview = preview.page("/_preview/");
    assert!(
        overview.contains("cannot be read since 08:00"),
        "{overview}"
    );
    assert!(overview.contains("did you mean"), "{overview}");
    assert!(overview.contains("Two bowls of apricots"));
    saved(
        "letterpress.toml",
        &settings.replace("The Garden Table\"", "The Kitchen Table\""),
    );
    assert_eq!(health(), ["no problems"]);
    assert!(preview.page("/_preview/").contains("The Kitchen Table"));
    preview.end(Signal::INT).succeeds();
}

#[test]
fn the_next_issue_is_shown_as_render_writes_it() {
    let press = Press::new();
    press.subscribers(3);
    let rendered = press.run(&["--format", "json", "render", "weekly", "--out", "next"]);
    let rendered = rendered.succeeds().json();
    let preview = Preview::of(&press);
    let letter = preview.page("/_preview/letter/weekly/");
    let html = press.read("next/issue.html");
    let here = |text: &str| {
        let text = text.replace(" href=\"https://garden.example.org/", " href=\"/");
        let text = text.replace(" src=\"https://garden.example.org/", " src=\"/");
        // The file shows the pictures beside it.
        text.replace("\"mail/", "\"/mail/")
            .replace(", mail/", ", /mail/")
    };
    assert_eq!(letter.replace("<base target=\"_blank\">", ""), here(&html));
    let page = preview.page("/_preview/issue/weekly/");
    let subject = rendered["subject"].as_str().unwrap();
    assert!(
        page.contains(subject) && page.contains("Readers 3"),
        "{page}"
    );
    let size = rendered["html_bytes"].as_u64().unwrap() / 1000;
    assert!(page.contains(&format!("HTML {size} kB")), "{page}");
    let text = Html::read(&preview.page("/_preview/issue/weekly/?view=text"));
    let shown: String = text.all("pre").map(|pre| pre.text.clone()).collect();
    assert_eq!(shown, press.read("next/issue.txt"));
    let source = preview.page("/_preview/issue/weekly/?view=source");
    assert!(source.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"));
    for (scheme, rule) in [("dark", "min-width:0"), ("light", "max-width:0")] {
        let letter = preview.page(&format!("/_preview/letter/weekly/?scheme={scheme}"));
        assert!(letter.contains(rule) && !letter.contains("prefers-color-scheme"));
    }
}

#[test]
fn a_preview_answers_to_its_own_name_and_to_questions_only() {
    let press = Press::new();
    let preview = Preview::of(&press);
    let port = preview.home().port().unwrap();
    assert_eq!(preview.home().host_str(), Some("127.0.0.1"));
    let request = |line: &str, headers: &str| {
        let answer = preview.send(&format!("{line} HTTP/1.1\r\n{headers}"));
        assert_eq!(answer.headers["cache-control"], "no-store");
        answer.status
    };
    for (line, headers, status) in [
        ("GET /_preview/", format!("host: localhost:{port}\r\n"), 200),
        ("GET /_preview/", "host: localhost\r\n".to_owned(), 200),
        (
            "GET /_preview/",
            "host: magazine.example.org\r\n".to_owned(),
            421,
        ),
        (
            "GET /rss.xml",
            format!("host: rebound.example.net:{port}\r\n"),
            421,
        ),
        (
            "GET /_preview/events",
            "host: example.org\r\n".to_owned(),
            421,
        ),
        (
            "GET http://example.org/",
            "host: localhost\r\n".to_owned(),
            421,
        ),
        ("GET /_preview/", String::new(), 421),
        (
            "POST /_preview/",
            "host: localhost\r\ncontent-length: 0\r\n".to_owned(),
            405,
        ),
        ("DELETE /rss.xml", "host: localhost\r\n".to_owned(), 405),
        (
            "GET /rss.xml",
            "host: localhost\r\nsec-fetch-site: cross-site\r\nsec-fetch-mode: no-cors\r\n"
                .to_owned(),
            403,
        ),
        (
            "GET /_preview/article/../../letterpress.toml",
            "host: localhost\r\n".to_owned(),
            404,
        ),
        (
            "GET /_preview/article/content/%2e%2e/letterpress.toml",
            "host: localhost\r\n".to_owned(),
            404,
        ),
        (
            "GET /_preview/file/letterpress.toml",
            "host: localhost\r\n".to_owned(),
            404,
        ),
        (
            "GET /_preview/file//etc/passwd",
            "host: localhost\r\n".to_owned(),
            404,
        ),
        (
            "GET /%2e%2e/letterpress.toml",
            "host: localhost\r\n".to_owned(),
            404,
        ),
        (
            "GET /letterpress.toml",
            "host: localhost\r\n".to_owned(),
            404,
        ),
        ("GET /no/such/page/", "host: localhost\r\n".to_owned(), 404),
        ("GET /garden/shade", "host: localhost\r\n".to_owned(), 302),
    ] {
        assert_eq!(request(line, &headers), status, "{line} {headers}");
    }
}

#[test]
fn a_publication_below_a_path_is_previewed_below_it() {
    let press = Press::new();
    press.set("publication.base_url", "https://example.org/mag/");
    let preview = Preview::of(&press);
    assert_eq!(preview.get("/").headers["location"], "/_preview/");
    assert!(preview.page("/mag/").contains("The Garden Table"));
    assert_eq!(preview.get("/mag/rss.xml").status, 200);
    assert_eq!(preview.get("/rss.xml").status, 404);
    for (path, answer) in preview.crawl() {
        assert!(
            matches!(answer.status, 200 | 302),
            "{path}: {}",
            answer.status
        );
    }
}

#[test]
fn a_signal_ends_a_preview_though_pages_are_open() {
    let press = Press::new();
    for signal in [Signal::INT, Signal::TERM] {
        let preview = Preview::of(&press);
        let mut events = preview.listen();
        assert!(events.next().is_some());
        preview.end(signal).succeeds();
        events.end();
    }
}

#[test]
fn a_save_has_only_the_saved_article_read_and_a_look_reads_nothing() {
    let press = Press::new();
    press.write(
        "templates/weekly/note.txt",
        "No template; the folder is there.",
    );
    settle(&press);
    let wrapper = ["strace", "-f", "-qq", "-o", "trace", "-e", "trace=openat"];
    let preview = Preview::under(&wrapper, &press);
    let mut events = preview.listen();
    events.next().unwrap();
    let mut seen = 0;
    let mut opened = || {
        let trace = press.read("trace");
        let new = trace[seen..].to_owned();
        seen = trace.len();
        new
    };
    let first = opened();
    assert!(first.contains("food/apricots.md\""), "{first}");
    assert!(first.contains("/templates\""), "{first}");

    preview.page("/_preview/");
    preview.page("/_preview/issue/");
    let look = opened();
    assert!(
        !look.contains(".md\"") && !look.contains("/templates"),
        "{look}"
    );

    let soup = press.read("content/food/apricots.md");
    press.write(
        "content/food/apricots.md",
        &soup.replace("A bowl", "Two bowls"),
    );
    events.next().unwrap();
    let save = opened();
    let articles = save.lines().filter(|line| line.contains(".md\""));
    // What a section says of itself is small and read each time.
    let articles = articles.filter(|line| !line.contains("/_index.md"));
    for line in articles.clone() {
        assert!(line.contains("food/apricots.md"), "{line}");
    }
    assert!(articles.count() > 0, "{save}");
    assert!(preview.page("/rss.xml").contains("Two bowls of apricots"));
}

#[test]
fn a_port_that_is_taken_is_named_with_a_remedy() {
    let press = Press::new();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    press
        .run(&["preview", "--port", &port])
        .exits(74)
        .says(&format!("error: cannot listen on 127.0.0.1:{port}"))
        .says("hint: another preview may be running; `--port 0` takes any free port");
    press.write("letterpress.toml", "[publication]\n");
    press.run(&["preview", "--port", "0"]).exits(78);
    Press::empty().run(&["preview", "--port", "0"]).exits(66);
}

#[test]
fn the_address_is_data_and_all_else_is_talk() {
    let press = Press::new();
    let mut running = press.spawn(&["--format", "json", "preview", "--port", "0"]);
    running.wait_for_stderr("Ctrl-C ends");
    running.signal(Signal::INT);
    let ended = running.wait();
    let url = ended.succeeds().json()["url"].as_str().unwrap().to_owned();
    assert!(
        url.starts_with("http://127.0.0.1:") && url.ends_with("/_preview/"),
        "{url}"
    );
    ended.says("4 articles, 0 held back; 0 errors, 0 warnings");
}

#[test]
fn a_letter_is_judged_at_its_lines_and_shown_as_clients_and_readers_get_it() {
    let press = Press::new();
    press.write(
        "templates/weekly/issue.html",
        "{% extends \"digest/issue.html\" %}\n{% block masthead %}\n\
         <p>Dear {{ reader.name | fallback(value=\"reader\") }}, <a href=\"/shop/\">shop</a></p>\n\
         <p style=\"color:#888888\">Faint words</p>\n{% endblock masthead %}\n",
    );
    press.write(
        "templates/weekly/issue.txt",
        "{% extends \"digest/issue.txt\" %}\n",
    );
    let preview = Preview::of(&press);
    let page = preview.page("/_preview/issue/weekly/");
    assert!(
        page.contains("the address `&#x2F;shop&#x2F;` is not absolute")
            || page.contains("the address `/shop/` is not absolute"),
        "{page}"
    );
    assert!(page.contains("% of its budget"), "{page}");

    // What somebody wrote leads to its line.
    let template = "/_preview/file/templates/weekly/issue.html";
    assert!(page.contains(&format!("href=\"{template}#L3\"")), "{page}");
    let file = preview.page(template);
    assert!(
        file.contains("<li id=\"L3\" class=\"is-marked\">"),
        "{file}"
    );

    // What came of it leads to the line of the finished letter.
    let markup = "/_preview/issue/weekly/?view=markup";
    let at = page.find(&format!("href=\"{markup}#L")).unwrap();
    let line: String = page[at + markup.len() + 8..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let shown = preview.page(markup);
    let marked = format!("<li id=\"L{line}\" class=\"is-marked\">");
    let (_, rest) = shown.split_once(&marked).unwrap();
    let (code, finding) = rest.split_once("</code>").unwrap();
    assert!(code.contains("Faint words"), "{code}");
    assert!(finding.contains("is #888888 on"), "{finding}");

    // As clients show it, and as readers with other names get it.
    let letter = |query: &str| preview.get(&format!("/_preview/letter/weekly/{query}"));
    assert!(letter("?scheme=forced").text().contains("filter:invert(1)"));
    let off = letter("?scheme=off");
    assert!(!off.headers["content-security-policy"].contains("img-src"));
    assert!(letter("?scheme=light").headers["content-security-policy"].contains("img-src 'self'"));
    for (reader, greeting) in [
        ("named", "Dear Thandi Mokoena,"),
        ("nameless", "Dear reader,"),
        ("long", "Dear Nompumelelo-Elizabeth"),
        ("rtl", "Dear فاطمة"),
    ] {
        let html = letter(&format!("?reader={reader}")).text();
        assert!(html.contains(greeting), "{reader}: {html}");
    }

    // A template that is saved is judged again.
    let mut events = preview.listen();
    events.next().unwrap();
    press.write(
        "templates/weekly/issue.html",
        "{% extends \"digest/issue.html\" %}\n",
    );
    events.next().unwrap();
    let page = preview.page("/_preview/issue/weekly/");
    assert!(!page.contains("is not absolute"), "{page}");
}

#[test]
fn editions_that_readers_chose_can_be_looked_at() {
    let press = Press::new();
    press.write(
        "readers.csv",
        "email,choice\nall@example.org,\nfood@example.org,sections=food\n\
         rain@example.org,tags=first-rain; content=full; language=de\n",
    );
    press
        .run(&["subscribers", "import", "readers.csv"])
        .succeeds();
    let preview = Preview::of(&press);
    let page = preview.page("/_preview/issue/weekly/");
    for link in [
        ">Edition 1: 4 articles<",
        "?edition=1\">Edition 2: 2 articles<",
        "?edition=2\">Edition 3: 1 article, de, full<",
    ] {
        assert!(page.contains(link), "{link} is not in\n{page}");
    }
    let food = preview.page("/_preview/letter/weekly/?edition=1");
    assert!(food.contains("A bowl of apricots") && !food.contains("After the first rain"));
    let rain = preview.page("/_preview/issue/weekly/?edition=2&view=text");
    assert!(rain.contains("After the first rain") && rain.contains("27. November 2026"));
    assert!(!rain.contains("Flatbread"));
    // One that is no more is the last there is.
    assert!(
        preview
            .page("/_preview/issue/weekly/?edition=9&view=text")
            .contains("After the first rain")
    );
}

#[test]
fn messages_of_a_folder_relay_are_an_inbox() {
    let press = Press::new();
    press.subscribe_named([("thandi.mokoena@example.org", "Thandi")]);
    press.run(&["run"]).succeeds();
    press.write("outbox/notes.txt", "No message.");
    let name = press
        .files("outbox")
        .into_iter()
        .find_map(|file| {
            file.strip_prefix("outbox/")
                .filter(|one| one.ends_with(".eml"))
                .map(str::to_owned)
        })
        .unwrap();
    let preview = Preview::of(&press);
    let list = preview.page("/_preview/inbox/");
    let subject = "A bowl of apricots and 3 more";
    for shown in [subject, "The Garden Table", name.as_str(), "27 Nov 2026"] {
        assert!(list.contains(shown), "{shown}: {list}");
    }
    assert!(
        !list.contains("thandi.mokoena@example.org"),
        "addresses are masked"
    );
    assert!(!list.contains("notes.txt"), "{list}");

    let path = format!("/_preview/inbox/{name}");
    assert!(
        preview
            .page(&path)
            .contains(&format!("/_preview/mail/{name}?scheme=light"))
    );
    let text = Html::read(&preview.page(&format!("{path}?view=text")));
    let text: String = text.all("pre").map(|pre| pre.text.clone()).collect();
    assert!(text.contains("Three trees for shade"), "{text}");
    let source = preview.page(&format!("{path}?view=source"));
    assert!(source.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"));
    let letter = preview.get(&format!("/_preview/mail/{name}?scheme=dark"));
    assert!(letter.text().contains(subject));
    assert!(letter.headers["content-security-policy"].contains("sandbox"));
    for other in [
        "notes.txt",
        "none.eml",
        "%2e%2e%2fletterpress.toml",
        "../letterpress.toml",
    ] {
        let answer = preview.get(&format!("/_preview/inbox/{other}"));
        assert_eq!(answer.status, 404, "{other}");
    }

    // Where mail goes to a server there is no inbox.
    press.relay("smtp://127.0.0.1:25?tls=none");
    let preview = Preview::of(&press);
    assert!(!preview.page("/_preview/").contains("/_preview/inbox/"));
    assert_eq!(preview.get("/_preview/inbox/").status, 404);
}

#[test]
fn a_test_is_sent_from_a_page_of_the_preview_and_from_no_other() {
    let press = Press::new();
    let preview = Preview::of(&press);
    let page = Html::read(&preview.page("/_preview/issue/weekly/"));
    let token = page
        .all("input")
        .find(|one| one.attribute("name") == Some("token"))
        .and_then(|one| one.attribute("value"))
        .unwrap()
        .to_owned();
    let form =
        |token: &str, address: &str| format!("token={token}&digest=weekly&kind=&address={address}");
    let good = form(&token, "editor%40example.org");
    let send = |headers: &str, form: &str| preview.post("/_preview/send", headers, form);
    let own = format!(
        "origin: http://{}\r\nsec-fetch-site: same-origin\r\n",
        preview.host()
    );

    // Not from elsewhere, not without the token, not to no address.
    for (headers, form, status) in [
        ("origin: https://example.org\r\n", good.clone(), 403),
        (
            "origin: null\r\nsec-fetch-site: cross-site\r\n",
            good.clone(),
            403,
        ),
        (own.as_str(), form("", "editor%40example.org"), 422),
        (own.as_str(), form("0123", "editor%40example.org"), 422),
        (own.as_str(), form(&token, "nobody"), 422),
        (own.as_str(), format!("{good}{}", "x".repeat(9000)), 413),
    ] {
        assert_eq!(send(headers, &form).status, status, "{headers} {form}");
    }
    assert_eq!(preview.get("/_preview/send").status, 405);
    assert!(!press.path("outbox").exists(), "nothing was sent");

    let sent = send(&own, &good);
    assert_eq!(sent.status, 200, "{}", sent.text());
    assert!(sent.text().contains("The test went to editor@example.org"));
    let name = "test-weekly-1.eml";
    assert!(
        press
            .read(&format!("outbox/{name}"))
            .contains("editor@example.org")
    );
    assert!(preview.page("/_preview/inbox/").contains(name));
    assert!(!press.database().exists(), "the ledger stays as it was");
}
