//! `[telemetry]`: what is logged, and where traces go.

use std::collections::BTreeMap;

use serde::Serialize;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use url::Url;

use crate::members::Member;
use crate::problems::{Location, Problem};
use crate::secrets::Secret;
use crate::section::{Section, Spot, all_or_none};
use crate::urls::{UrlRules, check_url};

pub(crate) const MEMBERS: &[Member] = &[
    Member::or("log", "\"info\""),
    Member::or("log_format", "\"text\""),
    Member::or("otlp_endpoint", "\"\""),
    Member::or("otlp_headers", "{}"),
    Member::or("resource_attributes", "{}"),
    Member::or("service_name", "\"upsert-gateway\""),
    Member::or("sample_ratio", "1.0"),
];

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum LogForm {
    /// One JSON object a line.
    Json,
    /// Lines for people.
    Text,
}

/// What operators are told beside the API.
#[derive(Clone, Debug, Serialize)]
pub struct Telemetry {
    /// What is logged: a level, or directives. Whether it can be read is for whoever logs to say.
    pub log: String,
    /// How.
    pub log_format: LogForm,
    /// Where traces are sent by OTLP over HTTP, without `/v1/traces`; none: nowhere.
    pub otlp_endpoint: Option<Url>,
    /// What is sent with them, by the header's name.
    pub otlp_headers: BTreeMap<String, Secret>,
    /// What is said of the gateway beside its name, such as `deployment.environment.name`.
    pub resource_attributes: BTreeMap<String, String>,
    /// `service.name` of the traces.
    pub service_name: String,
    /// How many of the traces that begin here are kept, from 0 to 1.
    pub sample_ratio: f64,
    /// Where `log` stands, or the section.
    #[serde(skip)]
    location: Location,
}

impl Telemetry {
    /// A problem of `log`, for whoever judges what this crate cannot.
    pub fn log_problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(&self.location, "telemetry.log", message)
    }

    pub(crate) fn read(section: &Section<'_>) -> Option<Self> {
        let location = section.given("log").map(|spot| spot.node.at.clone());
        all_or_none!(Self {
            log: section.read("log", Spot::line),
            log_format: section.read("log_format", Spot::word),
            otlp_endpoint: Some(section.maybe("otlp_endpoint", |spot| spot.unless_empty(endpoint))),
            otlp_headers: section.read("otlp_headers", headers),
            resource_attributes: section.read("resource_attributes", attributes),
            service_name: section.read("service_name", Spot::line),
            sample_ratio: section.read("sample_ratio", ratio),
            location: location.or_else(|| Some(section.at().clone())),
        })
    }
}

/// The operator's own collector, which may be anywhere: no vendor's URL, so no rule against private networks.
fn endpoint(spot: &Spot<'_>) -> Option<Url> {
    let rules = UrlRules::in_a_file(Some(true), Some(true));
    let hint = "for example \"http://localhost:4318\"";
    match check_url(spot.text()?, rules) {
        Ok(url) if url.query().is_some() => spot.refuse_but("may have no query", hint),
        Ok(url) if url.path().ends_with("/v1/traces") => spot.refuse_but("is to be without `/v1/traces`", hint),
        Ok(url) => Some(url),
        Err(problem) => spot.refuse_but(problem, hint),
    }
}

fn headers(spot: &Spot<'_>) -> Option<BTreeMap<String, Secret>> {
    spot.each_entry(|entry, spot| {
        let secret = Secret::read(spot);
        let name = entry.key.to_ascii_lowercase();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || !name.bytes().all(allowed) {
            return spot.refuse("not the name of a header");
        }
        Some((name, secret?))
    })
}

fn attributes(spot: &Spot<'_>) -> Option<BTreeMap<String, String>> {
    spot.each_entry(|entry, spot| {
        if entry.key == "service.name" {
            return spot.refuse_but("stands in a member of its own", "say it as service_name");
        }
        Some((entry.key.clone(), spot.line()?))
    })
}

fn ratio(spot: &Spot<'_>) -> Option<f64> {
    let ratio = spot.number()?;
    if (0.0..=1.0).contains(&ratio) {
        Some(ratio)
    } else {
        spot.refuse_but("not a part of all", "from 0.0 for none to 1.0 for all")
    }
}
