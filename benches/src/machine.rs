//! On what it was measured: the machine and the versions of everything that took part.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::tz::TimeZone;
use serde_json::Value as Json;
use upsert_core::{Clock, SystemClock};

use crate::others::installed_beside;

const PACKAGE: &str = include_str!("../others/node/package.json");
const REQUIREMENTS: &str = include_str!("../others/fastapi/requirements.txt");

/// The first line that a program prints about its version; none if it cannot be run.
pub fn version(program: &str, flag: &str) -> Option<String> {
    let ran = Command::new(program).arg(flag).stdin(Stdio::null()).output().ok()?;
    let text = if ran.stdout.is_empty() { ran.stderr } else { ran.stdout };
    let text = String::from_utf8_lossy(&text);
    ran.status
        .success()
        .then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Name and value of all that is to be known about the machine and the versions.
pub fn described(programs: &Path) -> Vec<(&'static str, String)> {
    let python = installed_beside(programs).join("fastapi/venv/bin/python");
    let unknown = || "not there".to_owned();
    let gateway = programs.join("upsert-gateway");
    let nginx = version("nginx", "-v").or_else(|| version("/usr/sbin/nginx", "-v"));
    let of = |program: &str, flag| version(program, flag).unwrap_or_else(unknown);
    vec![
        ("date", SystemClock.now().to_zoned(TimeZone::UTC).date().to_string()),
        ("processor", processor()),
        ("kernel", of("uname", "-sr")),
        ("gateway", of(&gateway.to_string_lossy(), "--version") + &commit()),
        ("Rust", of("rustc", "--version")),
        (
            "nginx",
            nginx.map_or_else(unknown, |text| text.replace("nginx version: ", "")),
        ),
        (
            "Node",
            of("node", "--version") + &packages(&modules(), &["fastify", "undici"]),
        ),
        (
            "Python",
            of(&python.to_string_lossy(), "--version")
                + &packages(REQUIREMENTS, &["fastapi", "httpx", "uvicorn", "uvloop"]),
        ),
    ]
}

/// What package.json names, as `name==version`.
fn modules() -> String {
    let package: Json = serde_json::from_str(PACKAGE).unwrap_or_default();
    let all = package["dependencies"].as_object().into_iter().flatten();
    let lines = all.map(|(name, version)| [name, "==", version.as_str().unwrap_or_default(), "\n"].concat());
    lines.collect()
}

/// The versions of some of the packages in a list of `name==version`.
fn packages(list: &str, names: &[&str]) -> String {
    let named = list.lines().filter_map(|line| line.trim().split_once("=="));
    let named = named.filter(|(name, _)| names.contains(name));
    named
        .map(|(name, version)| [", ", name, " ", version].concat())
        .collect()
}

fn commit() -> String {
    let ran = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    match ran {
        Ok(ran) if ran.status.success() => format!(", commit {}", String::from_utf8_lossy(&ran.stdout).trim()),
        _ => String::new(),
    }
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    format!("{}, {} cores, {}", model(&info), cores(&info), gibibytes(&memory))
}

/// All of the machine, and not just those that this process may use.
fn cores(info: &str) -> usize {
    info.lines().filter(|line| line.starts_with("processor")).count()
}

fn model(info: &str) -> &str {
    let line = info.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':'))
        .map_or("of an unknown model", |(_, name)| name.trim())
}

fn gibibytes(memory: &str) -> String {
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib: Option<u64> = total.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    kib.map_or_else(
        || "memory unknown".to_owned(),
        |kib| format!("{} GiB", kib.div_ceil(1_048_576)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_and_memory_are_read_from_what_the_kernel_says() {
        assert_eq!(
            model("vendor_id : x\nmodel name\t: Some CPU @ 2GHz\n"),
            "Some CPU @ 2GHz"
        );
        assert_eq!(cores("processor\t: 0\nmodel name\t: X\n\nprocessor\t: 1\n"), 2);
        assert_eq!(model(""), "of an unknown model");
        assert_eq!(gibibytes("MemTotal:        8000000 kB\n"), "8 GiB");
    }

    #[test]
    fn every_package_that_is_named_has_an_exact_version() {
        let node = packages(&modules(), &["fastify", "undici"]);
        let python = packages(REQUIREMENTS, &["fastapi", "httpx", "uvicorn", "uvloop"]);
        assert_eq!(
            (node.matches(", ").count(), python.matches(", ").count()),
            (2, 4),
            "{node}{python}"
        );
        assert!(node.contains("fastify 5."), "{node}");
    }

    #[test]
    fn a_program_that_is_not_there_has_no_version() {
        assert_eq!(version("no-such-program-anywhere", "--version"), None);
    }
}
