//! The command line: one tree of subcommands, parsed, run and reported.

use std::{path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};
use clap::{ArgAction, CommandFactory, Parser, Subcommand};

use crate::commands::{
    Clock, Context, add, bounces, build, check, dkim, doctor,
    exit::{Exit, Failure},
    init, issues, plan, preview, render, run, send, serve, shell, status, store, subscribers,
    talk::{Format, Talk, Volume},
    uncertain, why, work,
};

/// Turns a folder of articles into feeds and into email digests that reach
/// every reader once.
#[derive(Debug, Parser)]
#[command(
    name = "letterpress",
    version,
    propagate_version = true,
    after_help = "\
Begin with:
  letterpress init magazine && cd magazine && letterpress run

Everyday:
  letterpress check          what is wrong, by file and line
  letterpress preview        feeds, articles and the next issue in a browser
  letterpress plan           what goes out next, when, to how many, and why
  letterpress run            in cron: build, freeze what is due, deliver

Exit codes: 0 done · 2 usage · 3 uncertain deliveries held · 4 issue paused ·
65 bad input · 66 input missing · 69 database away · 70 internal · 74 disk ·
75 temporary · 76 relay broke the protocol · 77 refused · 78 configuration"
)]
pub struct Cli {
    /// The configuration file [default: the nearest letterpress.toml upwards]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The clock to use instead of now, such as 2026-11-27T08:00:00+02:00
    #[arg(long, global = true, value_name = "RFC3339", value_parser = moment)]
    at: Option<DateTime<Utc>>,
    /// The form of what reading commands print
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Say only what a person must know
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say everything, also when nobody is looking
    #[arg(short, long, global = true, action = ArgAction::SetTrue)]
    verbose: bool,
    /// Colours in help and messages
    #[arg(long, global = true, value_enum, default_value_t = clap::ColorChoice::Auto)]
    color: clap::ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    New(add::New),
    Check(check::Check),
    Build(build::Build),
    Preview(preview::Preview),
    Plan(plan::Plan),
    Render(render::Render),
    Send(send::Send),
    Run(run::Run),
    Serve(serve::Serve),
    Work(work::Work),
    Issues(issues::Issues),
    Status(status::Status),
    Why(why::Why),
    Uncertain(uncertain::Uncertain),
    Subscribers(subscribers::Subscribers),
    Bounces(bounces::Bounces),
    Dkim(dkim::Dkim),
    Doctor(doctor::Doctor),
    Store(store::Store),
    Completions(shell::Completions),
    Man(shell::Man),
}

/// How long the program waits at its end for what nobody needs any more.
const LAST_MOMENT: Duration = Duration::from_secs(2);

fn moment(raw: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(raw)
        .map(|at| at.to_utc())
        .map_err(|error| format!("{error}; write it like 2026-11-27T08:00:00+02:00"))
}

impl Cli {
    fn context(&self) -> Context {
        let volume = match (self.quiet, self.verbose) {
            (true, _) => Volume::Quiet,
            (false, true) => Volume::Verbose,
            (false, false) => Volume::Usual,
        };
        let talk = Talk::new(self.format, volume);
        Context {
            config: self.config.clone(),
            clock: Clock::new(Utc::now, self.at),
            talk: match self.command {
                Command::Run(_) | Command::Work(_) => talk.for_cron(),
                _ => talk,
            },
        }
    }

    async fn execute(&self, context: &Context) -> Result<Exit, Failure> {
        match &self.command {
            Command::Init(args) => init::run(context, args),
            Command::New(args) => add::run(context, args),
            Command::Check(args) => check::run(context, args).await,
            Command::Build(args) => build::run(context, args).await,
            Command::Preview(args) => preview::run(context, args).await,
            Command::Plan(args) => plan::run(context, args).await,
            Command::Render(args) => render::run(context, args).await,
            Command::Send(args) => send::run(context, args).await,
            Command::Run(args) => run::run(context, args).await,
            Command::Serve(args) => serve::run(context, args).await,
            Command::Work(args) => work::run(context, args).await,
            Command::Issues(args) => issues::run(context, args).await,
            Command::Status(args) => status::run(context, args).await,
            Command::Why(args) => why::run(context, args).await,
            Command::Uncertain(args) => uncertain::run(context, args).await,
            Command::Subscribers(args) => subscribers::run(context, args).await,
            Command::Bounces(args) => bounces::run(context, args).await,
            Command::Dkim(args) => dkim::run(context, args),
            Command::Doctor(args) => doctor::run(context, args).await,
            Command::Store(args) => store::run(context, args).await,
            Command::Completions(args) => shell::completions(context, args, Self::command()),
            Command::Man(_) => shell::man(context, Self::command()),
        }
    }
}

/// Parses the command line, runs the command and reports a failure once.
#[must_use]
pub fn run() -> Exit {
    let cli = Cli::parse();
    match cli.color {
        clap::ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
        clap::ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
        clap::ColorChoice::Auto => {}
    }
    let context = cli.context();
    let result = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::of(Exit::Internal, &error))
        .and_then(|runtime| {
            let result = runtime.block_on(cli.execute(&context));
            // A name that is still being looked up holds nobody up.
            runtime.shutdown_timeout(LAST_MOMENT);
            result
        });
    result.unwrap_or_else(|failure| {
        context.talk.must_say(&failure);
        failure.exit
    })
}
