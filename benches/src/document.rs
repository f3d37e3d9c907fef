//! `docs/performance.md` and `docs/performance-postgresql.md`, out of their templates and the tables of a run.

use std::fmt::Write as _;

use crate::sheet::Sheet;

/// A page as it is before a run.
#[derive(Debug)]
pub struct Template {
    text: &'static str,
    /// Where it has tables.
    places: &'static [&'static str],
}

/// Everything, on SQLite.
pub const SQLITE: Template = Template {
    text: include_str!("document.template"),
    places: &[
        "summary", "loads", "starts", "imports", "store", "frontier", "overload", "growth",
    ],
};

/// PostgreSQL beside SQLite.
pub const POSTGRESQL: Template = Template {
    text: include_str!("postgresql.template"),
    places: &["stores", "store"],
};

/// What comes into the page.
#[derive(Debug)]
pub struct Page {
    /// Where it comes.
    pub template: Template,
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
        let mut text = self
            .template
            .text
            .replace("@command@", &format!("```sh\n{}\n```", self.command))
            .replace("@pinning@", &self.pinning)
            .replace("@machine@", machine.trim_end());
        for place in self.template.places {
            let sheets = self
                .chapters
                .iter()
                .filter(|(of, _)| of == place)
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
        for template in [SQLITE, POSTGRESQL] {
            let places = template.places.len();
            let page = Page {
                template,
                command: "scripts/bench".to_owned(),
                pinning: "No pinning.".to_owned(),
                machine: vec![("kernel", "Linux".to_owned())],
                chapters: vec![("store", vec![Sheet::new("The store alone", "", &["", "x"])])],
            };
            let text = page.markdown();
            assert!(!text.contains('@'), "{text}");
            assert!(text.contains("| kernel | Linux |") && text.contains("### The store alone"));
            assert_eq!(text.matches("Not measured.").count(), places - 1);
        }
    }
}
