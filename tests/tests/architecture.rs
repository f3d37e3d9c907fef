//! The shape of the house: which crate may know which, and where vendors may be named.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use upsert_api::ProblemCode;
use upsert_core::Word as _;
use upsert_tests::lines_of_production;

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/lengths.rs"]
mod lengths;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn crates() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What a crate depends on at run time.
fn dependencies(name: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
    let manifest: toml_edit::DocumentMut = text.parse().unwrap();
    manifest
        .get("dependencies")
        .and_then(|d| d.as_table())
        .map_or_else(BTreeSet::new, |table| {
            table.iter().map(|(name, _)| name.to_owned()).collect()
        })
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn arrows_between_crates_point_down_only() {
    let ranks: BTreeMap<&str, u8> = [
        ("core", 0),
        ("sealing", 0),
        ("simulators", 0),
        ("webhook", 0),
        ("api", 1),
        ("provider-kit", 1),
        ("settings", 1),
        ("policy", 2),
        ("store", 2),
        ("provider-rotor", 2),
        ("provider-add-update", 2),
        ("provider-april", 2),
        ("store-sql", 3),
        ("testkit", 3),
        ("app", 3),
        ("registry", 3),
        ("dashboard", 4),
        ("server", 5),
        ("gateway", 6),
    ]
    .into();
    let all = crates();
    assert_eq!(
        all.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        ranks.keys().copied().collect(),
        "every crate has a rank"
    );
    for name in &all {
        for dependency in dependencies(name) {
            let Some(other) = dependency.strip_prefix("upsert-") else {
                continue;
            };
            assert!(
                ranks[other] < ranks[name.as_str()],
                "{name} (rank {}) imports {other} (rank {})",
                ranks[name.as_str()],
                ranks[other]
            );
        }
    }
}

#[test]
fn each_crate_knows_only_what_it_may() {
    let may_not: [(&str, &[&str]); 10] = [
        ("core", &["reqwest", "http", "rusqlite", "sqlx", "actix-web"]),
        ("api", &["reqwest", "http", "rusqlite", "actix-web", "tokio"]),
        (
            "provider-kit",
            &["upsert-policy", "upsert-store", "actix-web", "rusqlite"],
        ),
        (
            "policy",
            &[
                "upsert-provider-kit",
                "upsert-store",
                "reqwest",
                "http",
                "actix-web",
                "serde_json",
            ],
        ),
        ("store", &["rusqlite", "sqlx", "reqwest", "actix-web"]),
        (
            "app",
            &[
                "upsert-policy",
                "upsert-provider-kit",
                "upsert-settings",
                "reqwest",
                "http",
                "rusqlite",
                "actix-web",
            ],
        ),
        ("settings", &["upsert-registry", "actix-web", "reqwest"]),
        (
            "server",
            &[
                "upsert-simulators",
                "upsert-provider-rotor",
                "upsert-provider-add-update",
                "upsert-provider-april",
            ],
        ),
        (
            "simulators",
            &[
                "upsert-core",
                "upsert-provider-kit",
                "upsert-registry",
                "upsert-provider-rotor",
            ],
        ),
        ("registry", &["upsert-app", "upsert-server"]),
    ];
    for (name, forbidden) in may_not {
        let known = dependencies(name);
        for other in forbidden {
            assert!(!known.contains(*other), "{name} must not know {other}");
        }
    }
    for name in crates()
        .iter()
        .filter(|name| name.starts_with("provider-") && *name != "provider-kit")
    {
        let known = dependencies(name);
        for other in [
            "tokio",
            "reqwest",
            "rusqlite",
            "upsert-app",
            "upsert-store",
            "upsert-policy",
        ] {
            assert!(!known.contains(other), "{name} is sans-IO and must not know {other}");
        }
        assert!(
            !known
                .iter()
                .any(|d| d.starts_with("upsert-provider-") && d != "upsert-provider-kit"),
            "{name} knows another vendor"
        );
    }
    assert!(dependencies("gateway").contains("upsert-simulators"));
}

#[test]
fn no_vendor_is_named_in_code_outside_its_places() {
    let places = [
        "provider-rotor",
        "provider-add-update",
        "provider-april",
        "registry",
        "simulators",
        "gateway",
    ];
    for name in crates().iter().filter(|name| !places.contains(&name.as_str())) {
        let sources = sources(&root().join("crates").join(name).join("src"));
        // `tests.rs`, and what stands in a folder `tests`, are tests wherever they stand.
        let is_for_tests = |path: &&PathBuf| {
            let inner = path.strip_prefix(root().join("crates").join(name)).unwrap();
            inner
                .components()
                .any(|part| ["tests", "tests.rs"].map(Some).contains(&part.as_os_str().to_str()))
        };
        for path in sources.iter().filter(|path| !is_for_tests(path)) {
            let text = fs::read_to_string(path).unwrap();
            for (number, line) in lines_of_production(&text).into_iter().enumerate() {
                let code = line.split("//").next().unwrap_or_default().to_lowercase();
                for vendor in ["rotor", "cheqpay", "add-update", "add_update", "addupdate", "april"] {
                    assert!(
                        !code.contains(vendor),
                        "{}:{}: names {vendor}",
                        path.display(),
                        number + 1
                    );
                }
            }
        }
    }
}

/// The part of a manifest that a build for production reads.
fn without_dev_dependencies(path: &Path) -> String {
    let mut manifest: toml_edit::DocumentMut = fs::read_to_string(path).unwrap().parse().unwrap();
    manifest.remove("dev-dependencies");
    manifest.to_string()
}

#[test]
fn no_program_that_is_shipped_can_be_made_to_die_at_a_crash_point() {
    let mut manifests: Vec<PathBuf> = crates()
        .iter()
        .map(|name| root().join("crates").join(name).join("Cargo.toml"))
        .collect();
    manifests.extend(
        [
            "Cargo.toml",
            "chaos/Cargo.toml",
            "tests/Cargo.toml",
            "benches/Cargo.toml",
        ]
        .map(|path| root().join(path)),
    );
    for path in manifests {
        let text = without_dev_dependencies(&path);
        let mentions = text
            .lines()
            .filter(|line| !line.starts_with('#') && line.contains("crash-points"));
        let mentions: Vec<&str> = mentions.collect();
        if path == root().join("crates/core/Cargo.toml") {
            // Declared, off unless somebody asks for it, and no part of a default.
            assert_eq!(mentions, ["crash-points = []"]);
            assert!(!text.contains("default ="), "core has default features");
        } else {
            assert!(mentions.is_empty(), "{} turns crash-points on", path.display());
        }
    }
    for file in ["Dockerfile", "scripts/bench"] {
        assert!(
            !fs::read_to_string(root().join(file)).unwrap().contains("crash-points"),
            "{file}"
        );
    }
}

#[test]
fn every_crash_point_of_the_list_stands_somewhere_on_the_way() {
    let mut places = String::new();
    for name in ["app", "store-sql"] {
        for path in sources(&root().join("crates").join(name).join("src")) {
            places.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    let points = upsert_core::crash_point::ALL;
    for point in points {
        let constant = point.to_uppercase().replace('.', "_");
        // These come in pairs, before and after one commit.
        let pair = constant.split('_').next().unwrap();
        let is_used = places.contains(&format!("points::{constant}"))
            || (["SETTLE", "ROLLBACK"].contains(&pair) && places.contains(&format!("points::{pair}")));
        assert!(is_used, "{constant} stands nowhere");
    }
    assert!(points.len() >= 25);
}

#[test]
fn the_chaos_run_judges_from_outside() {
    let manifest: toml_edit::DocumentMut = fs::read_to_string(root().join("chaos/Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let ours: Vec<&str> = manifest["dependencies"]
        .as_table()
        .unwrap()
        .iter()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("upsert-"))
        .collect();
    assert_eq!(ours, ["upsert-core", "upsert-simulators", "upsert-testkit"]);
    for path in sources(&root().join("chaos/src")) {
        let text = fs::read_to_string(&path).unwrap();
        let of_testkit = text.matches("upsert_testkit::").count();
        let servers = text.matches("upsert_testkit::postgres::Server").count();
        assert_eq!(
            of_testkit,
            servers,
            "{}: only the database server is not ours",
            path.display()
        );
        for line in text.lines().filter(|line| line.contains("upsert_core::")) {
            // Where a process can be made to die, by which name an attempt is found in a vendor's journal, how ids are
            // spelled, and what time it is.
            let is_about_runs = [
                "upsert_core::crash_point",
                "upsert_core::traceparent_of_attempt",
                "upsert_core::{CustomerId, DeliveryId, UpsertId};",
                "upsert_core::{Clock as _, SystemClock};",
            ];
            let is_one = is_about_runs.iter().any(|allowed| line.contains(allowed));
            assert!(is_one, "{}: {line}", path.display());
        }
    }
}

#[test]
fn every_error_code_stands_in_the_documentation() {
    let text = fs::read_to_string(root().join("docs/error-codes.md")).unwrap();
    for code in ProblemCode::all() {
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", code.as_str())));
        let row = row.unwrap_or_else(|| panic!("docs/error-codes.md has no row for `{}`", code.as_str()));
        assert!(
            row.contains(&code.status().to_string()),
            "the row of `{}` names another status",
            code.as_str()
        );
    }
}

#[test]
fn every_setting_stands_in_the_shipped_configuration() {
    let shipped = [
        "config/gateway.toml",
        "config/merchants/acme.toml",
        "config/merchants/globex.toml",
    ]
    .map(|path| fs::read_to_string(root().join(path)).unwrap())
    .join("\n");
    let members = upsert_settings::known_members();
    assert!(members.len() > 40, "the list of members is read");
    for member in members {
        let path = member.path;
        let name = path.rsplit('.').next().unwrap().trim_end_matches("[]");
        assert!(shipped.contains(name), "no shipped file shows `{path}`");
    }
}

#[test]
fn the_project_speaks_of_itself_alone() {
    let words = [
        ["/wor", "k/"].concat(),
        ["/roo", "t/"].concat(),
        ["bash_", "jobs"].concat(),
    ];
    let mut files = Vec::new();
    for folder in ["crates", "tests", "docs", "config", "scripts", "benches", "chaos"] {
        collect(&root().join(folder), &mut files);
    }
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "THIRD-PARTY.md",
        "LICENSE",
        "Dockerfile",
        "docker-compose.yml",
    ] {
        files.push(root().join(name));
    }
    assert!(files.len() > 100);
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for word in &words {
            assert!(
                !text.contains(word.as_str()),
                "{} names a path of one machine",
                path.display()
            );
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
