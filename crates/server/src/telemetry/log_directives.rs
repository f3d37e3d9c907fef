//! Which filters of log lines are meant. The library takes any word for a target, so that a slip of the pen would show
//! nothing at all.

use tracing_subscriber::EnvFilter;

/// What would let a client or a start fill the log: heads that are no HTTP, at level ERROR, and every worker. A filter
/// that names these targets has its way.
const QUIET: &str = "actix_http::h1::dispatcher=off,actix_server=warn";

/// What a filter is made of, loudest last.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Every crate that may write a line, without what they all begin with. Which vendors there are is not known here.
const CRATES: [&str; 17] = [
    "api",
    "app",
    "core",
    "dashboard",
    "gateway",
    "policy",
    "provider_kit",
    "registry",
    "sealing",
    "server",
    "settings",
    "simulators",
    "store",
    "store_sql",
    "testkit",
    "tests",
    "webhook",
];

const OURS: &str = "upsert";

/// The directives without the blanks between them.
///
/// # Errors
/// What is wrong with the first that is not right.
pub(crate) fn read(directives: &str) -> Result<String, String> {
    let read: Result<Vec<&str>, String> = directives.split(',').map(|part| one(part.trim())).collect();
    Ok(read?.join(","))
}

fn one(directive: &str) -> Result<&str, String> {
    let (target, level) = match directive.split_once('=') {
        Some((target, level)) => (Some(target), level),
        None => (None, directive),
    };
    if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
        return Err(format!("`{level}` is no level: {}", LEVELS.join(", ")));
    }
    match target {
        Some(target) => is_a_target(target).map(|()| directive),
        None => Ok(directive),
    }
}

/// Others than ours are a matter of the libraries, and free.
fn is_a_target(target: &str) -> Result<(), String> {
    if !target.split("::").all(is_identifier) {
        return Err(format!("`{target}` is no crate or module"));
    }
    let root = target.split("::").next().unwrap_or_default();
    if root.len() >= OURS.len() && root[..OURS.len()].eq_ignore_ascii_case(OURS) && !root.starts_with(OURS) {
        return Err(format!(
            "`{root}` is no crate of the gateway: they are written in small letters"
        ));
    }
    match root.strip_prefix(OURS) {
        Some(rest) if !is_ours(rest) => Err(format!(
            "`{root}` is no crate of the gateway: {OURS}_{}, {OURS}_provider_…",
            CRATES.join(&format!(", {OURS}_"))
        )),
        _ => Ok(()),
    }
}

fn is_identifier(part: &str) -> bool {
    part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_ours(rest: &str) -> bool {
    rest.strip_prefix('_').is_some_and(|name| {
        let is_a_vendors = name.strip_prefix("provider_").is_some_and(|vendor| !vendor.is_empty());
        is_a_vendors || CRATES.contains(&name)
    })
}

/// The logs cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directives cannot be read.
    #[error("`{directives}` is not a filter of log lines, such as `info,upsert_app=debug`: {why}")]
    Filter {
        /// As they were given.
        directives: String,
        /// What is wrong with them.
        why: String,
    },
    /// Somebody has set up logs before.
    #[error("logs are set up already")]
    Twice,
}

pub(crate) fn filter(directives: &str) -> Result<EnvFilter, TelemetryError> {
    read(directives)
        .and_then(|read| EnvFilter::try_new(format!("{QUIET},{read}")).map_err(|error| error.to_string()))
        .map_err(|why| TelemetryError::Filter {
            directives: directives.to_owned(),
            why,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn what_is_meant_is_taken_and_the_blanks_are_left_out() {
        for (directives, wanted) in [
            ("info", "info"),
            ("OFF", "OFF"),
            (" info , upsert_app=debug ", "info,upsert_app=debug"),
            (
                "warn,upsert_store_sql::sqlite=trace,actix=off,hyper_util::client=error",
                "warn,upsert_store_sql::sqlite=trace,actix=off,hyper_util::client=error",
            ),
            (
                "upsert_provider_kit=debug,upsert_provider_x=debug",
                "upsert_provider_kit=debug,upsert_provider_x=debug",
            ),
        ] {
            assert_eq!(read(directives).as_deref(), Ok(wanted));
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_told_instead_of_silencing_every_log() {
        for (directives, why) in [
            ("inof", "`inof` is no level: off, error, warn, info, debug, trace"),
            ("blah blah", "`blah blah` is no level"),
            ("upsert_app", "`upsert_app` is no level"),
            ("info,upsert_app=debgu", "`debgu` is no level"),
            ("upsert_app=", "`` is no level"),
            ("", "`` is no level"),
            ("info,,debug", "`` is no level"),
            ("a=b=c", "`b=c` is no level"),
            ("3", "`3` is no level"),
            (
                "upsert_ap=debug",
                "`upsert_ap` is no crate of the gateway: upsert_api, upsert_app, ",
            ),
            ("Upsert_app=debug", "`Upsert_app` is no crate of the gateway"),
            ("upsert=debug", "`upsert` is no crate of the gateway"),
            ("upsert_provider_=debug", "`upsert_provider_` is no crate"),
            ("upsert-app=debug", "`upsert-app` is no crate or module"),
            ("hyper:client=debug", "`hyper:client` is no crate or module"),
            ("=debug", "`` is no crate or module"),
            ("1a=debug", "`1a` is no crate or module"),
        ] {
            let said = read(directives).unwrap_err();
            assert!(said.starts_with(why), "{directives}: {said}");
        }
    }

    #[test]
    fn every_crate_of_the_workspace_is_known_here() {
        let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").read_dir().unwrap();
        let mut names: Vec<String> = folders
            .map(|folder| folder.unwrap().file_name().into_string().unwrap().replace('-', "_"))
            .chain(["tests".to_owned()])
            .collect();
        names.sort();
        let unknown: Vec<&String> = names.iter().filter(|name| !is_ours(&format!("_{name}"))).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        let gone: Vec<&&str> = CRATES
            .iter()
            .filter(|name| !names.iter().any(|is| is == **name))
            .collect();
        assert!(gone.is_empty(), "{gone:?}");
    }
}
