//! What is to be sent, what is on its way, and what was answered.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::import::answer::Answer;
use crate::import::changed::Changed;
use crate::import::refused::Refused;
use crate::import::rows::{Row, Rows, with_key};
use crate::import::state::State;
use crate::private;

/// Rows of one request at the most: they are held until they are answered.
const MOST_ROWS: usize = 500;

/// Bytes of one request at the most: proxies let 1 MB through.
const MOST_BYTES: usize = 900_000;

/// So far the rows may run ahead of the oldest one that has no answer: what is kept of them is in the state.
const FARTHEST: u64 = 16_384;

struct Open {
    file_line: u64,
    text: Bytes,
    changed: Changed,
}

/// What stands in the file of refused rows.
#[derive(Serialize)]
struct RefusedLine<'a> {
    #[serde(flatten)]
    refused: &'a Refused,
    /// Of the file.
    line: u64,
}

/// One import.
pub(crate) struct Work {
    pub(crate) rows: Rows,
    /// Rows of the file so far, answered or not.
    pub(crate) rows_read: u64,
    at_end: bool,
    /// Of the row that was read last.
    last: u64,
    pub(crate) state: State,
    fingerprint: String,
    refused: Option<File>,
    /// Sent or to be sent, by row.
    open: BTreeMap<u64, Open>,
    /// To be sent again, smallest row last.
    again: Vec<u64>,
    /// Rows by the line of the request that they went out on.
    sent: HashMap<u64, u64>,
    lines: u64,
    pub(crate) bytes_read: u64,
}

impl Work {
    pub(crate) fn new(rows: Rows, state: State, fingerprint: String, refused: Option<&Path>) -> anyhow::Result<Self> {
        let refused = refused.map(|path| reopened(path, state.refused_bytes)).transpose()?;
        Ok(Self {
            rows,
            rows_read: 0,
            at_end: false,
            last: 0,
            state,
            fingerprint,
            refused,
            open: BTreeMap::new(),
            again: Vec::new(),
            sent: HashMap::new(),
            lines: 0,
            bytes_read: 0,
        })
    }

    /// The next request: what has no answer yet is sent again first, in order. Empty: all rows have their answers.
    pub(crate) fn request(&mut self) -> anyhow::Result<Vec<u8>> {
        self.again = self.open.keys().rev().copied().collect();
        self.sent.clear();
        self.lines = 0;
        let mut body = Vec::new();
        while self.sent.len() < MOST_ROWS && self.may_send() {
            let Some(text) = self.next()? else { break };
            if !body.is_empty() && body.len() + text.len() > MOST_BYTES {
                // It is open, and so the first of the next one.
                self.sent.remove(&self.lines);
                self.lines -= 1;
                break;
            }
            body.extend_from_slice(&text);
        }
        Ok(body)
    }

    pub(crate) fn on_their_way(&self) -> usize {
        self.sent.len()
    }

    fn may_send(&self) -> bool {
        let has_room = self.last < self.state.mark() + FARTHEST;
        !self.again.is_empty() || (!self.at_end && has_room)
    }

    /// The next line to send; none where none is left.
    fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        if let Some(row) = self.again.pop() {
            return Ok(self
                .open
                .get(&row)
                .map(|open| open.text.clone())
                .inspect(|_| self.goes_out(row)));
        }
        while !self.at_end {
            let Some(row) = self.rows.next()? else {
                self.at_end = true;
                break;
            };
            self.state.passed(self.last + 1, row.number);
            self.last = row.number;
            self.rows_read += 1;
            self.bytes_read = row.end;
            if self.state.is_answered(row.number) {
                continue;
            }
            match row.body {
                Err(ref refused) => self.refuse_unsent(&row, refused)?,
                Ok(ref body) => {
                    let text = Bytes::from(with_key(body, &self.key(row.number)));
                    self.open.insert(
                        row.number,
                        Open {
                            file_line: row.line,
                            text: text.clone(),
                            changed: row.changed,
                        },
                    );
                    self.goes_out(row.number);
                    return Ok(Some(text));
                }
            }
        }
        Ok(None)
    }

    fn goes_out(&mut self, row: u64) {
        self.lines += 1;
        self.sent.insert(self.lines, row);
    }

    /// The same file's same row has the same key, whoever sends it.
    fn key(&self, row: u64) -> String {
        let hash = Sha256::digest(format!("{}:{row}", self.fingerprint));
        format!("import-{}", HEXLOWER.encode(&hash[..20]))
    }

    /// Notes an answer; whether the row has to go out again later.
    pub(crate) fn answered(&mut self, answer: &Answer) -> anyhow::Result<bool> {
        let Some(row) = self.sent.remove(&answer.line()) else {
            // It speaks of a line that was not read: see `shutting_down`.
            return Ok(answer.is_for_later());
        };
        if answer.is_for_later() {
            return Ok(true);
        }
        let Some(open) = self.open.remove(&row) else {
            return Ok(false);
        };
        answer.count(&mut self.state.tally);
        self.state.tally.changes.note(&open.changed);
        if let Some(refused) = answer.refused() {
            self.write_refused(open.file_line, &refused)?;
        }
        self.state.answered(row);
        Ok(false)
    }

    fn refuse_unsent(&mut self, row: &Row, refused: &Refused) -> anyhow::Result<()> {
        self.state.tally.refuse(&refused.code);
        self.write_refused(row.line, refused)?;
        self.state.answered(row.number);
        Ok(())
    }

    fn write_refused(&mut self, line: u64, refused: &Refused) -> anyhow::Result<()> {
        let line = serde_json::to_string(&RefusedLine { refused, line })? + "\n";
        self.state.refused_bytes += line.len() as u64;
        match &mut self.refused {
            Some(file) => file
                .write_all(line.as_bytes())
                .context("the file of refused rows cannot be written"),
            None => Ok(()),
        }
    }

    /// The refused rows first: the state says how many of them there are.
    pub(crate) fn save(&mut self) -> anyhow::Result<()> {
        if let Some(file) = &mut self.refused {
            file.sync_data().context("the file of refused rows cannot be written")?;
        }
        self.state.save()
    }
}

/// The file as it was when the state was written: what came after is answered again.
fn reopened(path: &Path, length: u64) -> anyhow::Result<File> {
    let open = || -> std::io::Result<File> {
        let mut file = private::open(path)?;
        file.set_len(length)?;
        file.seek(std::io::SeekFrom::End(0))?;
        Ok(file)
    };
    open().with_context(|| format!("{} cannot be written", path.display()))
}
