//! On what it was measured: the machine and the versions of everything that took part.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::tz::TimeZone;
use upsert_core::{Clock, SystemClock};

use crate::others::installed_beside;

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
    let of = |program: &str, flag| version(program, flag).unwrap_or_else(unknown);
    vec![
        ("date", SystemClock.now().to_zoned(TimeZone::UTC).date().to_string()),
        ("processor", processor()),
        ("kernel", of("uname", "-sr")),
        ("gateway", of(&gateway.to_string_lossy(), "--version") + &commit()),
        ("Rust", of("rustc", "--version")),
        (
            "nginx",
            version("nginx", "-v")
                .or_else(|| version("/usr/sbin/nginx", "-v"))
                .unwrap_or_else(unknown),
        ),
        ("Node", of("node", "--version")),
        ("Python", of(&python.to_string_lossy(), "--version")),
    ]
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
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {cores} cores, {}", model(&info), gibibytes(&memory))
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
        assert_eq!(model(""), "of an unknown model");
        assert_eq!(gibibytes("MemTotal:        8000000 kB\n"), "8 GiB");
    }

    #[test]
    fn a_program_that_is_not_there_has_no_version() {
        assert_eq!(version("no-such-program-anywhere", "--version"), None);
    }
}
