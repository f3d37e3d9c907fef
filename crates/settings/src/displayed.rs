//! The configuration in force, for people: what was configured, line by line, and what one configuration changed in
//! another. A secret is shown as where it is kept; what it says is nowhere, only that it became another one.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use upsert_core::Word as _;

use crate::connection::Connection;
use crate::displayed_text::{HIDDEN, is_secret_name, shown_text};
use crate::incoming::WebhookIn;
use crate::merchant::{Merchant, NeverMatch};
use crate::routes::Route;
use crate::secrets::{Reference, Secret};
use crate::settings::Settings;
use crate::store::StoreUrl;
use crate::verification::SchemeName;
use crate::webhooks::WebhookOut;

/// One thing that is configured.
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
#[debug("{path} = {text}")]
pub struct Line {
    /// Which, such as `connections.rotor.timeout`; empty: the merchant itself.
    pub path: String,
    /// As people read it.
    pub text: String,
    /// Whether the lines whose path begins with this one's belong to it: they come and go with it.
    pub is_head: bool,
    /// A digest of what is not shown, so that it is seen to have changed.
    hidden: Option<[u8; 32]>,
}

impl Settings {
    /// What `gateway.toml` configures, defaults included: no merchant's.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Lines::default();
        lines.members("server", &self.server, &["signing_key"]);
        if let Some(key) = &self.server.signing_key {
            lines.secret("server.signing_key", key);
        }
        let url = match &self.store.url {
            StoreUrl::Postgres(url) => url.expose_secret(),
            StoreUrl::Sqlite(_) => "",
        };
        lines.partly("store.url", self.store.url.to_string(), url);
        lines.members("store", &self.store, &["url", "encryption_keys"]);
        for key in &self.store.encryption_keys {
            lines.secret(&format!("store.encryption_keys.{}", key.id), &key.key);
        }
        lines.members("telemetry", &self.telemetry, &["otlp_headers"]);
        lines.named_secrets("telemetry.otlp_headers", &self.telemetry.otlp_headers);
        for (position, key) in self.api_keys.iter().enumerate() {
            let before = self.api_keys.iter().take(position);
            let namesakes = before.filter(|earlier| earlier.name == key.name).count();
            let path = match namesakes {
                0 => format!("api_keys.{}", key.name),
                more => format!("api_keys.{}.{}", key.name, more + 1),
            };
            lines.head(&path, "known by its hash".to_owned(), Some(&key.key_sha256));
            lines.members(&path, key, &["name", "key_sha256"]);
        }
        lines.0
    }
}

impl Merchant {
    /// What its file configures, defaults included.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Lines::default();
        lines.head("", self.name.as_ref().unwrap_or(&self.id).clone(), None);
        let elsewhere = [
            "id",
            "name",
            "never_match",
            "connections",
            "routes",
            "webhooks_in",
            "webhooks_out",
        ];
        lines.members("", self, &elsewhere);
        lines.never_match(&self.never_match);
        for connection in &self.connections {
            lines.connection(connection);
        }
        for (index, route) in self.routes.iter().enumerate() {
            lines.route(&format!("routes[{index}]"), route);
        }
        for source in &self.webhooks_in {
            lines.source(source);
        }
        for endpoint in &self.webhooks_out {
            lines.endpoint(endpoint);
        }
        lines.0
    }
}

#[derive(Default)]
struct Lines(Vec<Line>);

impl Lines {
    fn line(&mut self, path: &str, text: String, is_head: bool, hidden: Option<&[u8]>) {
        self.0.push(Line {
            path: path.to_owned(),
            text,
            is_head,
            hidden: hidden.map(|hidden| Sha256::digest(hidden).into()),
        });
    }

    fn head(&mut self, path: &str, text: String, hidden: Option<&[u8]>) {
        self.line(path, text, true, hidden);
    }

    /// Something of which a part is not shown.
    /// How many values there are: they may be addresses and numbers of people. That others stand there is seen all the same.
    fn never_match(&mut self, never_match: &NeverMatch) {
        for (name, values) in [("phone", &never_match.phone), ("email", &never_match.email)] {
            let text = match values.len() {
                1 => "1 value".to_owned(),
                many => format!("{many} values"),
            };
            self.partly(&format!("never_match.{name}"), text, &values.join("\n"));
        }
    }

    fn partly(&mut self, path: &str, text: String, whole: &str) {
        self.line(path, text, false, Some(whole.as_bytes()));
    }

    fn secret(&mut self, path: &str, secret: &Secret) {
        let text = match secret.reference() {
            Reference::Env(name) => format!("env {name}"),
            Reference::File(file) => format!("file {}", file.display()),
            Reference::Given => "given".to_owned(),
        };
        self.partly(path, text, secret.value().expose_secret());
    }

    fn named_secrets(&mut self, path: &str, secrets: &BTreeMap<String, Secret>) {
        for (name, secret) in secrets {
            self.secret(&format!("{path}.{name}"), secret);
        }
    }

    /// One, or several while they are being rotated.
    fn secrets(&mut self, path: &str, secrets: &[Secret]) {
        if let [secret] = secrets {
            return self.secret(&format!("{path}.secret"), secret);
        }
        for (index, secret) in secrets.iter().enumerate() {
            self.secret(&format!("{path}.secrets[{index}]"), secret);
        }
    }

    /// Texts in one line, each without what may be secret in it.
    fn texts(&mut self, path: &str, whole: &[String]) {
        let shown: Vec<String> = whole.iter().map(|text| shown_text(text)).collect();
        let hidden = (shown != whole).then(|| whole.join("\n"));
        let text = if shown.is_empty() {
            "none".to_owned()
        } else {
            shown.join(", ")
        };
        self.line(path, text, false, hidden.as_deref().map(str::as_bytes));
    }

    /// The members of a section, but for those that are told elsewhere.
    fn members(&mut self, path: &str, section: &impl Serialize, elsewhere: &[&str]) {
        let Ok(Value::Object(mut members)) = serde_json::to_value(section) else {
            return;
        };
        members.retain(|name, _| !elsewhere.contains(&name.as_str()));
        self.walk(path, &Value::Object(members), false);
    }

    /// A line for each leaf; what is not given has none. `guarded`: anything may stand there, and what is named like a
    /// secret is not shown.
    fn walk(&mut self, path: &str, value: &Value, guarded: bool) {
        match value {
            Value::Null => {}
            Value::Object(members) => {
                for (name, member) in members {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    if guarded && is_secret_name(name) {
                        self.partly(&path, HIDDEN.to_owned(), &member.to_string());
                    } else {
                        self.walk(&path, member, guarded);
                    }
                }
            }
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                for (index, item) in items.iter().enumerate() {
                    self.walk(&format!("{path}[{index}]"), item, guarded);
                }
            }
            Value::Array(items) => self.texts(path, &items.iter().map(plain).collect::<Vec<_>>()),
            leaf => self.texts(path, &[plain(leaf)]),
        }
    }

    fn connection(&mut self, connection: &Connection) {
        let path = format!("connections.{}", connection.name);
        self.head(&path, format!("provider {}", connection.provider), None);
        self.members(&path, connection, &["name", "provider", "credentials", "settings"]);
        self.named_secrets(&format!("{path}.credentials"), &connection.credentials);
        let settings = Value::Object(connection.settings.clone());
        self.walk(&format!("{path}.settings"), &settings, true);
    }

    fn route(&mut self, path: &str, route: &Route) {
        self.head(path, format!("to {}", route.to.join(", ")), None);
        let mut when = serde_json::to_value(&route.when).unwrap_or_default();
        if let Some(conditions) = when.as_object_mut() {
            conditions.retain(|_, values| values.as_array().is_some_and(|values| !values.is_empty()));
        }
        self.walk(&format!("{path}.when"), &when, false);
    }

    fn source(&mut self, source: &WebhookIn) {
        let path = format!("webhooks.in.{}", source.source);
        let scheme = &source.verify.scheme;
        self.head(&path, format!("signed by {}", SchemeName::from(scheme).as_str()), None);
        self.members(&path, source, &["source", "verify", "map", "only"]);
        self.members(&format!("{path}.verify"), scheme, &["scheme"]);
        self.secrets(&format!("{path}.verify"), &source.verify.secrets);
        for (pointer, values) in &source.only {
            self.texts(&format!("{path}.only.{pointer}"), &[values.join(", ")]);
        }
        for (target, rule) in &source.map {
            self.texts(&format!("{path}.map.{target}"), &[plain(rule)]);
        }
    }

    fn endpoint(&mut self, endpoint: &WebhookOut) {
        let path = format!("webhooks.out.{}", endpoint.name);
        self.head(&path, endpoint.shown_url(), Some(endpoint.url.as_str().as_bytes()));
        self.members(&path, endpoint, &["name", "url", "secrets"]);
        self.secrets(&path, &endpoint.secrets);
    }
}

/// A text without its quotes, anything else as JSON writes it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What one configuration has otherwise than the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose; none: the gateway's own.
    pub merchant: Option<String>,
    /// See [`Line::path`].
    pub path: String,
    /// What was configured; none: it was not there.
    pub from: Option<String>,
    /// What is configured; none: it is gone.
    pub to: Option<String>,
}

impl Change {
    /// Where it stands: `merchants/acme: connections.rotor.timeout`, `gateway: server.body_limit`.
    pub fn place(&self) -> String {
        place(self.merchant.as_deref(), &self.path)
    }
}

/// The place of a merchant's line, or of one of the gateway's own.
pub fn place(merchant: Option<&str>, path: &str) -> String {
    let whose = merchant.map_or_else(|| "gateway".to_owned(), |merchant| format!("merchants/{merchant}"));
    if path.is_empty() {
        whose
    } else {
        format!("{whose}: {path}")
    }
}

/// Everything that `after` has otherwise than `before`: the gateway's own first, then by merchant.
pub fn changes(before: &Settings, after: &Settings) -> Vec<Change> {
    let mut all = line_changes(None, &before.lines(), &after.lines());
    let mut merchants: Vec<&String> = before.merchants.keys().chain(after.merchants.keys()).collect();
    merchants.sort_unstable();
    merchants.dedup();
    for id in merchants {
        let lines = |settings: &Settings| settings.merchant(id).map(Merchant::lines).unwrap_or_default();
        all.extend(line_changes(Some(id), &lines(before), &lines(after)));
    }
    all
}

/// The same of some lines: what is gone, what has changed, what is new.
pub fn line_changes(merchant: Option<&str>, before: &[Line], after: &[Line]) -> Vec<Change> {
    let change = |path: &str, from: Option<&str>, to: Option<&str>| Change {
        merchant: merchant.map(str::to_owned),
        path: path.to_owned(),
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
    };
    let (was, is) = (by_path(before), by_path(after));
    let gone = outermost(before, &is).into_iter();
    let gone = gone.map(|line| change(&line.path, Some(&line.text), None));
    let changed = after.iter().filter_map(|line| {
        let earlier = was.get(line.path.as_str()).filter(|earlier| **earlier != line)?;
        let unseen = format!("{} (what is not shown of it has changed)", line.text);
        let to = if earlier.text == line.text { &unseen } else { &line.text };
        Some(change(&line.path, Some(&earlier.text), Some(to)))
    });
    let new = outermost(after, &was).into_iter();
    let new = new.map(|line| change(&line.path, None, Some(&line.text)));
    gone.chain(changed).chain(new).collect()
}

fn by_path(lines: &[Line]) -> BTreeMap<&str, &Line> {
    lines.iter().map(|line| (line.path.as_str(), line)).collect()
}

/// Those that the others have not; of a whole that they have not, its head alone.
fn outermost<'a>(lines: &'a [Line], others: &BTreeMap<&str, &Line>) -> Vec<&'a Line> {
    let mut found: Vec<&Line> = Vec::new();
    for line in lines.iter().filter(|line| !others.contains_key(line.path.as_str())) {
        let belongs_to = |head: &&Line| {
            let rest = line.path.strip_prefix(head.path.as_str());
            head.is_head && rest.is_some_and(|rest| head.path.is_empty() || rest.starts_with(['.', '[']))
        };
        if !found.iter().any(belongs_to) {
            found.push(line);
        }
    }
    found
}
