//! The configuration in force, for people: what was configured, line by line, and what one configuration changed in
//! another. A secret is shown as where it is kept; what it says is nowhere, only that it became another one.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::connection::Connection;
use crate::displayed_text::{HIDDEN, is_secret_name, shown_text};
use crate::incoming::WebhookIn;
use crate::merchant::Merchant;
use crate::routes::Route;
use crate::secrets::{Reference, Secret};
use crate::settings::Settings;
use crate::store::StoreUrl;
use crate::webhooks::WebhookOut;

/// One thing that is configured.
#[derive(Clone, PartialEq, Eq)]
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

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.path, self.text)
    }
}

impl Settings {
    /// What `gateway.toml` configures, defaults included: no merchant's.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Lines::default();
        lines.members("server", &self.server);
        let url = match &self.store.url {
            StoreUrl::Postgres(url) => url.expose_secret().to_owned(),
            StoreUrl::Sqlite(_) => String::new(),
        };
        lines.partly("store.url", self.store.url.to_string(), url.as_bytes());
        for key in &self.store.encryption_keys {
            lines.secret(&format!("store.encryption_keys.{}", key.id), &key.key);
        }
        let mut telemetry = members_of(&self.telemetry);
        telemetry.remove("otlp_headers");
        lines.flat("telemetry", &Value::Object(telemetry));
        for (name, secret) in &self.telemetry.otlp_headers {
            lines.secret(&format!("telemetry.otlp_headers.{name}"), secret);
        }
        for key in &self.api_keys {
            let path = format!("api_keys.{}", key.name);
            lines.head(path.clone(), "known by its hash".to_owned(), Some(&key.key_sha256));
            let mut members = members_of(key);
            members.retain(|name, _| name != "name" && name != "key_sha256");
            lines.flat(&path, &Value::Object(members));
        }
        lines.0
    }
}

impl Merchant {
    /// What its file configures, defaults included.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Lines::default();
        let name = self.name.clone().unwrap_or_else(|| self.id.clone());
        lines.head(String::new(), name, None);
        let mut members = members_of(self);
        for elsewhere in ["id", "name", "connections", "routes", "webhooks_in", "webhooks_out"] {
            members.remove(elsewhere);
        }
        lines.flat("", &Value::Object(members));
        for connection in &self.connections {
            lines.connection(connection);
        }
        for (index, route) in self.routes.iter().enumerate() {
            lines.route(index, route);
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

fn members_of(section: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(section) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

#[derive(Default)]
struct Lines(Vec<Line>);

impl Lines {
    fn line(&mut self, path: String, text: String, is_head: bool, hidden: Option<&[u8]>) {
        self.0.push(Line {
            path,
            text,
            is_head,
            hidden: hidden.map(|hidden| Sha256::digest(hidden).into()),
        });
    }

    fn head(&mut self, path: String, text: String, hidden: Option<&[u8]>) {
        self.line(path, text, true, hidden);
    }

    /// Something of which a part is not shown.
    fn partly(&mut self, path: &str, text: String, whole: &[u8]) {
        self.line(path.to_owned(), text, false, Some(whole));
    }

    fn text(&mut self, path: &str, text: &str) {
        let shown = shown_text(text);
        let hidden = (shown != text).then_some(text.as_bytes());
        self.line(path.to_owned(), shown, false, hidden);
    }

    fn secret(&mut self, path: &str, secret: &Secret) {
        let text = match secret.reference() {
            Reference::Env(name) => format!("env {name}"),
            Reference::File(file) => format!("file {}", file.display()),
        };
        self.partly(path, text, secret.value().expose_secret().as_bytes());
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

    fn members(&mut self, path: &str, section: &impl Serialize) {
        self.flat(path, &Value::Object(members_of(section)));
    }

    /// A line for each leaf; what is not given has none.
    fn flat(&mut self, path: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::Object(members) => {
                for (name, member) in members {
                    self.flat(&within(path, name), member);
                }
            }
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                for (index, item) in items.iter().enumerate() {
                    self.flat(&format!("{path}[{index}]"), item);
                }
            }
            Value::Array(items) => self.list(path, items),
            Value::String(text) => self.text(path, text),
            plain => self.text(path, &plain.to_string()),
        }
    }

    fn list(&mut self, path: &str, items: &[Value]) {
        let whole: Vec<String> = items.iter().map(plain).collect();
        let shown: Vec<String> = whole.iter().map(|item| shown_text(item)).collect();
        let text = if shown.is_empty() {
            "none".to_owned()
        } else {
            shown.join(", ")
        };
        let hidden = (shown != whole).then(|| whole.join("\n"));
        self.line(path.to_owned(), text, false, hidden.as_deref().map(str::as_bytes));
    }

    /// A provider's own settings may hold anything: what is named like a secret is none that is shown.
    fn settings(&mut self, path: &str, settings: &Map<String, Value>) {
        for (name, value) in settings {
            let path = within(path, name);
            match value {
                _ if is_secret_name(name) => self.partly(&path, HIDDEN.to_owned(), value.to_string().as_bytes()),
                Value::Object(members) => self.settings(&path, members),
                Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                    for (index, item) in items.iter().enumerate() {
                        let one = Map::from_iter([(format!("[{index}]"), item.clone())]);
                        self.settings(&path, &one);
                    }
                }
                value => self.flat(&path, value),
            }
        }
    }

    fn connection(&mut self, connection: &Connection) {
        let path = format!("connections.{}", connection.name);
        self.head(path.clone(), format!("provider {}", connection.provider), None);
        let mut members = members_of(connection);
        for elsewhere in ["name", "provider", "credentials", "settings"] {
            members.remove(elsewhere);
        }
        self.flat(&path, &Value::Object(members));
        for (name, secret) in &connection.credentials {
            self.secret(&format!("{path}.credentials.{name}"), secret);
        }
        self.settings(&format!("{path}.settings"), &connection.settings);
    }

    fn route(&mut self, index: usize, route: &Route) {
        let path = format!("routes[{index}]");
        self.head(path.clone(), format!("to {}", route.to.join(", ")), None);
        let mut when = members_of(&route.when);
        when.retain(|_, values| values.as_array().is_some_and(|values| !values.is_empty()));
        self.flat(&format!("{path}.when"), &Value::Object(when));
    }

    fn source(&mut self, source: &WebhookIn) {
        let path = format!("webhooks.in.{}", source.source);
        let mut members = members_of(source);
        for elsewhere in ["source", "verify", "map", "only"] {
            members.remove(elsewhere);
        }
        let mut verify = members_of(&source.verify.scheme);
        let scheme = verify.remove("scheme").as_ref().map(plain).unwrap_or_default();
        self.head(path.clone(), format!("signed by {scheme}"), None);
        self.flat(&path, &Value::Object(members));
        self.flat(&format!("{path}.verify"), &Value::Object(verify));
        self.secrets(&format!("{path}.verify"), &source.verify.secrets);
        for (pointer, values) in &source.only {
            self.text(&format!("{path}.only.{pointer}"), &values.join(", "));
        }
        for (target, rule) in &source.map {
            self.text(&format!("{path}.map.{target}"), &plain(rule));
        }
    }

    fn endpoint(&mut self, endpoint: &WebhookOut) {
        let path = format!("webhooks.out.{}", endpoint.name);
        let url = endpoint.url.as_str();
        self.head(path.clone(), shown_text(url), Some(url.as_bytes()));
        let mut members = members_of(endpoint);
        for elsewhere in ["name", "url", "secrets"] {
            members.remove(elsewhere);
        }
        self.flat(&path, &Value::Object(members));
        self.secrets(&path, &endpoint.secrets);
    }
}

fn within(path: &str, name: &str) -> String {
    if path.is_empty() || name.starts_with('[') {
        format!("{path}{name}")
    } else {
        format!("{path}.{name}")
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

/// The same of some lines.
pub fn line_changes(merchant: Option<&str>, before: &[Line], after: &[Line]) -> Vec<Change> {
    let by_path = |lines: &'_ [Line]| -> BTreeMap<String, Line> {
        let entries = lines.iter().map(|line| (line.path.clone(), line.clone()));
        entries.collect()
    };
    let (was, is) = (by_path(before), by_path(after));
    let change = |path: &str, from: Option<String>, to: Option<String>| Change {
        merchant: merchant.map(str::to_owned),
        path: path.to_owned(),
        from,
        to,
    };
    let mut all = Vec::new();
    for line in outermost(before, &is) {
        all.push(change(&line.path, Some(line.text.clone()), None));
    }
    for line in after {
        let Some(earlier) = was.get(&line.path).filter(|earlier| *earlier != line) else {
            continue;
        };
        let to = if earlier.text == line.text {
            format!("{} (what is not shown of it has changed)", line.text)
        } else {
            line.text.clone()
        };
        all.push(change(&line.path, Some(earlier.text.clone()), Some(to)));
    }
    for line in outermost(after, &was) {
        all.push(change(&line.path, None, Some(line.text.clone())));
    }
    all
}

/// Those that the others have not; of a whole that they have not, its head alone.
fn outermost<'a>(lines: &'a [Line], others: &BTreeMap<String, Line>) -> Vec<&'a Line> {
    let mut found: Vec<&Line> = Vec::new();
    let mut heads: Vec<&str> = Vec::new();
    for line in lines.iter().filter(|line| !others.contains_key(&line.path)) {
        let belongs_to = |head: &&str| {
            let rest = line.path.strip_prefix(*head);
            rest.is_some_and(|rest| head.is_empty() || rest.starts_with(['.', '[']))
        };
        if heads.iter().any(belongs_to) {
            continue;
        }
        if line.is_head {
            heads.push(&line.path);
        }
        found.push(line);
    }
    found
}
