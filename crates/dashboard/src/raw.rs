//! What somebody sent, for reading.

use serde::de::IgnoredAny;

/// Lines are indented by so many steps at the most: what is deep and long would become much longer than it came.
const DEEPEST: usize = 12;

/// Laid out for reading, if it is JSON: only white space differs from what was sent, so that a number stays as it came and
/// members stay where they stood.
pub(crate) fn laid_out(text: &str) -> String {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return text.to_owned();
    }
    let mut page = Page::default();
    let (mut is_quoted, mut is_escaped) = (false, false);
    for letter in text.chars() {
        if is_quoted {
            page.text.push(letter);
            is_quoted = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
        } else if !letter.is_ascii_whitespace() {
            is_quoted = letter == '"';
            page.put(letter);
        }
    }
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
    depth: usize,
}

impl Page {
    fn put(&mut self, letter: char) {
        match letter {
            '{' | '[' => {
                self.text.push(letter);
                self.depth += 1;
                self.line();
            }
            '}' | ']' => {
                self.depth -= 1;
                let is_empty = self.text.trim_end().ends_with(if letter == '}' { '{' } else { '[' });
                self.text.truncate(self.text.trim_end().len());
                if !is_empty {
                    self.line();
                }
                self.text.push(letter);
            }
            ',' => {
                self.text.push(letter);
                self.line();
            }
            ':' => self.text.push_str(": "),
            other => self.text.push(other),
        }
    }

    fn line(&mut self) {
        self.text.push('\n');
        self.text.push_str(&"  ".repeat(self.depth.min(DEEPEST)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_differs_from_what_was_sent() {
        let text = r#"{"z" :12345678901234567890.10,"a":["x\\", "b{\"[,: ", [ ],{}],"n":null}"#;
        let read = laid_out(text);
        let wanted = concat!(
            "{\n  \"z\": 12345678901234567890.10,\n  \"a\": [\n    \"x\\\\\",\n    \"b{\\\"[,: \",\n    [],\n    {}\n  ],\n",
            "  \"n\": null\n}"
        );
        assert_eq!(read, wanted);
        assert_eq!(laid_out("mail=ann@example.com"), "mail=ann@example.com");
        assert_eq!(laid_out(" 1 "), "1");
    }
}
