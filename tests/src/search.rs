//! Looking for texts in files, byte by byte, in every form that they may have come to stand there in.

use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64URL, HEXLOWER};

/// A text as its bytes may stand somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// How it is written.
    pub how: &'static str,
    text: String,
    /// Whether capitals and small letters are the same.
    is_folded: bool,
}

/// A text in all of its forms.
pub fn forms(text: &str) -> Vec<Form> {
    let folded = |how, text: String| Form {
        how,
        text: text.to_lowercase(),
        is_folded: true,
    };
    let mut forms = vec![
        folded("plain", text.to_owned()),
        folded("escaped for a URL", url(text)),
        folded("escaped in JSON", json(text)),
        folded("escaped in HTML", text.replace('&', "&amp;")),
        folded("in hexadecimal digits", HEXLOWER.encode(text.as_bytes())),
    ];
    for shift in 0..3 {
        let exact = |how, text| Form {
            how,
            text,
            is_folded: false,
        };
        forms.push(exact("in Base64", within(&BASE64, text, shift)));
        forms.push(exact("in Base64 for URLs", within(&BASE64URL, text, shift)));
    }
    forms.dedup_by(|one, other| (&one.text, one.is_folded) == (&other.text, other.is_folded));
    forms
}

fn url(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.push_str(&HEXLOWER.encode(&[byte]));
        }
    }
    escaped
}

fn json(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '/') {
            escaped.push('\\');
        }
        if character.is_ascii() {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            escaped.push_str("\\u");
            escaped.push_str(&HEXLOWER.encode(&unit.to_be_bytes()));
        }
    }
    escaped
}

/// What of its digits does not depend on what stands around it, where it begins so many bytes behind a whole group.
fn within(encoding: &data_encoding::Encoding, text: &str, shift: usize) -> String {
    let mut bytes = vec![0; shift];
    bytes.extend(text.as_bytes());
    let digits = encoding.encode(&bytes);
    digits[(shift * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
}

/// The forms in which any of these texts stands in the bytes: text and form.
pub fn found_in<'t>(bytes: &[u8], texts: &[&'t str]) -> Vec<(&'t str, &'static str)> {
    let exact = String::from_utf8_lossy(bytes);
    let folded = exact.to_lowercase();
    let mut found = Vec::new();
    for text in texts {
        let stands = |form: &Form| {
            let all = if form.is_folded { &folded } else { &*exact };
            all.contains(&form.text)
        };
        found.extend(forms(text).into_iter().filter(stands).map(|form| (*text, form.how)));
    }
    found
}

/// The same for files; one that is not there holds nothing.
///
/// # Panics
/// A file is there and cannot be read.
pub fn found_in_files<'t>(files: &[PathBuf], texts: &[&'t str]) -> Vec<(PathBuf, &'t str, &'static str)> {
    let of_file = |file: &PathBuf| {
        let bytes = if file.exists() {
            std::fs::read(file).expect("the file can be read")
        } else {
            Vec::new()
        };
        let found = found_in(&bytes, texts).into_iter();
        found.map(|(text, how)| (file.clone(), text, how)).collect::<Vec<_>>()
    };
    files.iter().flat_map(of_file).collect()
}

/// A SQLite file and those that belong to it: its log and the index of that.
pub fn files_of(database: &Path) -> Vec<PathBuf> {
    let beside = |suffix: &str| {
        let mut file = database.as_os_str().to_owned();
        file.push(suffix);
        PathBuf::from(file)
    };
    ["", "-wal", "-shm"].map(beside).into()
}
