//! The bytes of an export: rows of cells in the system's own way of writing them.

use encoding_rs::WINDOWS_1252;
use rand::Rng as _;
use rand::rngs::StdRng;

use super::systems::{Encoding, System};

pub(super) struct File {
    system: &'static System,
    text: String,
    /// Lines that were ended so far.
    lines: u64,
    chance: StdRng,
}

impl File {
    pub(super) fn new(system: &'static System, header: &[String], chance: StdRng) -> Self {
        let mut file = Self {
            system,
            text: String::new(),
            lines: 0,
            chance,
        };
        if system.says_delimiter {
            file.put(&format!("sep={}{}", system.delimiter, system.line_end));
        }
        file.row(header);
        file
    }

    /// The line that is written next, from 1, as an editor counts.
    pub(super) fn line(&self) -> u64 {
        1 + self.lines
    }

    pub(super) fn blank_line(&mut self) {
        self.put(self.system.line_end);
    }

    pub(super) fn row(&mut self, cells: &[String]) {
        let cells: Vec<String> = cells.iter().map(|cell| self.written(cell)).collect();
        let delimiter = self.system.delimiter.to_string();
        self.put(&(cells.join(&delimiter) + self.system.line_end));
    }

    fn put(&mut self, text: &str) {
        self.lines += text.replace("\r\n", "\n").matches(['\n', '\r']).count() as u64;
        self.text.push_str(text);
    }

    /// In quotes where it has to be, and sometimes where it need not.
    fn written(&mut self, cell: &str) -> String {
        let must = cell.contains([self.system.delimiter, '\n', '\r']) || cell.starts_with([' ', '"']);
        let may =
            self.system.quotes_all || cell.contains('"') && !cell.starts_with('=') || self.chance.random_ratio(1, 20);
        if must || may {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.to_owned()
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let marked = format!("\u{feff}{}", self.text);
        match self.system.encoding {
            Encoding::Utf8 => self.text.clone().into_bytes(),
            Encoding::Utf8WithMark => marked.into_bytes(),
            Encoding::Utf16Le => marked.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Encoding::Utf16Be => marked.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Encoding::Windows1252 => {
                let (bytes, _, has_others) = WINDOWS_1252.encode(&self.text);
                assert!(
                    !has_others,
                    "{} writes what its encoding does not have",
                    self.system.name
                );
                bytes.into_owned()
            }
        }
    }
}
