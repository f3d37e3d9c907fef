//! What the documents promise of themselves: that they are short where they should be, that their links lead somewhere, and
//! that their lists are whole.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// As many characters as the README may have.
const LONGEST_README: usize = 10_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text_of(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Every file of the project, but for what builds and runs leave behind and what git keeps for itself.
fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let left_out = [".git", "target", "data"].iter().any(|name| path.ends_with(name));
            match (left_out, path.is_dir()) {
                (true, _) => {}
                (false, true) => folders.push(path),
                (false, false) => files.push(path),
            }
        }
    }
    files.sort();
    files
}

fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

fn documents() -> Vec<PathBuf> {
    files().into_iter().filter(|path| is_document(path)).collect()
}

/// The lines that are not inside a fence.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// A paragraph without what stands between backticks: that is code and no link.
fn without_code(paragraph: &str) -> String {
    paragraph.split('`').step_by(2).collect()
}

/// Where the links and images of a document lead.
fn targets(text: &str) -> Vec<String> {
    let whole: Vec<&str> = prose(text).collect();
    let whole: Vec<String> = whole.join("\n").split("\n\n").map(without_code).collect();
    let whole = whole.join("\n");
    let after = whole.split("](").skip(1);
    after.map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

fn headings(text: &str) -> Vec<&str> {
    let marks = |line: &&str| line.starts_with('#') && line.trim_start_matches('#').starts_with(' ');
    let headings = prose(text).filter(marks);
    headings.map(|line| line.trim_start_matches('#').trim()).collect()
}

/// What a heading is called in an address, as GitHub does it.
fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let kept = heading.to_lowercase().chars().filter(kept).collect::<String>();
    kept.replace(' ', "-")
}

fn anchors(text: &str) -> BTreeSet<String> {
    let explicit = text.split("<a id=\"").skip(1);
    let explicit = explicit.map(|rest| rest.split('"').next().unwrap().to_owned());
    headings(text).into_iter().map(slug).chain(explicit).collect()
}

/// What is wrong with a link of a document; nothing if it leads out of the project.
fn broken(document: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let aim = if path.is_empty() {
        document.to_owned()
    } else {
        document.parent().unwrap().join(path)
    };
    if !aim.exists() {
        return Some(format!("{}: {target} leads to no file", document.display()));
    }
    if anchor.is_empty() || anchors(&fs::read_to_string(aim).unwrap()).contains(anchor) {
        return None;
    }
    Some(format!("{}: {target} leads to no heading", document.display()))
}

#[test]
fn the_readme_is_short() {
    let length = text_of("README.md").chars().count();
    assert!(
        length <= LONGEST_README,
        "README.md has {length} characters; the details belong into docs/"
    );
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading_that_exist() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let targets = targets(&text);
        seen += targets.len();
        wrong.extend(targets.iter().filter_map(|target| broken(&document, target)));
    }
    assert!(seen > 150, "only {seen} links were found: they are not read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let text = "`[code](a)` [one](b.md) `two\n[lines](a)` ![two](c.png)\n```\n[code](d)\n```\n[`three`](#errors)";
    assert_eq!(targets(text), ["b.md", "c.png", "#errors"]);
    let anchors = anchors("# One, two\n## `errors[]`\n```\n# code\n```\n<a id=\"three\"></a>");
    let expected = ["errors", "one-two", "three"].map(str::to_owned);
    assert_eq!(anchors, BTreeSet::from(expected));
    let readme = root().join("README.md");
    assert_eq!(broken(&readme, "docs/api.md#upsert"), None);
    assert_eq!(broken(&readme, "#limits"), None);
    assert_eq!(broken(&readme, "https://example.com/none"), None);
    for target in ["docs/none.md", "docs/api.md#none", "#none"] {
        assert!(broken(&readme, target).is_some(), "{target}");
    }
}

/// The lines that a merge leaves where it could not decide.
fn merge_markers(text: &str) -> Vec<usize> {
    let marks = ["<", "|", ">"].map(|mark| format!("{} ", mark.repeat(7)));
    let middle = "=".repeat(7);
    let is_mark = |line: &str| line == middle || marks.iter().any(|mark| line.starts_with(mark.as_str()));
    let lines = text.lines().zip(1..);
    lines
        .filter(|(line, _)| is_mark(line))
        .map(|(_, number)| number)
        .collect()
}

#[test]
fn no_file_has_a_merge_marker() {
    let mut read = 0;
    for path in files() {
        // What is no text has no lines.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        read += 1;
        let markers = merge_markers(&text);
        assert!(markers.is_empty(), "{} has merge markers: {markers:?}", path.display());
    }
    assert!(read > 500, "only {read} files were read");
}

#[test]
fn a_merge_marker_is_found() {
    let [ours, base, middle, theirs] = ["<", "|", "=", ">"].map(|mark| mark.repeat(7));
    let text = format!("a\n{ours} HEAD\nb\n{base} base\nc\n{middle}\nd\n{theirs} other\n{middle}=\n a {ours}\n");
    assert_eq!(merge_markers(&text), [2, 4, 6, 8]);
}

#[test]
fn no_document_has_a_heading_twice() {
    for document in documents() {
        // A changelog repeats its headings for every version.
        if document.ends_with("CHANGELOG.md") {
            continue;
        }
        let text = fs::read_to_string(&document).unwrap();
        let mut seen = BTreeSet::new();
        for heading in headings(&text) {
            assert!(seen.insert(heading), "{}: `{heading}` stands twice", document.display());
        }
    }
}

#[test]
fn every_page_of_docs_is_linked_from_the_readme() {
    let linked = targets(&text_of("README.md"));
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        let link = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        assert!(
            !is_document(&path) || linked.contains(&link),
            "README.md has no link to {link}"
        );
    }
}

#[test]
fn every_alert_has_a_row_that_says_what_to_do_and_every_row_is_an_alert() {
    let rules: serde_json::Value = serde_saphyr::from_str(&text_of("deploy/prometheus/alerts.yml")).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    let of = |rule: &serde_json::Value| {
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (text(&rule["alert"]), text(&rule["labels"]["severity"]))
    };
    let alerts: BTreeSet<(String, String)> = rules.iter().map(of).collect();
    assert_eq!(alerts.len(), rules.len());
    let page = text_of("docs/operations.md");
    let rows = page.lines().filter(|line| line.starts_with("| `UpsertGateway"));
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert!(
            cells[3].len() > 20 && cells[4].len() > 20,
            "meaning and what to do: {row}"
        );
        (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
    });
    assert_eq!(rows.collect::<BTreeSet<_>>(), alerts);
}

#[test]
fn every_dependency_has_one_row_and_every_row_is_a_dependency() {
    let manifest: toml_edit::DocumentMut = text_of("Cargo.toml").parse().unwrap();
    let dependencies = manifest["workspace"]["dependencies"].as_table().unwrap();
    let theirs = dependencies.iter().map(|(name, _)| (name.to_owned(), 1));
    let theirs: BTreeMap<String, usize> = theirs.filter(|(name, _)| !name.starts_with("upsert-")).collect();
    let page = text_of("docs/dependencies.md");
    let (used, _) = page.split_once("Considered and not used").unwrap();
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    for row in used.lines().filter(|line| line.starts_with("| `")) {
        let names = row.split('|').nth(1).unwrap();
        for name in names.split('`').skip(1).step_by(2) {
            *rows.entry(name.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(rows, theirs);
}

#[test]
fn every_file_of_others_is_listed() {
    let page = text_of("THIRD-PARTY.md");
    let folder = root().join("crates/dashboard/assets/vendor");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        seen += 1;
        assert!(
            name == "README.md" || page.contains(&format!("`{name}`")),
            "THIRD-PARTY.md does not list {name}"
        );
    }
    assert!(seen > 5);
}

#[test]
fn every_crate_is_under_the_licence_of_the_project() {
    assert!(text_of("LICENSE").contains("SPDX-License-Identifier: Apache-2.0"));
    let workspace: toml_edit::DocumentMut = text_of("Cargo.toml").parse().unwrap();
    let package = &workspace["workspace"]["package"];
    assert_eq!(package["license"].as_str(), Some("Apache-2.0"));
    let is_manifest = |path: &PathBuf| path.ends_with("Cargo.toml") && *path != root().join("Cargo.toml");
    let manifests: Vec<PathBuf> = files().into_iter().filter(is_manifest).collect();
    assert!(manifests.len() > 15);
    for path in manifests {
        let manifest: toml_edit::DocumentMut = fs::read_to_string(&path).unwrap().parse().unwrap();
        let licence = &manifest["package"]["license"];
        let inherits = licence.get("workspace").and_then(toml_edit::Item::as_bool);
        // What is a workspace of its own says it itself.
        let is_right = inherits == Some(true) || licence.as_str() == Some("Apache-2.0");
        assert!(is_right, "{}", path.display());
    }
}
