//! `docs/performance.md`, out of its template and the tables of a run.

use std::fmt::Write as _;

use crate::sheet::Sheet;

const TEMPLATE: &str = include_str!("document.template");

/// Where the template has tables.
const PLACES: [&str; 8] = [
    "summary", "loads", "starts", "imports", "store", "frontier", "overload", "growth",
];

/// What comes into the page.
#[derive(Debug, Default)]
pub struct Page {
    /// The command that was run.
    pub command: String,
    /// Which cores the programs had.
    pub pinning: String,
    /// Name and value of what it was measured on.
    pub machine: Vec<(&'static str, String)>,
    /// Each place of the template with its tables.
    pub chapters: Vec<(&'static str, Vec<Sheet>)>,
}

impl Page {
    /// The page. A place without tables says so.
    pub fn markdown(&self) -> String {
        let mut machine = String::from("| | |\n|---|---|\n");
        for (name, value) in &self.machine {
            // Writing into a text does not fail.
            let _ = writeln!(machine, "| {name} | {value} |");
        }
        let mut text = TEMPLATE
            .replace("@command@", &format!("```sh\n{}\n```", self.command))
            .replace("@pinning@", &self.pinning)
            .replace("@machine@", machine.trim_end());
        for place in PLACES {
            let sheets = self
                .chapters
                .iter()
                .filter(|(of, _)| *of == place)
                .flat_map(|(_, sheets)| sheets);
            let tables: Vec<String> = sheets.map(Sheet::markdown).collect();
            let tables = if tables.is_empty() {
                "Not measured.".to_owned()
            } else {
                tables.join("\n")
            };
            text = text.replace(&format!("@{place}@"), tables.trim_end());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_the_template_is_filled_or_says_that_it_is_not() {
        let page = Page {
            command: "scripts/bench".to_owned(),
            pinning: "No pinning.".to_owned(),
            machine: vec![("kernel", "Linux".to_owned())],
            chapters: vec![("store", vec![Sheet::new("The store alone", "", &["", "x"])])],
        };
        let text = page.markdown();
        assert!(!text.contains('@'), "{text}");
        assert!(text.contains("| kernel | Linux |") && text.contains("### The store alone"));
        assert_eq!(text.matches("Not measured.").count(), PLACES.len() - 1);
    }
}
