//! The next issue of a digest: as readers of mail see it, as text, as the
//! message itself, and why each article is in or out.

use serde::Serialize;

use super::{
    super::{
        super::{
            exit::Failure,
            freezing,
            illustrations::{FOLDER, Illustrations},
        },
        frames::{self, Scheme},
        press::Press,
        proof::Proof,
        routes::HOME,
        ui::{self, Finding, Place, address, size},
    },
    Fact, Tab,
    article::Frame,
    code::{self, Language, Line},
    overview::{Next, plan},
};
use crate::{
    commands::workspace::SAMPLE_KEY,
    domain::{
        digest::Digest,
        issue::{Choice, IssuePlan},
        problem::Problem,
    },
    links::Signer,
    mail::Rendered,
    web::{Answer, Asked, Trust},
};

/// Gmail cuts off what is longer.
const CLIPPED_AT: usize = 102_400;

#[derive(Serialize)]
struct View {
    title: String,
    next: Next,
    tabs: Vec<Tab>,
    sender: Option<String>,
    facts: Vec<Fact>,
    findings: Vec<Finding>,
    frame: Option<Frame>,
    text: Option<String>,
    lines: Vec<Line>,
    taken: Vec<Listed>,
    left: Vec<Left>,
    is_plan: bool,
    /// How full a message is that Gmail shows whole, in per cent.
    full: Option<usize>,
}

/// An article that the plan speaks of.
#[derive(Serialize)]
struct Listed {
    title: String,
    url: Option<String>,
}

/// Articles that are out for one reason.
#[derive(Serialize)]
struct Left {
    reason: String,
    articles: Vec<Listed>,
    /// How many more.
    more: usize,
}

#[derive(Serialize)]
struct All {
    issues: Vec<Next>,
}

/// Of more articles that are out for one reason only the newest are shown.
const MOST_LEFT: usize = 20;

/// The page of a digest, or the list of digests.
pub(in super::super) fn show(proof: &Proof, name: &str, asked: &Asked) -> Answer {
    let press = &proof.press;
    let name = name.trim_end_matches('/');
    if name.is_empty() {
        let digests = press.config.digests.iter();
        let all = All {
            issues: digests.map(|digest| Next::of(press, digest)).collect(),
        };
        return ui::page(proof, "issues.html", (Some(Place::Issues), "Issues"), &all);
    }
    let Some(digest) = press.config.digest(name) else {
        return ui::not_here(proof, "letterpress.toml has no digest of this name");
    };
    let (plan, _) = plan(press, digest);
    let wanted = asked.value("view");
    let way = wanted.as_deref().unwrap_or("html");
    let here = format!("{HOME}issue/{name}/");
    let (taken, left) = choices(press, &plan);
    let mut view = View {
        title: digest.title.clone(),
        next: Next::of(press, digest),
        tabs: tabs(&here, way),
        sender: None,
        facts: Vec::new(),
        findings: Vec::new(),
        frame: None,
        text: None,
        lines: Vec::new(),
        taken,
        left,
        is_plan: way == "plan",
        full: None,
    };
    if let Err(failure) = freezing::signing_keys(&press.config) {
        let problem = failure.problem("letterpress.toml".as_ref());
        view.findings = Finding::all(proof, [&problem]);
    }
    if !plan.articles.is_empty() {
        match render(press, digest, &plan) {
            Ok((rendered, illustrations)) => {
                let found = Finding::all(proof, &illustrations.warnings);
                view.findings.extend(found);
                fill(&mut view, press, &rendered, (way, &here), name, asked);
            }
            Err(failure) => {
                let problem = failure.problem("templates".as_ref());
                let found = Finding::all(proof, [&known(proof, problem)]);
                view.findings.extend(found);
            }
        }
    }
    let title = format!("Issue {} of {}", plan.number, view.title);
    ui::page(proof, "issue.html", (Some(Place::Issues), &title), &view)
}

/// The finding that says the same with file and line, if there is one.
fn known(proof: &Proof, problem: Problem) -> Problem {
    let same = proof.problems.iter().find(|known| {
        let place = known.line.map_or_else(
            || known.file.display().to_string(),
            |line| format!("{}:{line}", known.file.display()),
        );
        problem.what.contains(&place) && problem.what.contains(&known.what)
    });
    same.cloned().unwrap_or(problem)
}

fn tabs(here: &str, way: &str) -> Vec<Tab> {
    let tab = |label, word: &str, query: &str| Tab {
        label,
        url: format!("{here}{query}"),
        is_here: word == way,
    };
    vec![
        tab("As HTML", "html", ""),
        tab("As text", "text", "?view=text"),
        tab("Source", "source", "?view=source"),
        tab("Plan", "plan", "?view=plan"),
    ]
}

fn fill(
    view: &mut View,
    press: &Press,
    rendered: &Rendered,
    (way, here): (&str, &str),
    name: &str,
    asked: &Asked,
) {
    let html = rendered.html.len();
    view.full = Some(html * 100 / CLIPPED_AT);
    view.facts = vec![
        Fact::of("HTML", size(html)),
        Fact::of("Text", size(rendered.text.len())),
        Fact::of("Whole message", size(rendered.eml.len())),
    ];
    let known = press
        .config
        .digest(name)
        .and_then(|digest| press.known.get(&digest.name));
    view.facts
        .extend(known.map(|known| Fact::of("Readers", known.readers.to_string())));
    view.sender = press.config.mail.as_ref().map(|mail| {
        let from = &mail.from;
        match from.name.is_empty() {
            true => from.address.expose().to_owned(),
            false => from.name.clone(),
        }
    });
    match way {
        "text" => view.text = Some(rendered.text.clone()),
        "source" => {
            let source = String::from_utf8_lossy(&rendered.eml);
            view.lines = code::lines(&source, Language::Plain);
        }
        "plan" => {}
        _ => {
            let letter = format!("{HOME}letter/{name}/");
            view.frame = Some(Frame::of(&letter, &format!("{here}?"), asked));
        }
    }
}

fn choices(press: &Press, plan: &IssuePlan<'_>) -> (Vec<Listed>, Vec<Left>) {
    let mut taken = Vec::new();
    let mut left: Vec<Left> = Vec::new();
    let collection = &press.loaded.collection;
    let held = |title: &str| {
        let mut held = collection.held_back().iter();
        held.find(|held| held.title == title)
            .map(|held| &held.source)
    };
    for one in &plan.considered {
        let article = one.id.as_ref().and_then(|id| collection.get(id));
        let source = article
            .map(|article| &article.source)
            .or_else(|| held(&one.title));
        let choice = Listed {
            title: one.title.clone(),
            url: source.map(|source| address("article", source)),
        };
        if one.choice == Choice::In {
            taken.push(choice);
            continue;
        }
        let reason = one.choice.reason();
        let at = left.iter().position(|left| left.reason == reason);
        let at = at.unwrap_or_else(|| {
            left.push(Left {
                reason,
                articles: Vec::new(),
                more: 0,
            });
            left.len() - 1
        });
        if left[at].articles.len() < MOST_LEFT {
            left[at].articles.push(choice);
        } else {
            left[at].more += 1;
        }
    }
    (taken, left)
}

fn render(
    press: &Press,
    digest: &Digest,
    plan: &IssuePlan<'_>,
) -> Result<(Rendered, Illustrations), Failure> {
    let known = press.known.get(&digest.name);
    let key = known.map_or(&SAMPLE_KEY, |known| &known.install_key);
    let signer = Signer::new(key);
    let Press {
        config,
        loaded,
        templates,
        ..
    } = press;
    // Where the key is not, the message can be looked at without a signature.
    let keys = freezing::signing_keys(config).ok().flatten();
    freezing::render(
        config,
        loaded,
        templates,
        digest,
        plan,
        &signer,
        keys.as_ref(),
    )
}

/// The HTML part of the next issue, for a frame.
pub(in super::super) fn letter(proof: &Proof, name: &str, asked: &Asked) -> Answer {
    let press = &proof.press;
    let Some(digest) = press.config.digest(name.trim_end_matches('/')) else {
        return ui::not_here(proof, "letterpress.toml has no digest of this name");
    };
    let (plan, _) = plan(press, digest);
    let (rendered, illustrations) = match render(press, digest, &plan) {
        Ok(drawn) => drawn,
        Err(failure) => {
            let text = format!("{failure}\n");
            let plain = "text/plain; charset=utf-8";
            return Answer::of(plain, Trust::Letter, text).status(500);
        }
    };
    let base_url = &press.config.publication.base_url;
    let folder = format!("{}{FOLDER}/", base_url.path());
    let html = illustrations.at(&folder, &rendered.html, base_url);
    let mut html = frames::local(&html, base_url);
    press.keep_illustrations(illustrations);
    let scheme = asked.value("scheme");
    if let Some(scheme) = scheme.as_deref().and_then(Scheme::from_word) {
        html = frames::in_scheme(&html, scheme);
    }
    let html = frames::opening_elsewhere(&html);
    Answer::of("text/html; charset=utf-8", Trust::Letter, html)
}
