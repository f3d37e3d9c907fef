//! Merchants in the store: checked like files, sealed, and built from what is kept of them.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value as Json;
use tokio::sync::mpsc::UnboundedSender;

use upsert_app::{AuditKeys, BuildMerchant, Merchant, Refusal};
use upsert_core::{Clock, Problem as Wrong};
use upsert_sealing::Keyring;
use upsert_settings::{ApiMerchant, ApiRules, Environment, Problem, Settings, pointer};
use upsert_store::MerchantRecord;

use crate::config::builder::{BreakerBell, ConnectionBuilder};
use crate::config::check;
use crate::config::day_counts::DayCounts;
use crate::config::sealed_merchant::{SealedMerchant, Unsealable};

/// By what they are read and sealed, as the configuration in force says.
#[derive(Debug)]
pub(crate) struct Rules {
    api: ApiRules,
    keyring: Arc<Keyring>,
    /// The configured keys and rules as they were written, to tell whether they have changed.
    said: Said,
}

/// Ids and values of keys are compared by the settings' own form, which shows no value: a key that is replaced gets another
/// id, as a sealed row names it.
type Said = (ApiRules, Vec<String>);

/// What merchants in the store are built with, for as long as the process lives.
#[derive(Debug)]
pub(crate) struct MerchantBuilder {
    builder: Arc<ConnectionBuilder>,
    clock: Arc<dyn Clock>,
    environment: Environment,
    folder: PathBuf,
    rules: ArcSwap<Rules>,
    /// Who listens for breakers that close.
    bells: UnboundedSender<BreakerBell>,
}

/// Where references are followed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    pub(crate) environment: Environment,
    pub(crate) folder: PathBuf,
}

fn said(settings: &Settings) -> Said {
    let keys = settings.store.encryption_keys.iter().map(|key| key.id.clone());
    (settings.server.api_rules(), keys.collect())
}

fn rules(settings: &Settings) -> Result<Rules, Vec<Problem>> {
    Ok(Rules {
        api: settings.server.api_rules(),
        keyring: check::keyring(settings).map(Arc::new)?,
        said: said(settings),
    })
}

impl MerchantBuilder {
    pub(crate) fn new(
        settings: &Settings,
        builder: Arc<ConnectionBuilder>,
        clock: Arc<dyn Clock>,
        around: Surroundings,
        bells: UnboundedSender<BreakerBell>,
    ) -> Result<Self, Vec<Problem>> {
        Ok(Self {
            builder,
            clock,
            environment: around.environment,
            folder: around.folder,
            rules: ArcSwap::from_pointee(rules(settings)?),
            bells,
        })
    }

    /// What another configuration says, to be taken over once nothing can go wrong any more.
    ///
    /// # Errors
    /// Its keys cannot be used.
    pub(crate) fn rules_of(settings: &Settings) -> Result<Rules, Vec<Problem>> {
        rules(settings)
    }

    /// Takes it over. Whether anything of it is new, so that what was built is to be built anew.
    pub(crate) fn configure(&self, rules: Rules) -> bool {
        let is_new = self.rules.load().said != rules.said;
        self.rules.store(Arc::new(rules));
        is_new
    }

    /// The configured keys.
    pub(crate) fn keyring(&self) -> Arc<Keyring> {
        self.rules.load().keyring.clone()
    }

    /// The id of the key that seals; none: nothing can be sealed.
    pub(crate) fn seals_with(&self) -> Option<String> {
        self.rules.load().keyring.seals_with().map(str::to_owned)
    }

    /// The first of these keys that is not configured.
    pub(crate) fn missing_key(&self, keys: &[String]) -> Option<String> {
        let rules = self.rules.load();
        keys.iter().find(|id| !rules.keyring.has(id)).cloned()
    }

    /// Checks a merchant that is to be put, like a file, and seals its secrets. It may read files that are referred to.
    ///
    /// # Errors
    /// 422 with everything that is wrong, by JSON Pointer.
    pub(crate) fn seal(&self, id: &str, document: Json) -> Result<SealedMerchant, Refusal> {
        let rules = self.rules.load();
        let read = self.read(&rules, &document);
        let built = read.and_then(|read| {
            self.judge(&rules, &read)?;
            self.builder.merchant(&read.merchant, None, &DayCounts::default())?;
            Ok(read)
        });
        let read = built.map_err(|problems| Refusal::invalid(problems.iter().map(wrong).collect()))?;
        SealedMerchant::seal(id, document, &read.given, &rules.keyring).map_err(|error| match error {
            Unsealable::NoKey => {
                let detail = "there is no key to seal it with: `store.encryption_keys` is empty";
                let wrong = |pointer: &Arc<str>| Wrong::new(&**pointer, "no_encryption_key", detail);
                Refusal::invalid(read.given.iter().map(wrong).collect())
            }
            Unsealable::Failed(error) => {
                tracing::error!(%error, "a merchant could not be sealed");
                Refusal::new(upsert_api::ProblemCode::Internal, "the request could not be handled")
            }
        })
    }

    /// The same row, sealed by the first key.
    pub(crate) fn sealed_anew(&self, row: &MerchantRecord) -> Result<MerchantRecord, String> {
        let kept = kept(row)?;
        let anew = kept.sealed_anew(&row.id, &self.rules.load().keyring)?;
        Ok(MerchantRecord {
            sealed_with: anew.sealed_with().map(str::to_owned),
            body: Some(anew.body()),
            ..row.clone()
        })
    }

    fn read(&self, rules: &Rules, document: &Json) -> Result<ApiMerchant, Vec<Problem>> {
        ApiMerchant::read(document, &rules.api, &self.environment, &self.folder)
    }

    /// What settings cannot know: where a provider goes by default.
    fn judge(&self, rules: &Rules, read: &ApiMerchant) -> Result<(), Vec<Problem>> {
        if rules.api.may_use_loopback {
            return Ok(());
        }
        let connections = read.merchant.connections.iter();
        let inside = connections.filter(|connection| self.builder.goes_to_loopback_by_default(connection));
        let problems: Vec<Problem> = inside
            .map(|connection| {
                let message = "has to be given: the provider's default is loopback, which is for merchants in files";
                connection.problem("base_url", message)
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// A row's body.
pub(crate) fn kept(row: &MerchantRecord) -> Result<SealedMerchant, String> {
    let body = row.body.as_deref().unwrap_or_default();
    SealedMerchant::read(body).map_err(|_| "its row cannot be read".to_owned())
}

/// A problem of a document that came over the API.
fn wrong(problem: &Problem) -> Wrong {
    let detail = match &problem.hint {
        Some(hint) => format!("{} ({hint})", problem.message),
        None => problem.message.clone(),
    };
    Wrong::new(pointer(problem), "invalid", detail)
}

/// The audit trail is keyed with the key that seals.
impl AuditKeys for MerchantBuilder {
    fn current(&self) -> Option<String> {
        self.seals_with()
    }

    fn sign(&self, key: &str, bytes: &[u8]) -> Option<[u8; 32]> {
        self.rules.load().keyring.sign(key, bytes)
    }
}

impl BuildMerchant for MerchantBuilder {
    fn build(
        &self,
        record: &MerchantRecord,
        calls: &[(String, u32)],
        before: Option<&Merchant>,
    ) -> Result<Merchant, String> {
        let rules = self.rules.load();
        let document = kept(record)?.open(&record.id, &rules.keyring);
        let document = document.map_err(|error| error.to_string())?;
        let counts = DayCounts::of_merchant(&record.id, calls, &*self.clock);
        let built = self.read(&rules, &document).and_then(|read| {
            self.judge(&rules, &read)?;
            self.builder.merchant(&read.merchant, before, &counts)
        });
        let (merchant, bells) = built.map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            lines.join("; ")
        })?;
        for bell in bells {
            // Nobody listens any more once the server stops.
            let _stopping = self.bells.send(bell);
        }
        Ok(merchant)
    }
}
