//! What a shell and its users read: `completions` and `man`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::output;

const COMPLETIONS: &str = "Examples:
  upsert-gateway completions bash > /etc/bash_completion.d/upsert-gateway
  upsert-gateway completions zsh > \"${fpath[1]}/_upsert-gateway\"
  upsert-gateway completions fish > ~/.config/fish/completions/upsert-gateway.fish";

const MAN: &str = "Examples:
  upsert-gateway man | man -l -
  upsert-gateway man --out /usr/local/share/man/man1";

#[derive(Args)]
#[command(after_help = COMPLETIONS)]
pub(crate) struct CompletionsArguments {
    /// For which shell
    shell: Shell,
}

#[derive(Args)]
#[command(after_help = MAN)]
pub(crate) struct ManArguments {
    /// Write the page of every command into this folder, instead of the first page to standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the script.
pub(crate) fn complete(arguments: &CompletionsArguments, mut command: Command) -> anyhow::Result<ExitCode> {
    let (name, mut script) = (command.get_name().to_owned(), Vec::new());
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    said(script)
}

/// Prints a page, or writes them all.
pub(crate) fn man(arguments: &ManArguments, command: Command) -> anyhow::Result<ExitCode> {
    match &arguments.out {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            said(page)
        }
        Some(folder) => {
            let why = || format!("{} cannot be written to", folder.display());
            std::fs::create_dir_all(folder).with_context(why)?;
            clap_mangen::generate_to(command, folder).with_context(why)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn said(text: Vec<u8>) -> anyhow::Result<ExitCode> {
    let text = String::from_utf8(text).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    output::answer(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
