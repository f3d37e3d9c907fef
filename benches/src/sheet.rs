//! A table with a headline and a sentence, printed as it stands in a document.

use std::fmt::Write as _;

/// A table.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// Its headline.
    pub title: String,
    /// What is to be known before it is read; may be empty.
    pub note: String,
    /// The columns' names; the first is that of what a row is about.
    pub header: Vec<&'static str>,
    /// The rows. Cells that are missing are empty.
    pub rows: Vec<Vec<String>>,
    /// What stands below the rows, such as a plot; may be empty.
    pub below: String,
}

impl Sheet {
    /// An empty one.
    pub fn new(title: impl Into<String>, note: impl Into<String>, header: &[&'static str]) -> Self {
        Self {
            title: title.into(),
            note: note.into(),
            header: header.to_vec(),
            rows: Vec::new(),
            below: String::new(),
        }
    }

    /// Adds a row that says why there are no figures.
    pub fn missing(&mut self, name: &str, reason: &str) {
        self.rows.push(vec![name.to_owned(), format!("not measured: {reason}")]);
    }

    /// Markdown, its columns of even width so that it can be read as it is.
    pub fn markdown(&self) -> String {
        let header: Vec<String> = self.header.iter().map(|&name| name.to_owned()).collect();
        let widths: Vec<usize> = (0..header.len())
            .map(|column| {
                let cells = self.rows.iter().chain([&header]).filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or_default().max(3)
            })
            .collect();
        let mut text = format!("### {}\n\n", self.title);
        if !self.note.is_empty() {
            text.extend([&self.note, "\n\n"]);
        }
        line(&mut text, &widths, &header);
        text.push('|');
        for (column, width) in widths.iter().enumerate() {
            let dashes = "-".repeat(width + 1);
            text.extend(if column == 0 {
                [dashes.as_str(), "-|"]
            } else {
                [dashes.as_str(), ":|"]
            });
        }
        text.push('\n');
        for row in &self.rows {
            line(&mut text, &widths, row);
        }
        if !self.below.is_empty() {
            text.extend(["\n", &self.below]);
        }
        text
    }
}

fn line(text: &mut String, widths: &[usize], cells: &[String]) {
    text.push('|');
    for (column, width) in widths.iter().enumerate() {
        let cell = cells.get(column).map_or("", String::as_str);
        // Writing into a text does not fail.
        let _ = if column == 0 {
            write!(text, " {cell:<width$} |")
        } else {
            write!(text, " {cell:>width$} |")
        };
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_numbers_stand_to_the_right() {
        let mut sheet = Sheet::new("Load", "What it is.", &["what", "× M"]);
        sheet.rows.push(vec!["gateway".to_owned(), "3.50".to_owned()]);
        sheet.missing("node", "no npm");
        let wanted = "### Load\n\nWhat it is.\n\n\
            | what    |                  × M |\n\
            |---------|---------------------:|\n\
            | gateway |                 3.50 |\n\
            | node    | not measured: no npm |\n";
        assert_eq!(sheet.markdown(), wanted);
    }

    #[test]
    fn a_row_that_is_too_short_is_filled() {
        let mut sheet = Sheet::new("T", "", &["a", "b", "c"]);
        sheet.rows.push(vec!["x".to_owned()]);
        assert!(
            sheet.markdown().ends_with("| x   |     |     |\n"),
            "{}",
            sheet.markdown()
        );
    }
}
