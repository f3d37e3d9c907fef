//! What can be said of a configuration without serving it: every problem, and what is allowed but hardly meant.

use std::sync::Arc;

use secrecy::ExposeSecret as _;
use upsert_app::Directory;
use upsert_core::SystemClock;
use upsert_provider_kit::Registry;
use upsert_sealing::{Keyring, NoSigningKey, SealingKey, SigningKey};
use upsert_settings::{ApiKey, Location, Problem, Reach, Settings};

use crate::config::builder::ConnectionBuilder;
use crate::config::day_counts::DayCounts;
use crate::telemetry::log_directives::filter;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// The gateway would not start.
    pub problems: Vec<Problem>,
    /// It would start, and something is probably not as it was meant.
    pub warnings: Vec<Problem>,
}

/// Checks settings that were read well: builds every provider dry, and calls nobody.
pub fn check(settings: &Settings, registry: Registry) -> Checked {
    let builder = ConnectionBuilder::new(registry, Arc::new(SystemClock));
    let mut problems = unfit(settings);
    if let Err(refused) = builder.assemble(settings, &Directory::default(), &DayCounts::default()) {
        problems.extend(refused);
    }
    Checked {
        problems,
        warnings: warnings(settings),
    }
}

/// What settings cannot judge by themselves.
pub(crate) fn unfit(settings: &Settings) -> Vec<Problem> {
    let mut problems = keyring(settings).err().unwrap_or_default();
    problems.extend(signing_key(settings).err());
    if let Err(error) = filter(&settings.telemetry.log) {
        problems.push(settings.telemetry.log_problem(error.to_string()));
    }
    problems
}

/// What signs certificates of erasures. Where secrets were skipped there is none.
pub(crate) fn signing_key(settings: &Settings) -> Result<Option<SigningKey>, Problem> {
    let key = settings.server.signing_key.as_ref().filter(|key| key.is_resolved());
    let read = key.map(|key| {
        let wrong = |bad: NoSigningKey| Problem::new(key.location(), "server.signing_key", bad.to_string());
        SigningKey::of_base64(key.value().expose_secret()).map_err(wrong)
    });
    read.transpose()
}

/// The keys that seal. Where secrets were skipped there are none.
pub(crate) fn keyring(settings: &Settings) -> Result<Keyring, Vec<Problem>> {
    let (mut keys, mut problems) = (Vec::new(), Vec::new());
    for key in settings
        .store
        .encryption_keys
        .iter()
        .filter(|key| key.key.is_resolved())
    {
        match SealingKey::read(&key.id, key.key.value()) {
            Ok(key) => keys.push(key),
            Err(bad) => problems.push(Problem::new(
                key.key.location(),
                "store.encryption_keys",
                bad.to_string(),
            )),
        }
    }
    if problems.is_empty() {
        Ok(Keyring::new(keys))
    } else {
        Err(problems)
    }
}

/// What is allowed but hardly meant.
pub(crate) fn warnings(settings: &Settings) -> Vec<Problem> {
    let mut warnings = settings.warnings.clone();
    if settings.api_keys.is_empty() {
        let problem = Problem::new(
            &gateway_file(settings),
            "api_keys",
            "there is no API key: nobody may call",
        );
        warnings.push(problem.hint("`upsert-gateway keys new` makes one"));
    }
    warnings.extend(settings.api_keys.iter().flat_map(|key| strangers(settings, key)));
    for merchant in settings.merchants.values() {
        for (index, source) in merchant.webhooks_in.iter().enumerate() {
            let warn = |message: &str, hint: &str| {
                let path = format!("webhooks.in[{index}]");
                Problem::new(&source.location, path, message).hint(hint)
            };
            if !source.names_people() {
                warnings.push(warn(
                    "nothing says who somebody is when the e-mail changes: the event becomes a new customer",
                    "map `reference`, or name the `connection` and its `provider_customer_id`",
                ));
            }
            if !source.tells_the_age() {
                warnings.push(warn(
                    "neither an event nor its signature says when it was: one that is played again is known by its id alone, \
                     which is kept for good. Under another id, or once `map` takes something else of it, it comes in as new",
                    "set `order_by`, or sign a timestamp",
                ));
            }
            if let Some(header) = source.unsigned_id_header() {
                let path = format!("webhooks.in[{index}].event_id");
                let message = format!("the header `{header}` is not signed: an event can be repeated under another id");
                let problem = Problem::new(&merchant.locate(&path), path, message);
                warnings.push(problem.hint("point into the body, such as [\"/id\", \"/updated_at\"]"));
            }
        }
    }
    warnings
}

/// Merchants that a key may speak for and that no file describes: only the store can tell whether they are there.
fn strangers<'a>(settings: &'a Settings, key: &'a ApiKey) -> impl Iterator<Item = Problem> + 'a {
    let listed: &[String] = match &key.merchants {
        Reach::All => &[],
        Reach::Merchants(listed) => listed,
    };
    let strangers = listed.iter().filter(|id| settings.merchant(id).is_none());
    strangers.map(|id| {
        let message = format!("no file describes the merchant `{id}`: it has to be in the store");
        Problem::new(&key.location, "api_keys", message)
            .hint("`upsert-gateway merchants list` shows those in the store")
    })
}

fn gateway_file(settings: &Settings) -> Location {
    let name = settings.files.first().map(|file| file.display().to_string());
    Location::whole(name.unwrap_or_else(|| "gateway.toml".to_owned()))
}
