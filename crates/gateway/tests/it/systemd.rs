//! The unit that is shipped for systemd.

use std::fs;
use std::process::Command;
use std::time::Duration;

use upsert_settings::{Environment, Secrets, Settings};

use crate::process::{run, stderr, workspace};

const UNIT: &str = "deploy/systemd/upsert-gateway.service";
const PROGRAM: &str = env!("CARGO_BIN_EXE_upsert-gateway");

/// What the unit says of this.
fn said<'u>(unit: &'u str, name: &str) -> &'u str {
    let said = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    said.unwrap_or_else(|| panic!("{name} is not said"))
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let unit = fs::read_to_string(workspace(UNIT)).unwrap();
    // The program and its manual page are installed elsewhere here.
    let unit = unit.replace("/usr/local/bin/upsert-gateway", PROGRAM);
    let unit = unit.replace("Documentation=man:upsert-gateway(1)\n", "");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("upsert-gateway.service");
    fs::write(&path, unit).unwrap();
    let verified = run(Command::new("systemd-analyze").arg("verify").arg(&path), "");
    assert!(
        verified.status.success() && stderr(&verified).is_empty(),
        "{}",
        stderr(&verified)
    );
}

#[test]
fn the_unit_starts_what_there_is_and_gives_it_the_time_that_it_takes_to_stop() {
    let unit = fs::read_to_string(workspace(UNIT)).unwrap();
    let start: Vec<&str> = said(&unit, "ExecStart").split(' ').collect();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.toml"), "[store]\nurl = \"nothing:there\"\n").unwrap();
    let arguments = start[1..].iter().map(|argument| match *argument {
        "/etc/upsert-gateway" => folder.path().to_str().unwrap(),
        other => other,
    });
    let started = run(Command::new(PROGRAM).args(arguments), "");
    // Understood, and refused for what the configuration says: wrong usage would be 2.
    assert_eq!(started.status.code(), Some(1), "{}", stderr(&started));

    fs::write(folder.path().join("gateway.toml"), "").unwrap();
    let settings = Settings::load(folder.path(), &Environment::default(), Secrets::Skip).unwrap();
    let seconds: u64 = said(&unit, "TimeoutStopSec").trim_end_matches('s').parse().unwrap();
    let needed = settings.server.drain_delay + settings.server.shutdown_grace;
    assert!(Duration::from_secs(seconds) > needed, "{needed:?}");
}
