//! `completions` and `man`: made from the command line's own description.

use std::io::{self, Write};

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
    write_page(command, &mut page).map_err(|error| Failure::of(Exit::Io, &error))?;
    context.talk.print(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Done)
}

/// One page: the program itself, then every subcommand with its own help.
fn write_page(mut command: Command, page: &mut Vec<u8>) -> io::Result<()> {
    command.build();
    let program = clap_mangen::Man::new(command.clone()).section("1");
    program.render_title(page)?;
    writeln!(
        page,
        ".SH NAME\nletterpress \\- feeds and email digests from a folder of articles"
    )?;
    writeln!(
        page,
        ".SH SYNOPSIS\n\\fBletterpress\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR"
    )?;
    program.render_description_section(page)?;
    program.render_options_section(page)?;
    writeln!(page, ".SH COMMANDS")?;
    for sub in command.get_subcommands_mut() {
        write_command(sub, page)?;
    }
    writeln!(page, ".SH EXAMPLES AND EXIT CODES")?;
    let closing = command.get_after_help().map(ToString::to_string);
    verbatim(&closing.unwrap_or_default(), page)
}

fn write_command(command: &mut Command, page: &mut Vec<u8>) -> io::Result<()> {
    let subcommands: Vec<_> = command.get_subcommands().cloned().collect();
    let name = command.get_bin_name().unwrap_or_default().to_owned();
    if command.get_name() == "help" {
        return Ok(());
    }
    writeln!(page, ".SS {}", escaped(&name))?;
    // Options that every command has stand at the top of the page already.
    let mut shown = command.clone().mut_args(|arg| {
        let is_everywhere = arg.is_global_set();
        arg.hide(is_everywhere)
    });
    verbatim(&shown.render_help().to_string(), page)?;
    for mut sub in subcommands {
        write_command(&mut sub, page)?;
    }
    Ok(())
}

/// Text as it stands, in lines.
fn verbatim(text: &str, page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".PP\n.nf")?;
    for line in text.trim_end().lines() {
        writeln!(page, "{}", escaped(line))?;
    }
    writeln!(page, ".fi")
}

/// What roff would take for commands, taken for text.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    match line.starts_with(['.', '\'']) {
        true => format!("\\&{line}"),
        false => line,
    }
}
