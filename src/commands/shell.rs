//! `completions` and `man`: made from the command line's own description.

use clap::{Args, Command};
use clap_complete::Shell;

use super::{
    Context,
    exit::{Exit, Failure},
};

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress completions bash > /etc/bash_completion.d/letterpress
  letterpress completions fish > ~/.config/fish/completions/letterpress.fish")]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

/// Print the manual page
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress man > letterpress.1 && man ./letterpress.1")]
pub struct Man {}

/// # Errors
/// When stdout cannot be written.
pub fn completions(
    context: &Context,
    args: &Completions,
    mut command: Command,
) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "letterpress", &mut script);
    context.talk.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// # Errors
/// When stdout cannot be written.
pub fn man(context: &Context, command: Command) -> Result<Exit, Failure> {
    let mut page = Vec::new();
    let mut render = |command: Command| {
        clap_mangen::Man::new(command)
            .render(&mut page)
            .map_err(|error| Failure::of(Exit::Io, &error))
    };
    render(command.clone())?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        render(sub.clone())?;
    }
    context.talk.print(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Done)
}
