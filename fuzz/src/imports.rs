//! Tables as spreadsheets write them. The reader is a part of the program, which is no library: it is taken in as it stands.

#[path = "../../crates/gateway/src/import"]
mod reader {
    #[expect(dead_code, unused_imports, reason = "the program uses the rest of it")]
    pub(super) mod table;
}

use std::io::{BufRead, BufReader, Cursor};

use reader::table::{Fault, Record, Table, open};

/// The same however it comes in, with each separator; and whatever stands in its header.
pub(crate) fn table(data: &[u8]) {
    for delimiter in *b",;\t|" {
        let whole = records(Cursor::new(data), delimiter);
        let dripping = records(BufReader::with_capacity(1, Cursor::new(data)), delimiter);
        assert_eq!(whole, dripping, "it depends on how it comes in");
    }
    let input: Box<dyn BufRead> = Box::new(Cursor::new(data.to_vec()));
    if let Ok(mut opened) = open(input, "UTF-8", None, &|name| name == "email") {
        assert!(!opened.header.is_empty());
        while let Ok(Some(Ok(_))) = opened.table.next() {}
    }
}

fn records(input: impl BufRead, delimiter: u8) -> Vec<Result<Record, Fault>> {
    let mut table = Table::new(input, delimiter, "UTF-8");
    let mut all = Vec::new();
    while let Ok(Some(record)) = table.next() {
        all.push(record);
    }
    let lines: Vec<u64> = all.iter().flatten().map(|record| record.line).collect();
    assert!(lines.is_sorted(), "{lines:?}");
    all
}
