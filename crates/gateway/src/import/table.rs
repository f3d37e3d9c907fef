//! A table as spreadsheets write it: records of cells, with the lines of the file where they stand. The `csv` crate takes
//! whatever stands after a lost quote for one cell; here it is a fault that says where the quote was opened.

mod delimiter;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead};

use serde::Serialize;

pub(crate) use delimiter::{Opened, open};

/// Longer than any row that a gateway takes: what is beyond it is passed over, so that memory stays bounded.
const LONGEST: usize = 800 * 1024;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Where it begins, from 1.
    pub(crate) line: u64,
    /// None: it is too long.
    pub(crate) cells: Option<Vec<String>>,
}

/// Why nothing can be read from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    pub(crate) line: u64,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

/// What a record is made of so far.
#[derive(Debug, Default)]
struct Building {
    line: u64,
    text: Vec<u8>,
    /// Where each cell ends in it.
    ends: Vec<usize>,
    is_too_long: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before a cell, or in the blanks before its quote.
    Start,
    Plain,
    Quoted,
    /// After a quote within quotes: their end, or the first of two that stand for one.
    Quote,
    /// In the blanks after quotes.
    After,
}

/// Records, read one at a time.
pub(crate) struct Table<R> {
    input: R,
    /// What was read of it, and how much of that was looked at.
    piece: Vec<u8>,
    looked_at: usize,
    delimiter: u8,
    /// What the input was said to be, for faults.
    encoding: &'static str,
    /// The line that is being read.
    line: u64,
    /// The last byte was a carriage return: a line feed after it ends the same line.
    after_return: bool,
    is_over: bool,
}

impl<R: BufRead> Table<R> {
    pub(crate) fn new(input: R, delimiter: u8, encoding: &'static str) -> Self {
        Self {
            input,
            piece: Vec::new(),
            looked_at: 0,
            delimiter,
            encoding,
            line: 1,
            after_return: false,
            is_over: false,
        }
    }

    /// The next record that is not an empty line; none at the end, and after a fault.
    pub(crate) fn next(&mut self) -> io::Result<Option<Result<Record, Fault>>> {
        if self.is_over {
            return Ok(None);
        }
        let read = self.read();
        if !matches!(read, Ok(Some(Ok(_)))) {
            self.is_over = true;
        }
        read
    }

    /// Whether nothing comes after what was read.
    fn is_at_end(&mut self) -> bool {
        self.looked_at >= self.piece.len() && self.input.fill_buf().is_ok_and(<[u8]>::is_empty)
    }

    fn read(&mut self) -> io::Result<Option<Result<Record, Fault>>> {
        let mut building = Building::default();
        let (mut at, mut opened) = (At::Start, 0);
        loop {
            let Some(byte) = (match self.byte() {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(Some(Err(self.undecodable()))),
                byte => byte?,
            }) else {
                return Ok(match at {
                    At::Quoted => Some(Err(unclosed(opened))),
                    At::Start if building.is_empty() => None,
                    _ => Some(Self::finished(building)),
                });
            };
            let is_end = matches!(byte, b'\r' | b'\n');
            let line = self.line;
            self.count(byte);
            if at == At::Start && building.is_empty() {
                if is_end {
                    continue;
                }
                building.line = line;
            }
            at = match at {
                At::Quoted if byte == b'"' => At::Quote,
                At::Quoted => building.push(byte, At::Quoted),
                At::Quote if byte == b'"' => building.push(byte, At::Quoted),
                _ if is_end => return Ok(Some(Self::finished(building))),
                _ if byte == self.delimiter => building.end_cell(),
                At::Start if byte == b'"' => {
                    opened = line;
                    building.drop_blanks();
                    At::Quoted
                }
                At::Start if byte == b' ' => building.push(byte, At::Start),
                At::Start | At::Plain => building.push(byte, At::Plain),
                At::Quote | At::After if byte == b' ' => At::After,
                At::Quote | At::After => return Ok(Some(Err(misplaced(opened, line)))),
            };
        }
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        if self.looked_at == self.piece.len() {
            let piece = self.input.fill_buf()?;
            self.piece.clear();
            self.piece.extend_from_slice(piece);
            self.input.consume(self.piece.len());
            self.looked_at = 0;
        }
        let byte = self.piece.get(self.looked_at).copied();
        self.looked_at += 1;
        Ok(byte)
    }

    /// Counts the line that this byte ends, if it does.
    fn count(&mut self, byte: u8) {
        let ends = match byte {
            b'\r' => true,
            b'\n' => !self.after_return,
            _ => false,
        };
        self.after_return = byte == b'\r';
        self.line += u64::from(ends);
    }

    fn finished(mut building: Building) -> Result<Record, Fault> {
        building.end_cell();
        let line = building.line;
        if building.is_too_long {
            return Ok(Record { line, cells: None });
        }
        let mut cells = Vec::with_capacity(building.ends.len());
        let mut from = 0;
        // Cell by cell: half a character at the end of one and half at the start of the next would make a whole one.
        for end in building.ends {
            let cell = str::from_utf8(&building.text[from..end]).map_err(|error| {
                let before = &building.text[..from + error.valid_up_to()];
                not_utf8(line + breaks_in(before))
            })?;
            cells.push(cell.to_owned());
            from = end;
        }
        Ok(Record {
            line,
            cells: Some(cells),
        })
    }

    fn undecodable(&self) -> Fault {
        let Self { encoding, line, .. } = self;
        let detail = format!("not {encoding} in line {line}: say what the file is with --encoding");
        Fault::new(*line, "not_decodable", detail)
    }
}

impl Fault {
    fn new(line: u64, code: &'static str, detail: String) -> Self {
        Self { line, code, detail }
    }
}

impl Building {
    /// Whether nothing of the record was read yet.
    fn is_empty(&self) -> bool {
        self.line == 0
    }

    fn push(&mut self, byte: u8, at: At) -> At {
        if self.text.len() < LONGEST {
            self.text.push(byte);
        } else {
            self.is_too_long = true;
        }
        at
    }

    fn end_cell(&mut self) -> At {
        if self.ends.len() < LONGEST {
            self.ends.push(self.text.len());
        } else {
            self.is_too_long = true;
        }
        At::Start
    }

    /// Those before a quote are none of the cell's.
    fn drop_blanks(&mut self) {
        self.text.truncate(self.ends.last().copied().unwrap_or_default());
    }
}

fn breaks_in(text: &[u8]) -> u64 {
    let ends = |at: usize| match text[at] {
        b'\r' => true,
        b'\n' => at == 0 || text[at - 1] != b'\r',
        _ => false,
    };
    (0..text.len()).filter(|at| ends(*at)).count() as u64
}

fn unclosed(opened: u64) -> Fault {
    let detail = format!("the quote opened in line {opened} is never closed");
    Fault::new(opened, "unclosed_quote", detail)
}

/// Most likely a quote was lost, and this one opens another cell.
fn misplaced(opened: u64, line: u64) -> Fault {
    let detail = format!(
        "the quote opened in line {opened} is not closed: the next one, in line {line}, is followed by something else than \
         a delimiter"
    );
    Fault::new(opened, "unclosed_quote", detail)
}

fn not_utf8(line: u64) -> Fault {
    let detail = format!("not UTF-8 in line {line}: save as UTF-8, or say what it is, such as --encoding windows-1252");
    Fault::new(line, "not_utf8", detail)
}
