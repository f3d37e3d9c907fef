//! How the configuration in force came to be: what each generation changed, what the last reading was refused for, and
//! what waits for a restart.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::RwLock;

use upsert_api::{
    Configuration, ConfigurationChange, ConfigurationGeneration, ConfigurationLine, ConfigurationProblem,
};
use upsert_app::ConfigurationRefused;
use upsert_settings::{Change, Line, Merchant, Problem, Settings, changes, line_changes, place};

/// Generations that are remembered.
const MOST_GENERATIONS: usize = 50;
/// Changes of one generation that are told one by one.
const MOST_CHANGES: usize = 500;

/// Members of which another value takes effect with the next start, with all that is in them.
const FIXED: [&str; 14] = [
    "server.bind",
    "server.metrics_bind",
    "server.workers",
    "server.idempotency_keep",
    "server.drain_delay",
    "server.shutdown_grace",
    "retention",
    "store.url",
    "store.notify",
    "telemetry.log_format",
    "telemetry.otlp_endpoint",
    "telemetry.otlp_headers",
    "telemetry.service_name",
    "telemetry.sample_ratio",
];

fn is_fixed(path: &str) -> bool {
    FIXED.iter().any(|member| {
        let rest = path.strip_prefix(member);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// One configuration that was taken over.
#[derive(Debug)]
struct Generation {
    number: u64,
    at: Timestamp,
    changes: Vec<Change>,
    /// Changes beyond those.
    left_out: usize,
}

/// The last reading, where it was refused.
#[derive(Debug)]
struct Refused {
    at: Timestamp,
    problems: Vec<Problem>,
}

#[derive(Debug)]
struct Pages {
    settings: Arc<Settings>,
    /// The gateway's own lines, as the process was started with them.
    started_with: Vec<Line>,
    /// The newest last; never empty.
    generations: VecDeque<Generation>,
    refused: Option<Refused>,
}

/// Since the start.
#[derive(Debug)]
pub(crate) struct ConfigHistory(RwLock<Pages>);

/// Whose is told; none: everybody's, and the gateway's own.
pub(crate) type Visibility<'a> = Option<&'a BTreeSet<String>>;

impl ConfigHistory {
    /// Begins with what the process was started with: the first generation, which changed nothing.
    pub(crate) fn begin(at: Timestamp, settings: Arc<Settings>) -> Self {
        let first = Generation {
            number: 1,
            at,
            changes: Vec::new(),
            left_out: 0,
        };
        Self(RwLock::new(Pages {
            started_with: settings.lines(),
            settings,
            generations: VecDeque::from([first]),
            refused: None,
        }))
    }

    /// These settings are served from now on. It compares all of them, and so takes its time.
    pub(crate) fn take_over(&self, number: u64, at: Timestamp, settings: Arc<Settings>) {
        let before = self.0.read().settings.clone();
        let mut changes = changes(&before, &settings);
        let left_out = changes.len().saturating_sub(MOST_CHANGES);
        changes.truncate(MOST_CHANGES);
        let mut pages = self.0.write();
        pages.settings = settings;
        pages.refused = None;
        if pages.generations.len() == MOST_GENERATIONS {
            pages.generations.pop_front();
        }
        pages.generations.push_back(Generation {
            number,
            at,
            changes,
            left_out,
        });
    }

    /// The files say something that is wrong: what is served stays.
    pub(crate) fn refuse(&self, at: Timestamp, problems: &[Problem]) {
        self.0.write().refused = Some(Refused {
            at,
            problems: problems.to_vec(),
        });
    }

    /// What is served now.
    pub(crate) fn in_force(&self) -> Arc<Settings> {
        self.0.read().settings.clone()
    }

    /// The last reading, if it was refused.
    pub(crate) fn refused(&self) -> Option<ConfigurationRefused> {
        let pages = self.0.read();
        pages.refused.as_ref().map(|refused| ConfigurationRefused {
            at: refused.at,
            problems: refused.problems.len(),
        })
    }

    /// Which members wait for a restart: the files give them another value than the process was started with.
    pub(crate) fn waits_for_restart(&self) -> Vec<String> {
        let waiting = self.0.read().waiting();
        waiting.into_iter().map(|change| change.path).collect()
    }

    /// As `GET /v1/configuration` shows it to somebody who sees these merchants: what is configured for `merchant`, or the
    /// gateway's own.
    pub(crate) fn shown(&self, visibility: Visibility<'_>, merchant: Option<&str>) -> Configuration {
        let pages = self.0.read();
        let (problems, other_problems) = pages.problems(visibility);
        let newest_first = pages.generations.iter().rev();
        let history: Vec<_> = newest_first.map(|generation| generation.shown(visibility)).collect();
        let newest = history.first();
        Configuration {
            generation: newest.map_or(0, |generation| generation.generation),
            since: newest.map_or(Timestamp::UNIX_EPOCH, |generation| generation.at),
            stale: pages.refused.is_some(),
            refused_at: pages.refused.as_ref().map(|refused| refused.at),
            problems,
            other_problems,
            waits_for_restart: seen(&pages.waiting(), visibility),
            history,
            configured: pages.configured(visibility, merchant),
        }
    }
}

impl Pages {
    /// Those in files that may be seen, and how many there are besides.
    fn problems(&self, visibility: Visibility<'_>) -> (Vec<ConfigurationProblem>, usize) {
        let all = self.refused.iter().flat_map(|refused| &refused.problems);
        let Some(merchants) = visibility else {
            return (all.map(shown).collect(), 0);
        };
        let seen = merchants.iter().filter_map(|id| self.settings.merchant(id));
        let files: Vec<&str> = seen.map(|merchant| &*merchant.location.file).collect();
        let (own, others): (Vec<&Problem>, Vec<&Problem>) =
            all.partition(|problem| files.contains(&problem.file.as_str()));
        (own.into_iter().map(shown).collect(), others.len())
    }

    fn waiting(&self) -> Vec<Change> {
        let mut waiting = line_changes(None, &self.started_with, &self.settings.lines());
        waiting.retain(|change| is_fixed(&change.path));
        waiting
    }

    fn configured(&self, visibility: Visibility<'_>, merchant: Option<&str>) -> Vec<ConfigurationLine> {
        let lines = match merchant {
            None if visibility.is_none() => self.settings.lines(),
            None => Vec::new(),
            Some(id) if !sees(visibility, Some(id)) => Vec::new(),
            Some(id) => self.settings.merchant(id).map(Merchant::lines).unwrap_or_default(),
        };
        let shown = |line: Line| ConfigurationLine {
            place: place(merchant, &line.path),
            text: line.text,
        };
        lines.into_iter().map(shown).collect()
    }
}

impl Generation {
    fn shown(&self, visibility: Visibility<'_>) -> ConfigurationGeneration {
        ConfigurationGeneration {
            generation: self.number,
            at: self.at,
            changes: seen(&self.changes, visibility),
            left_out: self.left_out,
        }
    }
}

fn shown(problem: &Problem) -> ConfigurationProblem {
    ConfigurationProblem {
        file: problem.file.clone(),
        line: problem.line,
        column: problem.column,
        path: problem.path.clone(),
        message: problem.message.clone(),
        hint: problem.hint.clone(),
    }
}

fn seen(changes: &[Change], visibility: Visibility<'_>) -> Vec<ConfigurationChange> {
    let seen = changes
        .iter()
        .filter(|change| sees(visibility, change.merchant.as_deref()));
    seen.map(|change| ConfigurationChange {
        place: change.place(),
        from: change.from.clone(),
        to: change.to.clone(),
    })
    .collect()
}

/// The gateway's own is for those alone who see every merchant.
fn sees(visibility: Visibility<'_>, merchant: Option<&str>) -> bool {
    match (visibility, merchant) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(merchants), Some(merchant)) => merchants.contains(merchant),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use upsert_settings::{Environment, Secrets};

    fn settings(folder: &std::path::Path, gateway: &str, body: &[(&str, &str)]) -> Arc<Settings> {
        std::fs::create_dir_all(folder.join("merchants")).unwrap();
        std::fs::write(folder.join("gateway.toml"), gateway).unwrap();
        for (id, lines) in body {
            let text = format!("id = \"{id}\"\n{lines}\n");
            std::fs::write(folder.join(format!("merchants/{id}.toml")), text).unwrap();
        }
        Arc::new(
            Settings::load(
                folder,
                &Environment::from_iter(Vec::<(String, String)>::new()),
                Secrets::Resolve,
            )
            .unwrap(),
        )
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn only(merchant: &str) -> BTreeSet<String> {
        BTreeSet::from([merchant.to_owned()])
    }

    #[test]
    fn a_key_for_one_merchant_is_told_of_that_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = settings(folder.path(), "", &[("acme", ""), ("globex", "")]);
        let history = ConfigHistory::begin(at(1), first);
        let gateway = "[server]\nbind = \"127.0.0.1:9999\"\nbody_limit = \"32KiB\"\n";
        let deadline = "sync_deadline = \"3s\"";
        let second = settings(folder.path(), gateway, &[("acme", deadline), ("globex", deadline)]);
        history.take_over(2, at(2), second.clone());
        let problem = |merchant: &str| Problem::new(&second.merchants[merchant].location, "id", "is wrong");
        history.refuse(at(3), &[problem("acme"), problem("globex")]);

        let all = json!(history.shown(None, None));
        assert_eq!((&all["generation"], &all["stale"]), (&json!(2), &json!(true)));
        assert_eq!(all["history"][0]["changes"].as_array().unwrap().len(), 4);
        assert_eq!(all["history"][1]["changes"], json!([]));
        let wait = json!([{ "place": "gateway: server.bind", "from": "127.0.0.1:8080", "to": "127.0.0.1:9999" }]);
        assert_eq!(all["waits_for_restart"], wait);
        assert_eq!(all["problems"].as_array().unwrap().len(), 2);
        let lines = all["configured"].as_array().unwrap();
        assert!(lines.contains(&json!({ "place": "gateway: server.body_limit", "text": "32768" })));

        let own = json!(history.shown(Some(&only("acme")), Some("acme")));
        let change = json!([{ "place": "merchants/acme: sync_deadline", "from": "10s", "to": "3s" }]);
        assert_eq!(own["history"][0]["changes"], change);
        assert_eq!(
            (&own["other_problems"], &own["waits_for_restart"]),
            (&json!(1), &json!([]))
        );
        assert!(!own.to_string().contains("globex"), "{own}");
        assert_eq!(
            json!(history.shown(Some(&only("acme")), Some("globex")))["configured"],
            json!([])
        );
        assert_eq!(json!(history.shown(Some(&only("acme")), None))["configured"], json!([]));
    }

    #[test]
    fn all_that_the_next_start_alone_takes_over_waits_for_a_restart_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("header"), "canary").unwrap();
        let history = ConfigHistory::begin(at(1), settings(folder.path(), "", &[]));
        let gateway = "[server]\nworkers = 3\nmetrics_bind = \"127.0.0.1:9999\"\nidempotency_keep = \"1h\"\n\
                       drain_delay = \"1s\"\nshutdown_grace = \"5s\"\nbody_limit = \"32KiB\"\n\
                       [store]\nurl = \"sqlite:elsewhere.db\"\nnotify = false\n\
                       [telemetry]\nlog = \"debug\"\nlog_format = \"json\"\notlp_endpoint = \"http://localhost:4318\"\n\
                       otlp_headers = { authorization = { file = \"header\" } }\nservice_name = \"x\"\nsample_ratio = 0.5\n";
        history.take_over(2, at(2), settings(folder.path(), gateway, &[]));
        let mut waits = history.waits_for_restart();
        waits.sort_unstable();
        let wanted = [
            "server.drain_delay",
            "server.idempotency_keep",
            "server.metrics_bind",
            "server.shutdown_grace",
            "server.workers",
            "store.notify",
            "store.url",
            "telemetry.log_format",
            "telemetry.otlp_endpoint",
            "telemetry.otlp_headers.authorization",
            "telemetry.sample_ratio",
            "telemetry.service_name",
        ];
        assert_eq!(waits, wanted);
        assert!(!json!(history.shown(None, None)).to_string().contains("canary"));
        history.take_over(3, at(3), settings(folder.path(), "", &[]));
        assert_eq!(history.waits_for_restart(), [""; 0], "as it was again");
    }

    #[test]
    fn the_last_fifty_generations_are_remembered_and_a_good_reading_ends_a_refusal() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), "", &[]);
        let history = ConfigHistory::begin(at(0), settings.clone());
        history.refuse(at(1), &[Problem::new(&upsert_settings::Location::whole("x"), "", "no")]);
        assert_eq!(history.refused().map(|refused| refused.problems), Some(1));
        for number in 2..=60 {
            history.take_over(number, at(1), settings.clone());
        }
        let all = json!(history.shown(None, None));
        let kept = all["history"].as_array().unwrap();
        assert_eq!(
            (kept.len(), &kept[0]["generation"], &kept[49]["generation"]),
            (50, &json!(60), &json!(11))
        );
        assert_eq!((history.refused(), &all["problems"]), (None, &json!([])));
    }
}
