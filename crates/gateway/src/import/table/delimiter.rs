//! What separates the cells of a table, found from its header.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Cursor, Read};

use anyhow::{Context as _, bail};

use super::{Fault, Record, Table};

/// In the order in which they are tried.
const USUAL: [u8; 4] = [b',', b';', b'\t', b'|'];

/// So far a header may go.
const FARTHEST: u64 = 1024 * 1024;
const PIECE: u64 = 16 * 1024;

/// A table whose header was read.
pub(crate) struct Opened {
    pub(crate) table: Table<Box<dyn BufRead>>,
    pub(crate) header: Vec<String>,
    pub(crate) delimiter: char,
}

/// Reads the header. `said`: what separates the cells, if that is known. `is_known`: whether a column of this name is
/// expected.
///
/// # Errors
/// There is no header, it is not text, or nothing says what separates its cells.
pub(crate) fn open(
    mut input: Box<dyn BufRead>,
    encoding: &'static str,
    said: Option<u8>,
    is_known: &dyn Fn(&str) -> bool,
) -> anyhow::Result<Opened> {
    let mut begin = Vec::new();
    loop {
        let before = begin.len();
        match (&mut input).take(PIECE).read_to_end(&mut begin) {
            // What comes before it may be enough; if not, the table says so.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
            read => drop(read?),
        }
        let is_all = begin.len() == before || begin.len() as u64 >= FARTHEST;
        if is_all || header_ends(&begin, said) {
            break;
        }
    }
    let (named, said_in_file) = separator_line(&begin);
    let delimiter = match said.or(said_in_file) {
        Some(delimiter) => delimiter,
        None => found(&begin, encoding, is_known)?,
    };
    let input: Box<dyn BufRead> = Box::new(Cursor::new(begin).chain(input));
    let mut table = Table::new(input, delimiter, encoding);
    if named {
        table.next()?;
    }
    let header = header(&mut table)?;
    Ok(Opened {
        table,
        header,
        delimiter: char::from(delimiter),
    })
}

fn header<R: BufRead>(table: &mut Table<R>) -> anyhow::Result<Vec<String>> {
    let record: Option<Result<Record, Fault>> = table.next()?;
    let record = record.context("the file is empty: its first line is to name the columns")?;
    let record = record.map_err(|fault| anyhow::anyhow!("{}", fault.detail))?;
    let header = record.cells.context("the first line is too long to name columns")?;
    if header.iter().any(|name| name.contains('\0')) {
        bail!(
            "line {}: this looks like UTF-16 without its mark: --encoding utf-16le (or utf-16be)",
            record.line
        );
    }
    Ok(header)
}

/// Whether the line that names the columns is all there, whatever separates them.
fn header_ends(begin: &[u8], said: Option<u8>) -> bool {
    let (named, _) = separator_line(begin);
    let candidates = said.map_or(USUAL.to_vec(), |said| vec![said]);
    candidates.into_iter().all(|delimiter| {
        let mut table = Table::new(begin, delimiter, "UTF-8");
        let mut ended = || matches!(table.next(), Ok(Some(_))) && !table.is_at_end();
        ended() && (!named || ended())
    })
}

/// Whether the first line is one such as `sep=;`, which spreadsheets write and read, and what it says.
fn separator_line(begin: &[u8]) -> (bool, Option<u8>) {
    let line = begin
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .next()
        .unwrap_or_default();
    let line = line
        .strip_prefix(b"\"")
        .map_or(line, |line| line.strip_suffix(b"\"").unwrap_or(line));
    match line {
        [s, e, p, b'=', delimiter] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") && delimiter.is_ascii() => {
            (true, Some(*delimiter))
        }
        _ => (false, None),
    }
}

/// The one that gives the most columns that are expected, and of those the most columns.
fn found(begin: &[u8], encoding: &'static str, is_known: &dyn Fn(&str) -> bool) -> anyhow::Result<u8> {
    let judged = USUAL.into_iter().filter_map(|delimiter| {
        let record = Table::new(begin, delimiter, encoding).next().ok()??.ok()?;
        let cells: Vec<String> = record.cells?;
        let known: BTreeSet<&str> = cells
            .iter()
            .map(|name| name.trim())
            .filter(|name| is_known(name))
            .collect();
        Some(((known.len(), cells.len()), delimiter))
    });
    let judged: Vec<_> = judged.collect();
    let best = judged.iter().map(|(score, _)| *score).max();
    let mut winners = judged.iter().filter(|(score, _)| Some(*score) == best);
    match (winners.next(), winners.next(), best) {
        (Some((_, one)), None, _) => Ok(*one),
        // No header at all, or one that no delimiter can read: the table says what is wrong with it.
        (None, ..) | (.., Some((_, 1))) => Ok(USUAL[0]),
        _ => bail!("the first line does not tell what separates the columns: --delimiter says it"),
    }
}
