//! The `letterpress` program.

use std::{
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use letterpress::{cli, commands::exit::Exit};

fn main() -> ExitCode {
    // Memory holds addresses and the relay's password; a core file would keep
    // them. Where the limit cannot be lowered, there is nothing better to do.
    #[cfg(unix)]
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );
    // A file that reaches its size limit must be an error we can report, not
    // the death of the process.
    #[cfg(unix)]
    if let Err(error) = signal_hook::flag::register(
        signal_hook::consts::SIGXFSZ,
        Arc::new(AtomicBool::new(false)),
    ) {
        eprintln!("error: signals cannot be set up\ncaused by: {error}");
        return ExitCode::from(Exit::Internal.code());
    }
    ExitCode::from(cli::run().code())
}
