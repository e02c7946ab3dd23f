//! The `letterpress` program.

use std::{
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use letterpress::{cli, commands::exit::Exit};

fn main() -> ExitCode {
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
