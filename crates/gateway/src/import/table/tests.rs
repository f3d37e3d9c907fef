use std::io::{Cursor, Read as _};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use proptest::prelude::*;

use super::*;
use crate::import::text::Text;

fn all(text: &[u8], delimiter: u8) -> (Vec<Record>, Option<Fault>) {
    let mut table = Table::new(text, delimiter, "UTF-8");
    let mut records = Vec::new();
    while let Some(read) = table.next().unwrap() {
        match read {
            Ok(record) => records.push(record),
            Err(fault) => {
                assert!(table.next().unwrap().is_none(), "it goes on after a fault");
                return (records, Some(fault));
            }
        }
    }
    (records, None)
}

fn cells(text: &str) -> Vec<(u64, Vec<String>)> {
    let (records, fault) = all(text.as_bytes(), b',');
    assert_eq!(fault, None, "{text:?}");
    records
        .into_iter()
        .map(|record| (record.line, record.cells.unwrap()))
        .collect()
}

#[test]
fn records_have_the_lines_of_the_file() {
    for (text, expected) in [
        ("", vec![]),
        ("\n\n\r\n", vec![]),
        ("a,b", vec![(1, vec!["a", "b"])]),
        ("a,b\n", vec![(1, vec!["a", "b"])]),
        ("a,b\r\n\r\nc,d\r\n", vec![(1, vec!["a", "b"]), (3, vec!["c", "d"])]),
        ("a\rb\r\rc", vec![(1, vec!["a"]), (2, vec!["b"]), (4, vec!["c"])]),
        (
            "\n\na\n\n\"x\ny\r\nz\"\nb",
            vec![(3, vec!["a"]), (5, vec!["x\ny\r\nz"]), (8, vec!["b"])],
        ),
        ("a,\n,b\n", vec![(1, vec!["a", ""]), (2, vec!["", "b"])]),
        (
            "\"\"\n\"\",\"\"\n,",
            vec![(1, vec![""]), (2, vec!["", ""]), (3, vec!["", ""])],
        ),
        (
            "\"a\"\"b\",5\" pipe,x\"y\"",
            vec![(1, vec!["a\"b", "5\" pipe", "x\"y\""])],
        ),
        ("\"a\" , \"b, c\",  d ", vec![(1, vec!["a", "b, c", "  d "])]),
        (" \n", vec![(1, vec![" "])]),
    ] {
        let expected: Vec<(u64, Vec<String>)> = expected
            .into_iter()
            .map(|(line, cells)| (line, cells.into_iter().map(str::to_owned).collect()))
            .collect();
        assert_eq!(cells(text), expected, "{text:?}");
    }
}

#[test]
fn a_lost_quote_is_named_by_the_line_where_it_was_opened_and_nothing_after_it_is_taken() {
    for (text, taken, line) in [
        ("a,b\n\"c,d\ne,f\n", 1, 2),
        ("a,b\n\nc,\"d\ne,f\ng,h", 1, 3),
        ("a,b\n\"c,d\ne,\"Smith, Ann\"\nf,g\n", 1, 2),
        ("a,b\nc,\"d\" x\ne,f\n", 1, 2),
        ("\"", 0, 1),
        ("a,\"b\"\"", 0, 1),
        ("a\r\n\"x\r\ny\",\"z\r\n", 1, 3),
        ("a\r\"b\rc", 1, 2),
        ("a,b\n\"it's \"quoted\" text\",c\nd,e", 1, 2),
        ("a,b\n\"x\" \"y\",c", 1, 2),
    ] {
        let (records, fault) = all(text.as_bytes(), b',');
        let fault = fault.unwrap_or_else(|| panic!("{text:?}"));
        assert_eq!(
            (records.len(), fault.line, fault.code),
            (taken, line, "unclosed_quote"),
            "{text:?}"
        );
        assert!(
            fault.detail.contains(&format!("opened in line {line}")),
            "{}",
            fault.detail
        );
    }
}

#[test]
fn what_is_not_utf8_is_named_by_its_line() {
    for (text, line) in [
        (&b"a,b\nZo\xeb,c\n"[..], 2),
        (b"a,b\n\n\"x\ny\r\nZo\xeb\",c\n", 5),
        (b"\xff", 1),
        (b"ok\nok\n\xe2\x82", 3),
        // A whole character, were it not for the delimiter; cut again at the next one.
        (b"ok\n\xc5,\xa3\n", 2),
        (b"ok\n\"a\n\xe2\",\"\x82\xac\"\n", 3),
    ] {
        let (_, fault) = all(text, b',');
        let fault = fault.unwrap();
        assert_eq!((fault.line, fault.code), (line, "not_utf8"));
        assert!(fault.detail.contains("--encoding windows-1252"), "{}", fault.detail);
    }
}

#[test]
fn a_row_that_is_too_long_is_passed_over_and_the_next_ones_are_read() {
    let text = format!("a,b\n\"{}\n\",x\nc,d\n", "y".repeat(3 * LONGEST));
    let (records, fault) = all(text.as_bytes(), b',');
    let shape: Vec<_> = records
        .iter()
        .map(|record| (record.line, record.cells.is_some()))
        .collect();
    assert_eq!((shape, fault), (vec![(1, true), (2, false), (4, true)], None));
    let (_, fault) = all(format!("a\n\"{}", "y".repeat(3 * LONGEST)).as_bytes(), b',');
    assert_eq!(fault.unwrap().line, 2);
}

fn opened(text: &str, known: &[&str]) -> anyhow::Result<(char, Vec<String>, u64)> {
    let input = Box::new(Cursor::new(text.as_bytes().to_vec()));
    let mut opened = open(input, "UTF-8", None, &|name| known.contains(&name))?;
    let line = opened.table.next()?.map_or(0, |record| record.unwrap().line);
    Ok((opened.delimiter, opened.header, line))
}

#[test]
fn what_separates_the_columns_is_found_from_the_header() {
    for (text, delimiter, columns) in [
        ("email,phone\na,b", ',', 2),
        ("email;phone\na;b", ';', 2),
        ("email\tphone\na\tb", '\t', 2),
        ("email|phone\na|b", '|', 2),
        ("email\na", ',', 1),
        ("email;\"First, Middle, Last\";phone\n", ';', 3),
        ("Name, First;email\na;b", ';', 2),
        ("a,b,c;email;phone;x\n", ';', 4),
        ("\"email\nof work\",phone,x\n", ',', 3),
        ("email,\"a;b;c;d\"\n", ',', 2),
        ("\n\nemail;phone\n", ';', 2),
    ] {
        let (found, header, _) = opened(text, &["email", "phone"]).unwrap();
        assert_eq!((found, header.len()), (delimiter, columns), "{text:?}");
    }
    for text in ["sep=;\na,b;c\n1;2", "SEP=;\r\na,b;c\r\n1;2", "\"sep=;\"\na,b;c\n1;2"] {
        assert_eq!(
            opened(text, &[]).unwrap(),
            (';', vec!["a,b".to_owned(), "c".to_owned()], 3),
            "{text:?}"
        );
    }
    assert_eq!(opened("sep=^\na^b\n1^2", &[]).unwrap().0, '^');
    for text in ["a,b;c", "", "\n\n", "\"a,b", "e\0m\0"] {
        assert!(opened(text, &[]).is_err(), "{text:?}");
    }
}

fn tables() -> impl Strategy<Value = Vec<Vec<String>>> {
    let cell = || "[a-z ,;|\t\"'=0-9\r\n]{0,8}|[äöüßéñ€A-Z]{0,6}";
    (1_usize..5).prop_flat_map(move |columns| {
        let row = prop::collection::vec(cell(), columns);
        let header = prop::collection::vec("[A-Za-z]{1,6}( [a-z]{1,5})?", columns);
        (header, prop::collection::vec(row, 0..8)).prop_map(|(header, mut rows)| {
            rows.insert(0, header);
            rows
        })
    })
}

fn written(table: &[Vec<String>], delimiter: u8, terminator: csv::Terminator, style: csv::QuoteStyle) -> String {
    let mut writer = csv::WriterBuilder::new();
    writer.delimiter(delimiter).terminator(terminator).quote_style(style);
    let mut writer = writer.from_writer(Vec::new());
    for row in table {
        writer.write_record(row).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

fn encoded(text: &str, encoding: &'static Encoding, mark: bool) -> Vec<u8> {
    let mark = if mark { "\u{feff}" } else { "" };
    let text = format!("{mark}{text}");
    match encoding.name() {
        "UTF-16LE" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "UTF-16BE" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        _ => encoding.encode(&text).0.into_owned(),
    }
}

proptest! {
    #[test]
    fn a_table_written_by_a_spreadsheet_is_the_same_table_for_every_delimiter_and_encoding(
        table in tables(),
        delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|']),
        terminator in prop::sample::select(vec![csv::Terminator::CRLF, csv::Terminator::Any(b'\n'), csv::Terminator::Any(b'\r')]),
        style in prop::sample::select(vec![csv::QuoteStyle::Necessary, csv::QuoteStyle::Always, csv::QuoteStyle::NonNumeric]),
        (encoding, mark) in prop::sample::select(vec![(UTF_8, false), (UTF_8, true), (UTF_16LE, true), (UTF_16BE, true), (WINDOWS_1252, false)]),
        says_so in any::<bool>(),
    ) {
        let text = written(&table, delimiter, terminator, style);
        let text = if says_so { format!("sep={}\r\n{text}", char::from(delimiter)) } else { text };
        let bytes = encoded(&text, encoding, mark);
        let said = (encoding == WINDOWS_1252).then_some(encoding);
        let text = Text::open(Box::new(Cursor::new(bytes)), said).unwrap();
        // A header of one column names none.
        let named = (table[0].len() == 1 && !says_so).then_some(delimiter);
        let mut opened = open(text.input, text.encoding.name(), named, &|_| false).unwrap();
        prop_assert_eq!(opened.delimiter, char::from(delimiter));
        let mut read = vec![opened.header];
        while let Some(record) = opened.table.next().unwrap() {
            read.push(record.unwrap().cells.unwrap());
        }
        prop_assert_eq!(read, table);
    }

    #[test]
    fn whatever_stands_there_is_a_record_or_a_fault_and_no_text_is_lost(text in "[a,\"\n\r ;x]{0,60}") {
        let (records, fault) = all(text.as_bytes(), b',');
        let lines: Vec<u64> = records.iter().map(|record| record.line).collect();
        prop_assert!(lines.is_sorted_by(|a, b| a < b), "{lines:?}");
        if fault.is_none() {
            let kept: usize = records.iter().flat_map(|record| record.cells.clone().unwrap()).map(|cell| cell.matches(['a', 'x', ';']).count()).sum();
            prop_assert_eq!(kept, text.matches(['a', 'x', ';']).count());
        } else {
            prop_assert!(text.contains('"'));
        }
    }

    #[test]
    fn pieces_of_any_size_are_the_same_table(table in tables(), size in 1_usize..7) {
        let text = written(&table, b',', csv::Terminator::CRLF, csv::QuoteStyle::Necessary);
        let pieces = std::io::BufReader::with_capacity(size, text.as_bytes());
        let mut in_pieces = Table::new(pieces, b',', "UTF-8");
        let mut records = Vec::new();
        while let Some(record) = in_pieces.next().unwrap() {
            records.push(record.unwrap());
        }
        prop_assert_eq!((records, None), all(text.as_bytes(), b','));
    }
}

#[test]
fn what_cannot_be_decoded_is_a_fault_with_its_line() {
    let bytes = [&b"\xff\xfea\0,\0b\0\n\0c\0"[..], b"\x00\xd8x\0"].concat();
    let mut text = Text::open(Box::new(Cursor::new(bytes)), None).unwrap();
    let mut begin = Vec::new();
    let _ = (&mut text.input).take(3).read_to_end(&mut begin);
    let mut table = Table::new(Cursor::new(begin).chain(text.input), b',', "UTF-16LE");
    assert_eq!(table.next().unwrap().unwrap().unwrap().cells.unwrap(), ["a", "b"]);
    let fault = table.next().unwrap().unwrap().unwrap_err();
    assert_eq!((fault.line, fault.code), (2, "not_decodable"));
}
