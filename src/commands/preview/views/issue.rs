//! The next issue of a digest: as readers of mail see it, as text, as the
//! message itself, and why each article is in or out.

use serde::Serialize;

use super::{
    super::{
        super::{
            editions,
            exit::Failure,
            freezing,
            illustrations::{FOLDER, Illustrations},
            linting::{self, Linting},
            notices::Drawing,
            talk::count,
        },
        frames,
        press::Press,
        proof::Proof,
        reader::{SampleReader, html_for},
        routes::HOME,
        ui::{self, Finding, Place, address, size},
    },
    Fact, Tab,
    article::Frame,
    code::{self, Language, Line},
    inbox::looked_at,
    overview::{Next, plan},
};
use crate::{
    commands::workspace::SAMPLE_KEY,
    domain::{
        choice::{Variant, Variants},
        digest::{Digest, Shown},
        issue::{Choice, IssuePlan},
        problem::Problem,
    },
    links::Signer,
    mail::{Notice, Rendered, lint::CLIPPED_AT},
    web::{Answer, Asked, Trust},
};

#[derive(Serialize)]
struct View {
    title: String,
    next: Next,
    tabs: Vec<Tab>,
    /// The same in another kind, and the notices.
    kinds: Vec<KindTab>,
    /// What readers' choices come to, where that is more than one edition.
    editions: Vec<KindTab>,
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
    /// How full its budget is, in per cent.
    budget: Option<usize>,
    /// Who gets it.
    readers: Vec<KindTab>,
    /// What a test is sent of: digest and kind.
    test: Option<(String, String)>,
}

/// A kind of message to look at.
#[derive(Serialize)]
struct KindTab {
    label: String,
    url: String,
    is_here: bool,
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
    let mut kind = Kind::asked(press, digest, asked);
    let found = variants(press, digest, &plan);
    kind.edition = kind.edition.min(found.variants.len() - 1);
    let here = format!("{HOME}issue/{name}/");
    let (taken, left) = choices(press, &plan);
    let mut view = View {
        title: digest.title.clone(),
        next: Next::of(press, digest),
        tabs: tabs(&here, way, &kind),
        kinds: kind.tabs(press, digest, &here),
        editions: kind.editions(&found, &here),
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
        budget: None,
        readers: Vec::new(),
        test: None,
    };
    if let Err(failure) = freezing::signing_keys(&press.config) {
        let problem = failure.problem("letterpress.toml".as_ref());
        view.findings = Finding::all(proof, [&problem]);
    }
    if !plan.articles.is_empty() || kind.notice().is_some() {
        match drawn(press, digest, &plan, &kind) {
            Ok((rendered, illustrations)) => {
                let found = Finding::all(proof, &illustrations.warnings);
                view.findings.extend(found);
                let problems = linted(press, digest, &plan, &kind, &rendered);
                let here = format!("{here}?{}", kind.query());
                fill(
                    &mut view,
                    press,
                    &rendered,
                    (way, &here),
                    (name, &kind),
                    asked,
                );
                tell(&mut view, proof, (way, &here), name, problems);
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

/// What of an issue is looked at.
#[derive(Clone)]
struct Kind {
    /// Another kind than the digest's own.
    other: Option<String>,
    /// Which of its editions; 0 is the whole issue.
    edition: usize,
}

impl Kind {
    fn asked(press: &Press, digest: &Digest, asked: &Asked) -> Self {
        let is_known =
            |kind: &String| press.templates.has_kind(kind) || Notice::from_name(kind).is_some();
        let is_other = |kind: &String| *kind != digest.template;
        let edition = asked
            .value("edition")
            .and_then(|edition| edition.parse().ok());
        Self {
            other: asked.value("kind").filter(is_known).filter(is_other),
            edition: edition.unwrap_or(0),
        }
    }

    /// The editions that readers' choices come to, where there are several.
    fn editions(&self, found: &Variants, here: &str) -> Vec<KindTab> {
        if found.variants.len() < 2 {
            return Vec::new();
        }
        let tab = |(at, variant): (usize, &Variant)| {
            let look = Self {
                edition: at,
                ..self.clone()
            };
            let url = format!("{here}?{}", look.query());
            KindTab {
                label: edition_label(at, variant),
                url: url.trim_end_matches(['?', '&']).to_owned(),
                is_here: at == self.edition,
            }
        };
        found.variants.iter().enumerate().map(tab).collect()
    }

    fn notice(&self) -> Option<Notice> {
        self.other.as_deref().and_then(Notice::from_name)
    }

    /// What addresses say of it, before what they say of other things.
    fn query(&self) -> String {
        let kind = self.other.as_ref().map(|kind| format!("kind={kind}&"));
        let edition = (self.edition > 0).then(|| format!("edition={}&", self.edition));
        kind.into_iter().chain(edition).collect()
    }

    /// The digest's own kind first.
    fn tabs(&self, press: &Press, digest: &Digest, here: &str) -> Vec<KindTab> {
        let others = press.templates.kinds().into_iter();
        let others = others.filter(|kind| *kind != digest.template);
        let notices = Notice::ALL.map(|notice| notice.name().to_owned());
        let own = KindTab {
            label: digest.template.clone(),
            url: here.to_owned(),
            is_here: self.other.is_none(),
        };
        let all = others.chain(notices).map(|kind| KindTab {
            url: format!("{here}?kind={kind}"),
            is_here: self.other.as_ref() == Some(&kind),
            label: kind,
        });
        std::iter::once(own).chain(all).collect()
    }
}

fn tabs(here: &str, way: &str, kind: &Kind) -> Vec<Tab> {
    let query = kind.query();
    let tab = |label, word: &str, view: &str| {
        let query = format!("{query}{view}");
        let query = query.trim_end_matches('&');
        let mark = if query.is_empty() { "" } else { "?" };
        Tab {
            label,
            url: format!("{here}{mark}{query}"),
            is_here: word == way,
        }
    };
    vec![
        tab("As HTML", "html", ""),
        tab("As text", "text", "view=text"),
        tab("Its HTML", "markup", "view=markup"),
        tab("Source", "source", "view=source"),
        tab("Plan", "plan", "view=plan"),
    ]
}

fn fill(
    view: &mut View,
    press: &Press,
    rendered: &Rendered,
    (way, here): (&str, &str),
    (name, kind): (&str, &Kind),
    asked: &Asked,
) {
    let html = rendered.html.len();
    view.full = Some(html * 100 / CLIPPED_AT);
    let settings = press.config.mail.as_ref();
    view.budget = settings.map(|mail| html * 100 / mail.size_budget);
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
        "markup" => view.lines = code::lines(&rendered.html, Language::Xml),
        "plan" => {}
        _ => {
            let reader = SampleReader::from_word(asked.value("reader").as_deref());
            view.readers = readers(here, reader);
            // A test carries the whole issue.
            if kind.notice().is_none() && kind.edition == 0 {
                let other = kind.other.clone().unwrap_or_default();
                view.test = Some((name.to_owned(), other));
            }
            let query = match reader {
                SampleReader::Named => kind.query(),
                other => format!("{}reader={}", kind.query(), other.word()),
            };
            let letter = format!("{HOME}letter/{name}/?{query}");
            let letter = letter.trim_end_matches(['?', '&']);
            view.frame = Some(Frame::of_letter(letter, here, asked));
        }
    }
}

fn readers(here: &str, reader: SampleReader) -> Vec<KindTab> {
    let tab = |one: SampleReader| KindTab {
        label: one.label().to_owned(),
        url: format!("{here}reader={}", one.word()),
        is_here: one == reader,
    };
    SampleReader::ALL.map(tab).into()
}

/// What the lint says of the letter, or the notice, in this kind.
fn linted(
    press: &Press,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    kind: &Kind,
    rendered: &Rendered,
) -> Vec<Problem> {
    let Press { config, loaded, .. } = press;
    if let Some(notice) = kind.notice() {
        let linting = Linting {
            config,
            loaded,
            digest,
            sources: Vec::new(),
            stem: notice.name(),
        };
        return linting.notice_problems(rendered);
    }
    let mut problems = freezing::linted(config, loaded, digest, plan, rendered);
    problems.extend(freezing::shortened(rendered));
    problems
}

/// Puts findings about the finished letter below its lines, where these are
/// shown, and names the others above.
fn tell(
    view: &mut View,
    proof: &Proof,
    (way, here): (&str, &str),
    name: &str,
    problems: Vec<Problem>,
) {
    let parts = [("html", "markup"), ("txt", "text"), ("eml", "source")];
    for problem in problems {
        let mut finding = Finding::of(proof, &problem);
        let part = parts
            .iter()
            .find(|(end, _)| linting::is_rendered(&problem.file, name, end));
        if let Some((_, view)) = part {
            let line = problem
                .line
                .map(|line| format!("#L{line}"))
                .unwrap_or_default();
            finding = finding.read_at(format!("{here}view={view}{line}"));
        }
        let is_here = part.is_some_and(|(_, view)| *view == way);
        let left = match is_here {
            true => code::mark(&mut view.lines, problem.line, finding),
            false => Some(finding),
        };
        view.findings.extend(left);
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

/// The editions that readers' choices come to, the whole issue first.
fn variants(press: &Press, digest: &Digest, plan: &IssuePlan<'_>) -> Variants {
    let Press {
        config,
        loaded,
        templates,
        ..
    } = press;
    let known = press.known.get(&digest.name);
    let chosen = known.map(|known| known.chosen.as_slice());
    let choices = chosen
        .unwrap_or_default()
        .iter()
        .map(|chosen| &chosen.choice);
    editions::variants(config, loaded, templates, digest, plan, choices)
}

fn edition_label(at: usize, variant: &Variant) -> String {
    let mut label = format!(
        "Edition {}: {}",
        at + 1,
        count(variant.articles.len(), "article")
    );
    let extras = [
        variant.language.as_deref(),
        variant.content.map(Shown::as_str),
    ];
    for extra in extras.into_iter().flatten() {
        label.push_str(", ");
        label.push_str(extra);
    }
    label
}

/// The next issue, or a notice, in this kind and edition.
fn drawn(
    press: &Press,
    digest: &Digest,
    plan: &IssuePlan<'_>,
    kind: &Kind,
) -> Result<(Rendered, Illustrations), Failure> {
    let found = variants(press, digest, plan);
    let at = kind.edition.min(found.variants.len() - 1);
    let (digest, plan) = editions::narrowed(digest, plan, &found.variants[at]);
    let (digest, plan) = (&digest, &plan);
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
    if let Some(notice) = kind.notice() {
        let drawing = Drawing {
            language: None,
            config,
            templates,
            signer: &signer,
            keys: keys.as_ref(),
            now: press.now,
        };
        return drawing.draw(notice, digest);
    }
    let in_kind = Digest {
        template: kind.other.clone().unwrap_or(digest.template.clone()),
        ..digest.clone()
    };
    freezing::render(
        config,
        loaded,
        templates,
        &in_kind,
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
    let kind = Kind::asked(press, digest, asked);
    let (rendered, illustrations) = match drawn(press, digest, &plan, &kind) {
        Ok(drawn) => drawn,
        Err(failure) => {
            let text = format!("{failure}\n");
            let plain = "text/plain; charset=utf-8";
            return Answer::of(plain, Trust::Letter, text).status(500);
        }
    };
    let base_url = &press.config.publication.base_url;
    let folder = format!("{}{FOLDER}/", base_url.path());
    let reader = SampleReader::from_word(asked.value("reader").as_deref());
    let html = html_for(reader, press, digest, plan.number, &rendered);
    let html = illustrations.at(&folder, &html, base_url);
    let html = frames::local(&html, base_url);
    press.keep_illustrations(illustrations);
    let look = asked.value("scheme").unwrap_or_default();
    looked_at(html, &look)
}
