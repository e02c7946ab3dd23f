//! What a DKIM signature costs a message, beside the bare signature of the
//! cryptographic library in the same run.
//!
//! `cargo bench --bench signing`; about a minute, no network, no files but a
//! temporary folder. Prints figures and ratios; `cpu` is processor time of one
//! thread for one message, and `ratio` says it in bare signatures of that key.

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    hint::black_box,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{Ed25519KeyPair, RSA_PKCS1_SHA256},
};
use letterpress::{
    commands::freezing,
    config::Config,
    content::{self, Source},
    domain::{
        issue::{History, IssuePlan},
        subscriber::SubscriberId,
    },
    links::Signer,
    mail::{
        Addressed, Composer, Edition,
        dkim::{Key, Keys},
    },
    templates::Templates,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long one measurement takes; all are repeated in turns, so that what
/// else the machine does falls on all of them alike.
const SPAN: Duration = Duration::from_millis(400);
const ROUNDS: usize = 9;
/// Whole messages as they are sent, in bytes.
const SIZES: [(&str, usize); 2] = [("5 KB", 5_000), ("40 KB", 40_000)];

/// Something to do again and again.
struct Work {
    name: String,
    /// The row whose time its ratio is of.
    base: Option<usize>,
    run: Box<dyn Fn(u64) + Sync>,
}

fn main() -> Result<()> {
    let works = works()?;
    let mut cpu: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let mut rates: BTreeMap<(usize, usize), Vec<f64>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for (index, work) in works.iter().enumerate() {
            for threads in [1, 2] {
                let (rate, nanoseconds) = measure(work, threads);
                rates.entry((index, threads)).or_default().push(rate);
                if threads == 1 {
                    cpu.entry(index).or_default().push(nanoseconds);
                }
            }
        }
    }
    println!(
        "{:<32}{:>12}{:>12}{:>12}{:>8}",
        "", "1 thread/s", "2 threads/s", "cpu µs", "ratio"
    );
    for (index, work) in works.iter().enumerate() {
        let micros = median(&cpu[&index]) / 1000.0;
        let ratio = work.base.map_or(1.0, |base| {
            let turns = cpu[&index]
                .iter()
                .zip(&cpu[&base])
                .map(|(one, bare)| one / bare);
            median(&turns.collect::<Vec<_>>())
        });
        println!(
            "{:<32}{:>12.0}{:>12.0}{micros:>12.1}{ratio:>8.2}",
            work.name,
            median(&rates[&(index, 1)]),
            median(&rates[&(index, 2)]),
        );
    }
    Ok(())
}

/// The bare signatures first; the messages refer to them.
fn works() -> Result<Vec<Work>> {
    let hash = digest(&SHA256, b"the header of a message");
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let ed25519 = Ed25519KeyPair::generate()?;
    let mut works = vec![
        Work {
            name: "bare RSA-2048 signature".to_owned(),
            base: None,
            run: Box::new(move |_| {
                let mut signature = [0; 256];
                rsa.sign_digest(&RSA_PKCS1_SHA256, &hash, &mut signature)
                    .expect("a sound key signs");
                black_box(signature);
            }),
        },
        Work {
            name: "bare Ed25519 signature".to_owned(),
            base: None,
            run: Box::new(move |_| {
                black_box(ed25519.sign(hash.as_ref()));
            }),
        },
    ];
    let folder = tempfile::tempdir()?;
    for (size_name, size) in SIZES {
        for (keys_name, kinds, base) in [
            ("RSA-2048", &["rsa"][..], 0),
            ("Ed25519", &["ed25519"], 1),
            ("both", &["rsa", "ed25519"], 0),
            ("unsigned", &[], 0),
        ] {
            let composer = composer(folder.path(), size, kinds)?;
            let signer = Signer::new(&[7; 32]);
            works.push(Work {
                name: format!("{size_name} message, {keys_name}"),
                base: Some(base),
                run: Box::new(move |number| {
                    let address = "thandi.mokoena@example.org".parse().expect("an address");
                    let to = Addressed {
                        issue: 1,
                        delivery: i64::try_from(number).expect("few messages"),
                        issue_number: 1,
                        subscriber: SubscriberId([7; 16]),
                        address: &address,
                        name: Some("Thandi Mokoena"),
                    };
                    let message = composer.message(&to, &signer).expect("a sound key signs");
                    black_box(message);
                }),
            });
        }
    }
    Ok(works)
}

/// Messages per second over all threads, and processor time of one of them
/// per message in nanoseconds.
fn measure(work: &Work, threads: usize) -> (f64, f64) {
    let (done, spent) = (AtomicU64::new(0), AtomicU64::new(0));
    let start = Barrier::new(threads);
    let before = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                start.wait();
                let begun = Instant::now();
                let cpu = thread_time();
                let mut number = 0;
                while begun.elapsed() < SPAN {
                    for _ in 0..8 {
                        number += 1;
                        (work.run)(number);
                    }
                }
                spent.fetch_add(thread_time() - cpu, Ordering::Relaxed);
                done.fetch_add(number, Ordering::Relaxed);
            });
        }
    });
    let elapsed = before.elapsed().as_secs_f64();
    let done = done.into_inner() as f64;
    (done / elapsed, spent.into_inner() as f64 / done)
}

/// Nanoseconds that this thread has been on a processor.
fn thread_time() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("this runs on Linux");
    let first = stat.split_whitespace().next();
    first
        .and_then(|text| text.parse().ok())
        .expect("a number of nanoseconds")
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// What makes messages of about `size` bytes, signed with new keys.
fn composer(folder: &Path, size: usize, kinds: &[&str]) -> Result<Composer> {
    let root = tempfile::tempdir_in(folder)?;
    let mut text = SETTINGS.to_owned();
    for (prefix, kind) in ["", "second_"].iter().zip(kinds) {
        let (_, pem) = match *kind {
            "rsa" => Key::new_rsa(KeySize::Rsa2048)?,
            _ => Key::new_ed25519()?,
        };
        let file = root.path().join(format!("{kind}.pem"));
        fs::write(&file, pem.as_bytes())?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        if prefix.is_empty() {
            text.push_str("[mail.dkim]\n");
        }
        text.push_str(&format!(
            "{prefix}selector = \"{kind}\"\n{prefix}key_file = \"{kind}.pem\"\n"
        ));
    }
    fs::write(root.path().join("letterpress.toml"), text)?;
    for (name, text) in [("issue.html", HTML), ("issue.txt", TEXT)] {
        let file = root.path().join("templates/bare").join(name);
        fs::create_dir_all(root.path().join("templates/bare"))?;
        fs::write(file, text)?;
    }
    let (config, _) = Config::load(&root.path().join("letterpress.toml"))?;
    let dkim = config.mail.as_ref().and_then(|mail| mail.dkim.as_ref());
    let keys = dkim.map(Keys::load).transpose()?;
    // A few words more or less until the message has its size.
    let mut words = size / 20;
    loop {
        let edition = edition(&config, words, keys.as_ref())?;
        let lacking = size as f64 / edition.shared_bytes() as f64;
        if (lacking - 1.0).abs() < 0.02 {
            return Ok(Composer::new(edition, keys.as_ref())?);
        }
        words = ((words as f64) * lacking) as usize + 1;
    }
}

fn edition(config: &Config, words: usize, keys: Option<&Keys>) -> Result<Edition> {
    fs::create_dir_all(config.root.join("content"))?;
    let paragraphs: Vec<String> = (0..words.div_ceil(60))
        .map(|paragraph| {
            let count = 60.min(words - paragraph * 60);
            (0..count)
                .map(|word| ["bread", "is", "baked", "über", "coals", "at"][word % 6])
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let article = format!(
        "+++\ntitle = \"Bread\"\ndate = 2026-11-26\n+++\n\n{}\n",
        paragraphs.join("\n\n")
    );
    fs::write(config.root.join("content/bread.md"), article)?;
    let now = "2026-11-27T05:00:00Z".parse()?;
    let loaded = content::load(
        &Source {
            root: &config.root,
            dir: &config.content_dir,
            publication: &config.publication,
            rules: &config.content,
            now,
            remembered: &[],
            cache: &content::Cache::default(),
            since: now,
            is_surveyed: false,
        },
        &|_, _| {},
    )?;
    let (templates, _) = Templates::load(Some(&config.root.join("templates")));
    let digest = config.digests.first().ok_or("no digest")?;
    let plan = IssuePlan::make(digest, &loaded.collection, &History::default(), None, now);
    let signer = Signer::new(&[7; 32]);
    let (rendered, _) = freezing::render(config, &loaded, &templates, digest, &plan, &signer, keys)
        .map_err(|failure| failure.to_string())?;
    Ok(rendered.edition)
}

const SETTINGS: &str = r#"
[publication]
title = "The Long Table"
base_url = "https://magazine.example.org/"
id_authority = "magazine.example.org,2026"

[[digest]]
name = "weekly"
schedule = "0 7 * * FRI"
template = "bare"
subject = "{{ issue.lead.title }}"

[serve]
public_url = "https://letters.example.org/"

[mail]
from = "The Long Table <letters@magazine.example.org>"
relay = "folder:outbox"
"#;

/// Readers differ near the end of each part, as in the templates of the program.
const HTML: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ issue.subject }}</title></head>
<body>{% for article in issue.articles %}<h1>{{ article.title }}</h1>{{ article.html }}{% endfor %}
<p>For {{ reader.address }}. <a href="{{ reader.unsubscribe_url }}">Unsubscribe</a></p></body></html>
"#;
const TEXT: &str = "{% for article in issue.articles %}{{ article.title }}

{{ article.text }}{% endfor %}
For {{ reader.address }}. Unsubscribe: {{ reader.unsubscribe_url }}
";
