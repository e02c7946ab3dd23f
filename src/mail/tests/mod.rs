//! Promises of the mail layer, and the small publication they are made about.

mod budget;
mod dkim;
mod kinds;
mod lint;
mod messages;
mod notices;
mod rendering;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mail_parser::{HeaderValue, MessageParser, MimeHeaders};

use super::{
    dkim::Keys,
    rehearsal::{check_templates, full_article, sparse_article},
    *,
};
use crate::{
    config::settings::{
        ListSettings, MailSettings, OnUncertain, PictureWay, Sender, TextLinks, Timeouts,
    },
    domain::{
        address::EmailAddress,
        article::{Article, Body, SafeHtml},
        digest::{Digest, FirstIssue, Shown},
        publication::{Author, Publication},
        schedule::Schedule,
        subscriber::SubscriberId,
    },
    links::{Payload, Purpose, Signer},
    templates::Templates,
};

struct World {
    publication: Publication,
    digest: Digest,
    settings: MailSettings,
    templates: Templates,
    signer: Signer,
    articles: Vec<(Article, Arc<Body>)>,
    shown: Vec<Shown>,
    lead: LeadRule,
}

fn world() -> World {
    let zone = chrono_tz::Africa::Johannesburg;
    World {
        publication: Publication {
            title: "The Long Table".to_owned(),
            description: "A magazine".to_owned(),
            base_url: "https://magazine.example.org/".parse().unwrap(),
            language: "en-ZA".to_owned(),
            timezone: zone,
            authors: vec![Author::named("The editors")],
            id_authority: "magazine.example.org,2026".to_owned(),
            logo: None,
            icon: None,
            rights: None,
            theme: Default::default(),
        },
        digest: Digest {
            name: "weekly".parse().unwrap(),
            title: "The Friday Letter".to_owned(),
            schedule: Schedule::parse("0 7 * * FRI", zone).unwrap(),
            template: "weekly".to_owned(),
            sections: Vec::new(),
            tags: Vec::new(),
            max_articles: 12,
            min_articles: 1,
            first_issue: FirstIssue::Latest,
            max_late: chrono::Duration::hours(24),
            on_uncertain: None,
            content: None,
            language: None,
            subject: Some("{{ issue.lead.title }} and {{ issue.rest | length }} more".to_owned()),
        },
        settings: settings(),
        templates: Templates::load(None).0,
        signer: Signer::new(&[3; 32]),
        articles: vec![full_article(), full_article(), sparse_article()],
        shown: Vec::new(),
        lead: LeadRule::Kept,
    }
}

fn settings() -> MailSettings {
    MailSettings {
        from: Sender {
            name: "The Long Table".to_owned(),
            address: "letters@magazine.example.org".parse().unwrap(),
        },
        reply_to: None,
        relays: Vec::new(),
        hello_name: "localhost".to_owned(),
        expire_after: Duration::from_secs(1),
        relay_patience: Duration::from_secs(1),
        on_uncertain: OnUncertain::Hold,
        idempotency: None,
        timeouts: Timeouts::default(),
        messages_per_connection: 100,
        hard_limit: 1,
        tells_postmark: false,
        dkim: None,
        pictures: PictureWay::default(),
        text_links: TextLinks::default(),
        link_params: Vec::new(),
        size_budget: 90_000,
        answers: Default::default(),
        list: ListSettings {
            id: None,
            postal_address: Some("12 Lower Main Road\nCape Town 7925".to_owned()),
            unsubscribe_address: None,
        },
        bounce_domain: None,
        public_url: Some("https://letters.example.org/".parse().unwrap()),
    }
}

impl World {
    fn render(&self) -> Result<Rendered, RenderError> {
        self.render_with(None)
    }

    fn render_with(&self, keys: Option<&Keys>) -> Result<Rendered, RenderError> {
        let input = IssueInput {
            publication: &self.publication,
            digest: &self.digest,
            sections: &BTreeMap::new(),
            number: 7,
            articles: self
                .articles
                .iter()
                .map(|(a, b)| (a, Arc::clone(b)))
                .collect(),
            shown: self.shown.clone(),
            lead: self.lead,
            has_page: true,
            pictures: &Pictures::default(),
            date: "2026-11-27T07:00:00+02:00".parse().unwrap(),
        };
        render(&input, &self.templates, &self.settings, &self.signer, keys)
    }

    fn message(&self, name: Option<&str>) -> Vec<u8> {
        let address = "thandi@example.org".parse().unwrap();
        let to = addressed(&address, name, 1);
        composer(&self.render().unwrap().edition)
            .message(&to, &self.signer)
            .unwrap()
            .to_bytes()
    }

    fn with_template(self, text: &str) -> Self {
        self.with_templates("letter", text, text)
    }

    fn with_templates(mut self, kind: &str, html: &str, text: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("templates").join(kind);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("issue.html"), html).unwrap();
        std::fs::write(folder.join("issue.txt"), text).unwrap();
        let (templates, problems) = Templates::load(Some(&root.path().join("templates")));
        assert_eq!(problems, []);
        self.templates = templates;
        self.digest.template = kind.to_owned();
        self
    }
}

/// Makes unsigned messages.
fn composer(edition: &Edition) -> Composer {
    Composer::new(edition.clone(), None).unwrap()
}

fn addressed<'a>(address: &'a EmailAddress, name: Option<&'a str>, id: i64) -> Addressed<'a> {
    Addressed {
        issue: 1,
        delivery: id,
        issue_number: 7,
        subscriber: SubscriberId([u8::try_from(id).unwrap(); 16]),
        address,
        name,
    }
}

fn header(message: &[u8], name: &str) -> String {
    let parsed = MessageParser::default().parse(message).unwrap();
    parsed.header_raw(name).unwrap().trim().to_owned()
}

/// Header and body as lines.
fn lines(message: &[u8]) -> (Vec<String>, Vec<String>) {
    let text = String::from_utf8(message.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let split = |part: &str| part.split("\r\n").map(str::to_owned).collect();
    (split(head), split(body))
}
