//! The files of a configuration, a merchant that comes over the API, the map of an import.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use upsert_settings::{ApiMerchant, ApiRules, Environment, ImportMap, Problem, Secrets, Settings};

thread_local! {
    static FOLDER: TempDir = {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("merchants")).expect("a folder");
        folder
    };
}

/// `gateway.toml` up to the first NUL, a merchant's file behind it.
pub(crate) fn files(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (gateway, merchant) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    FOLDER.with(|folder| {
        fs::write(folder.path().join("gateway.toml"), gateway).expect("a file");
        fs::write(folder.path().join("merchants/acme.toml"), merchant).expect("a file");
        match Settings::load(folder.path(), &Environment::default(), Secrets::Skip) {
            Ok(settings) => {
                // What is shown of it: every line of the page, and the whole of `check --show`.
                let lines = settings.lines();
                assert!(!lines.is_empty() && settings.effective().is_object());
                assert!(
                    upsert_settings::changes(&settings, &settings).is_empty(),
                    "it is not like itself"
                );
            }
            Err(problems) => are_told(&problems),
        }
    });
}

/// A merchant as JSON.
pub(crate) fn merchant(data: &[u8]) {
    let Ok(document) = upsert_app::read_json(data) else {
        return;
    };
    let read = ApiMerchant::read(&document, &ApiRules::default(), &Environment::default(), Path::new("/"));
    if let Err(problems) = read {
        are_told(&problems);
    }
}

/// The map of an import's columns.
pub(crate) fn import_map(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Err(problems) = ImportMap::read("map.toml", text) {
        are_told(&problems);
    }
}

/// Whoever is refused is told why.
fn are_told(problems: &[Problem]) {
    assert!(!problems.is_empty(), "refused without a reason");
    for problem in problems {
        assert!(!problem.to_string().trim().is_empty());
    }
}
