//! A publication whose every article is out to break a feed.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use chrono::{DateTime, Duration, FixedOffset};
use letterpress::domain::{
    article::{
        Article, ArticleId, Body, Companion, Enclosure, Picture, PictureType, SafeHtml, Slug, Tag,
    },
    collection::{Collection, Section},
    fingerprint::Fingerprint,
    publication::{Author, FeedContent, FeedRules, Logo, Publication, parse_base_url},
    theme::Theme,
};
use letterpress::feed::{Feed, File, Outline, Stream, select};
use url::Url;

/// Everything a feed is made of.
pub(crate) struct World {
    pub(crate) publication: Publication,
    pub(crate) rules: FeedRules,
    pub(crate) collection: Collection,
    pub(crate) bodies: HashMap<ArticleId, Arc<Body>>,
}

impl World {
    /// The three files of `stream`.
    pub(crate) fn files(&self, stream: &Stream) -> [File; 3] {
        self.feed(stream).files().unwrap().try_into().unwrap()
    }

    /// What the files of `stream` say.
    pub(crate) fn feed(&self, stream: &Stream) -> Feed<'_> {
        let articles = select(&self.collection, stream, &self.rules);
        Outline::assemble(
            &self.publication,
            &self.rules,
            &self.collection,
            stream,
            &articles,
        )
        .with_bodies(&self.bodies)
        .unwrap()
    }
}

/// The hostile publication under `base_url`, with whole articles or summaries.
pub(crate) fn world(base_url: &str, content: FeedContent) -> World {
    let base = parse_base_url(base_url).unwrap();
    let articles = articles(&base);
    let bodies = articles
        .iter()
        .map(|(article, body)| (article.id.clone(), Arc::new(body.clone())))
        .collect();
    let food = Section {
        slug: "food".parse().unwrap(),
        title: "Food & <Drink>".to_owned(),
        description: Some("Eat & drink <well>; 5&10 &copy;".to_owned()),
        entries: Some(2),
        language: None,
        podcast: None,
    };
    World {
        publication: publication(base),
        rules: FeedRules {
            entries: 100,
            content,
            hub: Some(Url::parse("https://hub.example.net/?a=1&b=2").unwrap()),
            archive_size: None,
        },
        collection: Collection::new(
            articles.into_iter().map(|(article, _)| article).collect(),
            [food],
            Vec::new(),
        ),
        bodies,
    }
}

fn publication(base: Url) -> Publication {
    let picture = |name: &str, side| Logo {
        url: base.join(name).unwrap(),
        width: side,
        height: side,
    };
    Publication {
        title: "R&D <quarterly> “5&10” &copy;".to_owned(),
        description: "Plain & simple: x<y, &copy; and </b>".to_owned(),
        language: "en-ZA".to_owned(),
        timezone: chrono_tz::Africa::Johannesburg,
        authors: vec![Author::named("The Editors & Friends")],
        id_authority: "Magazine.Example.org,2026".to_owned(),
        logo: Some(picture("logo.png", 144)),
        icon: Some(picture("icon.png", 512)),
        rights: Some("© 2026 Example & Sons".to_owned()),
        base_url: base,
        theme: Theme::default(),
    }
}

/// Titles that readers and validators take for something else, in the order
/// of the feed.
pub(crate) const TITLES: [&str; 12] = [
    "5&10",
    "&copy; is not ©",
    "x<y and y>z",
    "a literal </b> here",
    "]]> and <![CDATA[",
    "“Quotes” – dashes… 'single' \"double\"",
    "Emoji 👩\u{200D}🍳 and 🇿🇦",
    "שלום עולם: مرحبا",
    "A NUL \u{0} and an escape \u{1B}[31m",
    "<b>Bold</b> & <script>alert(1)</script>",
    "&amp;amp; &#x26; &#38; &lt;",
    "Line one\r\nBcc: victim@example.org",
];

fn articles(base: &Url) -> Vec<(Article, Body)> {
    let mut all: Vec<(Article, Body)> = TITLES
        .iter()
        .enumerate()
        .map(|(n, title)| {
            let html = format!("<p>Text of number {n}: AT&amp;T &lt;b&gt;.</p>");
            article(base, n, title, &html, title)
        })
        .collect();
    let odd_bodies = [
        "<p>]]&gt; and <code>]]&gt;</code> ]]></p>".to_owned(),
        String::new(),
        "<p>NUL \u{0}, noncharacter \u{FFFF}, escape \u{1B}.</p>".to_owned(),
        format!("<p>{}</p>", "long &amp; longer ".repeat(12_000)),
    ];
    for (n, html) in odd_bodies.iter().enumerate() {
        let summary = if html.is_empty() { "" } else { "An odd body." };
        all.push(article(base, 20 + n, "An odd body", html, summary));
    }
    let (crowded, _) = &mut all[0];
    crowded.authors = (1..=5).map(crowd_member).collect();
    crowded.tags = (1..=40).map(tag).collect();
    crowded.section = Slug::of("food");
    let (elsewhere, _) = &mut all[1];
    elsewhere.is_elsewhere = true;
    elsewhere.url = Url::parse("https://bücher.example.net/crème brûlée?q=ü|x#fn[1]").unwrap();
    elsewhere.id = ArticleId::new("https://old.example.net/?p=17&lang=en").unwrap();
    all[2].0.section = Slug::of("food");
    all[2].0.hero = Some(hero(base));
    all[3].0.section = Slug::of("food");
    all[3].0.hero = Some(unmeasured_hero());
    all[4].0.enclosure = Some(Box::new(enclosure(base)));
    all[5].0.language = Some("af".to_owned());
    // Its id is its own address: the one guid that is a permalink.
    all[6].0.id = ArticleId::new(all[6].0.url.as_str()).unwrap();
    all
}

fn article(base: &Url, n: usize, title: &str, html: &str, summary: &str) -> (Article, Body) {
    let newest: DateTime<FixedOffset> = "2026-11-26T09:30:15.25+02:00".parse().unwrap();
    let published = newest - Duration::seconds(90_061 * i64::try_from(n).unwrap());
    let updated = if n.is_multiple_of(3) {
        published + Duration::minutes(75)
    } else {
        published
    };
    let slug: Slug = format!("number-{n}").parse().unwrap();
    let article = Article {
        id: ArticleId::new(&format!("tag:magazine.example.org,2026:2026-11-01/{slug}")).unwrap(),
        source: PathBuf::from(format!("content/{slug}.md")),
        url: base.join(&format!("{slug}/")).unwrap(),
        slug,
        is_elsewhere: false,
        section: None,
        kicker: None,
        title: title.to_owned(),
        standfirst: None,
        authors: vec![Author::named("Thandi <Editor> Mokoena & Co")],
        tags: vec![tag(n)],
        hero: None,
        enclosure: None,
        published,
        updated,
        aliases: Vec::new(),
        language: None,
        summary: summary.to_owned(),
        text_hash: [0; 32],
        text: Fingerprint::default(),
    };
    let body = Body {
        html: SafeHtml::from_sanitiser(html.to_owned()),
        summary_html: None,
        text: summary.to_owned(),
    };
    (article, body)
}

fn crowd_member(n: usize) -> Author {
    Author {
        name: format!("Author № {n} O’Neill"),
        email: Some(format!("o'neill{n}@example.com")),
        url: n
            .is_multiple_of(2)
            .then(|| format!("https://example.com/~ö/{n}?a=1&b=2")),
    }
}

fn tag(n: usize) -> Tag {
    Tag {
        slug: format!("tag-{n}").parse().unwrap(),
        label: format!("R&B <{n}> &copy;"),
    }
}

fn hero(base: &Url) -> Picture {
    Picture {
        url: base.join("soup & bread [1].jpg").unwrap(),
        file: None,
        alt: "A bowl of x<y & \"steam\"".to_owned(),
        caption: Some("Soup, &copy; by hand </b>".to_owned()),
        credit: Some("Zoë & Sons".to_owned()),
        width: 1600,
        height: 900,
        bytes: 123_456,
        kind: PictureType::Jpeg,
    }
}

fn unmeasured_hero() -> Picture {
    Picture {
        url: Url::parse("https://pictures.example.net/far.webp?w=1600&h=900").unwrap(),
        file: None,
        alt: "Far away".to_owned(),
        caption: None,
        credit: None,
        width: 0,
        height: 0,
        bytes: 0,
        kind: PictureType::Webp,
    }
}

fn enclosure(base: &Url) -> Enclosure {
    Enclosure {
        url: base.join("talk one.mp3").unwrap(),
        file: None,
        bytes: 7_654_321,
        media_type: "audio/mpeg".to_owned(),
        duration_seconds: Some(1_834),
        transcript: Some(Companion {
            url: base.join("talk & words.vtt").unwrap(),
            file: None,
            media_type: "text/vtt".to_owned(),
        }),
        chapters: None,
        episode: Some(3),
        season: None,
        is_explicit: None,
    }
}
