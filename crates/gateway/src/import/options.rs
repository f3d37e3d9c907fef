//! What an import is told: which file, what it is, by which map it is read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::error::ErrorKind;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use upsert_settings::ImportMap;

use super::rows::{Manner, Rows};
use super::{Format, ImportArguments};
use crate::arguments::wrong;

/// The arguments that say what the rows are.
pub(super) struct Options<'a> {
    arguments: &'a ImportArguments,
    format: Format,
    /// The text of the map, and what it says.
    map: Option<(String, ImportMap)>,
}

impl<'a> Options<'a> {
    /// # Errors
    /// Wrong usage; a map that cannot be read, with every problem in it.
    pub(super) fn of(arguments: &'a ImportArguments) -> anyhow::Result<Self> {
        let format = format_of(arguments)?;
        let map = arguments.map.as_deref().map(read_map).transpose()?;
        Ok(Self { arguments, format, map })
    }

    pub(super) fn is_stdin(&self) -> bool {
        self.arguments.file == "-"
    }

    pub(super) fn rows(&self) -> anyhow::Result<Rows> {
        let file = &self.arguments.file;
        let input: Box<dyn Read> = if self.is_stdin() {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(file).with_context(|| format!("{file} cannot be read"))?)
        };
        let rows = match self.format {
            Format::Ndjson => Rows::ndjson(input, self.arguments.encoding),
            Format::Csv => Rows::csv(
                input,
                Manner {
                    encoding: self.arguments.encoding,
                    delimiter: self.arguments.delimiter,
                    map: self.map.as_ref().map(|(_, map)| map),
                    is_lenient: self.arguments.lenient,
                },
            ),
        };
        rows.with_context(|| format!("{file} cannot be imported"))
    }

    /// Of the file's bytes, and of everything that decides what is made of them; and how long it is.
    pub(super) fn fingerprint(&self) -> anyhow::Result<(String, Option<u64>)> {
        if self.is_stdin() {
            return Ok((of_nothing_before(), None));
        }
        let file = &self.arguments.file;
        let mut input = File::open(file).with_context(|| format!("{file} cannot be read"))?;
        let mut hash = Sha256::new();
        for part in [self.map.as_ref().map_or("", |(text, _)| text), &self.said()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let (mut piece, mut bytes) = (vec![0; 256 * 1024], 0);
        loop {
            let read = input
                .read(&mut piece)
                .with_context(|| format!("{file} cannot be read"))?;
            if read == 0 {
                return Ok((HEXLOWER.encode(&hash.finalize()), Some(bytes)));
            }
            hash.update(&piece[..read]);
            bytes += read as u64;
        }
    }

    /// What was said of the file: a row that is read in another way is another row, with a key of its own.
    fn said(&self) -> String {
        let encoding = self.arguments.encoding.map(encoding_rs::Encoding::name);
        format!("{encoding:?} {:?} {}", self.arguments.delimiter, self.arguments.lenient)
    }
}

fn format_of(arguments: &ImportArguments) -> anyhow::Result<Format> {
    let usage = |text: &str| wrong(ErrorKind::ValueValidation, text);
    let ending = Path::new(&arguments.file)
        .extension()
        .and_then(|ending| ending.to_str());
    let by_name = match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("csv" | "tsv") => Some(Format::Csv),
        Some("ndjson" | "jsonl") => Some(Format::Ndjson),
        _ if arguments.file == "-" => Some(Format::Ndjson),
        _ => None,
    };
    let format = arguments.format.or(by_name);
    let format =
        format.ok_or_else(|| usage("the file's name does not say what it is: --format ndjson or --format csv"))?;
    for (is_given, name) in [
        (arguments.map.is_some(), "--map"),
        (arguments.delimiter.is_some(), "--delimiter"),
    ] {
        if is_given && format == Format::Ndjson {
            return Err(usage(&format!("{name} is for CSV")));
        }
    }
    Ok(format)
}

fn read_map(path: &Path) -> anyhow::Result<(String, ImportMap)> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
    match ImportMap::read(&name, &text) {
        Ok(map) => Ok((text, map)),
        Err(problems) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            bail!("the map cannot be read\n{}", lines.join("\n"))
        }
    }
}

/// What separates columns: one character, or its name where a shell makes it hard to write.
pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [one] if one.is_ascii() && !matches!(one, b'"' | b'\r' | b'\n' | 0) => Ok(*one),
        _ => Err("is not one character, such as , ; | or tab".to_owned()),
    }
}

/// What comes from standard input is an import of its own each time: it cannot be read twice to see what it is.
fn of_nothing_before() -> String {
    let name = tempfile::Builder::new().prefix("import").rand_bytes(24).tempdir();
    name.map_or_else(
        |_| std::process::id().to_string(),
        |folder| folder.path().display().to_string(),
    )
}
