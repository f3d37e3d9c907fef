//! From settings to merchants that can be called: providers out of the registry, under their policies.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;
use tokio::sync::watch;
use url::{Host, Url};

use upsert_app::{Connection, Directory, Endpoint, Merchant, Route, Source};
use upsert_core::{Clock, NeverMatch, VendorBlocks, Word as _};
use upsert_policy::{ConnectionPolicy, Jitter, Outside, SharedRate, standard_stack};
use upsert_provider_kit::{
    Built, ConnectionSetup, Credentials, InForce, Measured, Peer, Registry, TransportOptions, Transports, WhileInForce,
};
use upsert_settings::{self as settings, Problem, Settings, is_public};
use upsert_store::Store;

use crate::config::day_counts::DayCounts;
use crate::config::event_sender::HttpEventSender;
use crate::config::policies::{Retries, Status, policy_of};
use crate::config::turns::TurnsOfStore;

/// Endpoints share their client, whoever's they are.
const WEBHOOKS: &str = "webhooks";

/// What connections are built with, for as long as the process lives.
pub(crate) struct ConnectionBuilder {
    registry: Registry,
    transports: Transports,
    clock: Arc<dyn Clock>,
    /// Where turns under connections' rates come from, if other processes work with the store too.
    shared: Option<Arc<dyn Store>>,
}

impl fmt::Debug for ConnectionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionBuilder")
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

/// Rings each time that the breaker of one connection closes or opens.
#[derive(Debug)]
pub(crate) struct BreakerBell {
    pub(crate) merchant: String,
    pub(crate) connection: String,
    pub(crate) closed: watch::Receiver<u64>,
    pub(crate) opened: watch::Receiver<Option<Timestamp>>,
    pub(crate) blocked: watch::Receiver<VendorBlocks>,
    /// Once it is over, another connection has the name.
    pub(crate) in_force: InForce,
}

/// Merchants, ready to call.
#[derive(Debug, Default)]
pub(crate) struct Assembled {
    pub(crate) directory: Directory,
    /// Of connections that were not there before.
    pub(crate) bells: Vec<BreakerBell>,
}

impl ConnectionBuilder {
    pub(crate) fn new(registry: Registry, clock: Arc<dyn Clock>) -> Self {
        Self {
            registry,
            transports: Transports::new(Arc::new(is_public)),
            clock,
            shared: None,
        }
    }

    /// Whose connections share their limits with those of other processes over this store, if there are any.
    pub(crate) fn over(mut self, store: &Arc<dyn Store>) -> Self {
        self.shared = store.is_shared().then(|| Arc::clone(store));
        self
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Builds every merchant. A connection that says the same as in `before` is taken over as it is, with its open
    /// breaker, its limits and what it has used of them; any other starts from `counts`.
    ///
    /// # Errors
    /// Everything that providers refuse, each with file and line. Nothing has changed then.
    pub(crate) fn assemble(
        &self,
        settings: &Settings,
        before: &Directory,
        counts: &DayCounts,
    ) -> Result<Assembled, Vec<Problem>> {
        let (mut merchants, mut bells, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for merchant in settings.merchants.values() {
            let earlier = before.get(&merchant.id);
            match self.merchant(merchant, earlier.as_deref(), counts) {
                Ok((merchant, rung)) => {
                    merchants.push(merchant);
                    bells.extend(rung);
                }
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            let directory = Directory::beside(merchants, before.stored().clone());
            Ok(Assembled { directory, bells })
        } else {
            Err(problems)
        }
    }

    /// Builds one merchant, of which `earlier` is what it was before.
    ///
    /// # Errors
    /// Everything that providers refuse.
    pub(crate) fn merchant(
        &self,
        merchant: &settings::Merchant,
        earlier: Option<&Merchant>,
        counts: &DayCounts,
    ) -> Result<(Merchant, Vec<BreakerBell>), Vec<Problem>> {
        let (mut bells, mut problems) = (Vec::new(), Vec::new());
        let never_match = never_match_of(merchant).unwrap_or_else(|wrong| {
            problems.extend(wrong);
            Arc::default()
        });
        let mut connections = Vec::with_capacity(merchant.connections.len());
        for connection in &merchant.connections {
            let fingerprint = connection.fingerprint();
            let same = earlier
                .and_then(|earlier| earlier.connection(&connection.name))
                .filter(|same| same.fingerprint == fingerprint);
            let connection = match same {
                // What recognises nobody is the merchant's business: the policies go on as they are.
                Some(same) => Connection::clone(same),
                None => match self.build(&merchant.id, connection) {
                    Ok(built) => {
                        let (connection, bell) = self.finish(merchant, connection, built, fingerprint, counts);
                        bells.push(bell);
                        connection
                    }
                    Err(found) => {
                        problems.extend(found);
                        continue;
                    }
                },
            };
            connections.push(Arc::new(Connection {
                never_match: Arc::clone(&never_match),
                ..connection
            }));
        }
        match self.endpoints(merchant) {
            Ok(endpoints) if problems.is_empty() => {
                Ok((merchant_of(merchant, never_match, connections, endpoints), bells))
            }
            Ok(_) => Err(problems),
            Err(problem) => {
                problems.push(problem);
                Err(problems)
            }
        }
    }

    /// Whether a connection that names no URL goes to loopback, by its provider's default.
    pub(crate) fn goes_to_loopback_by_default(&self, connection: &settings::Connection) -> bool {
        let description = self.registry.description(&connection.provider);
        let default = description.and_then(|known| Url::parse(known.default_base_url).ok());
        let is_loopback = |url: Url| match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        connection.base_url.is_none() && default.is_some_and(is_loopback)
    }

    /// The provider alone, without policies, and what ends all that it sends.
    fn build(&self, merchant: &str, connection: &settings::Connection) -> Result<(Built, InForce), Vec<Problem>> {
        let options = TransportOptions {
            // Loopback is allowed in files, with plain HTTP too; settings have judged the URL.
            allow_plain_http: connection.allow_plain_http || self.is_plain(connection),
            allow_private_network: connection.allow_private_network,
        };
        let transport = self.transports.get(&connection.provider, options).map_err(|error| {
            vec![connection.problem("provider", format!("its HTTP client cannot be made: {error}"))]
        })?;
        let peer = Peer::Connection {
            merchant: merchant.to_owned(),
            connection: connection.name.clone(),
            provider: connection.provider.clone(),
        };
        let in_force = InForce::default();
        let secrets = connection.credentials.iter();
        let setup = ConnectionSetup {
            base_url: connection.base_url.clone(),
            credentials: Credentials::new(
                secrets
                    .map(|(name, secret)| (name.clone(), secret.value().clone()))
                    .collect(),
            ),
            settings: Json::Object(connection.settings.clone()),
            transport: Arc::new(WhileInForce::new(
                Arc::new(Measured::new(transport, peer)),
                in_force.clone(),
            )),
            clock: self.clock.clone(),
            send_traceparent: connection.send_traceparent,
        };
        let built = self.registry.build(&connection.provider, setup).map_err(|problems| {
            let located = problems
                .into_iter()
                .map(|problem| connection.problem(&problem.path, problem.message));
            located.collect::<Vec<_>>()
        })?;
        Ok((built, in_force))
    }

    /// Who is told of events, each with what reaches it.
    fn endpoints(&self, merchant: &settings::Merchant) -> Result<Vec<Arc<Endpoint>>, Problem> {
        let endpoint = |webhook: &settings::WebhookOut| {
            let options = TransportOptions {
                // Settings have judged the URL: loopback may be plain.
                allow_plain_http: webhook.allow_plain_http || webhook.url.scheme() == "http",
                allow_private_network: webhook.allow_private_network,
            };
            let transport = self.transports.get(WEBHOOKS, options).map_err(|error| {
                Problem::new(
                    &webhook.location,
                    "webhooks.out",
                    format!("its HTTP client cannot be made: {error}"),
                )
            })?;
            let peer = Peer::Endpoint {
                merchant: merchant.id.clone(),
                endpoint: webhook.name.clone(),
            };
            Ok(Arc::new(Endpoint {
                name: webhook.name.clone(),
                shown_url: webhook.shown_url(),
                events: webhook.events.iter().copied().collect(),
                payload: webhook.payload,
                keys: webhook.signing_keys(),
                sender: Arc::new(HttpEventSender {
                    url: webhook.url.clone(),
                    transport: Arc::new(Measured::new(transport, peer)),
                    clock: self.clock.clone(),
                }),
            }))
        };
        merchant.webhooks_out.iter().map(endpoint).collect()
    }

    /// Whether its vendor is reached by `http://`.
    fn is_plain(&self, connection: &settings::Connection) -> bool {
        match (&connection.base_url, self.registry.description(&connection.provider)) {
            (Some(url), _) => url.scheme() == "http",
            (None, description) => description.is_some_and(|known| known.default_base_url.starts_with("http://")),
        }
    }

    fn shared_rate(&self, merchant: &str, connection: &str, policy: &ConnectionPolicy) -> Option<Arc<dyn SharedRate>> {
        let store = self.shared.as_ref()?;
        let rate = TurnsOfStore::new(store, merchant, connection, policy.rate_limit?)?;
        Some(Arc::new(rate))
    }

    /// Puts the policies around it.
    fn finish(
        &self,
        merchant: &settings::Merchant,
        connection: &settings::Connection,
        (built, in_force): (Built, InForce),
        fingerprint: String,
        counts: &DayCounts,
    ) -> (Connection, BreakerBell) {
        let capabilities = &built.provider.info().capabilities;
        let usual_payload = capabilities.default_payload;
        let policy = policy_of(connection, capabilities.known_daily_limit);
        let outside = Outside {
            clock: self.clock.clone(),
            day_count: Arc::new(counts.of(&merchant.id, &connection.name)),
            jitter: Jitter::fair(),
            shared_rate: self.shared_rate(&merchant.id, &connection.name, &policy),
        };
        let (provider, reader) = (built.provider, built.reader);
        let stack = standard_stack(provider, reader, &policy, &merchant.id, &connection.name, outside);
        let bell = BreakerBell {
            merchant: merchant.id.clone(),
            connection: connection.name.clone(),
            closed: stack.status.on_breaker_closed(),
            opened: stack.status.on_breaker_opened(),
            blocked: stack.status.on_blocked(),
            in_force: in_force.clone(),
        };
        let connection = Connection {
            name: connection.name.clone(),
            provider: connection.provider.clone(),
            required: connection.required,
            payload: connection.payload.unwrap_or(usual_payload),
            on_collision: connection.on_collision,
            on_key_change: connection.on_key_change,
            // The merchant's is put in its place.
            never_match: Arc::default(),
            timeout: connection.timeout,
            max_age: connection.retry.max_age,
            counts_calls: policy.rate_limit.is_some_and(|limit| limit.per_day.is_some()),
            adapter: stack.provider,
            reader: stack.reader,
            retry: Arc::new(Retries(stack.retry)),
            status: Arc::new(Status {
                policies: stack.status,
                in_force,
            }),
            fingerprint,
        };
        (connection, bell)
    }
}

/// What recognises nobody, read by the merchant's region.
fn never_match_of(merchant: &settings::Merchant) -> Result<Arc<NeverMatch>, Vec<Problem>> {
    let settings::NeverMatch { phone, email } = &merchant.never_match;
    let read = NeverMatch::new(email, phone, merchant.default_region.as_deref());
    read.map(Arc::new).map_err(|wrong| {
        let located = wrong.into_iter().map(|(kind, place, why)| {
            let member = format!("never_match.{}[{place}]", kind.as_str());
            Problem::new(&merchant.locate(&member), member, why)
        });
        located.collect()
    })
}

fn merchant_of(
    merchant: &settings::Merchant,
    never_match: Arc<NeverMatch>,
    connections: Vec<Arc<Connection>>,
    endpoints: Vec<Arc<Endpoint>>,
) -> Merchant {
    Merchant {
        id: merchant.id.clone(),
        default_region: merchant.default_region.clone(),
        match_on: merchant.match_on.clone(),
        never_match,
        sync_deadline: merchant.sync_deadline,
        connections,
        routes: merchant.routes.iter().map(route_of).collect(),
        sources: merchant
            .webhooks_in
            .iter()
            .map(|webhook| Arc::new(source_of(merchant, webhook)))
            .collect(),
        endpoints,
    }
}

/// A source that is named like a connection is taken for that connection's vendor.
fn source_of(merchant: &settings::Merchant, webhook: &settings::WebhookIn) -> Source {
    let named_alike = || {
        merchant
            .connections
            .iter()
            .find(|connection| connection.name == webhook.source)
    };
    let connection = webhook.connection.clone();
    Source {
        name: webhook.source.clone(),
        verifier: webhook.verify.verifier(),
        mapping: webhook.mapping.clone(),
        connection: connection.or_else(|| named_alike().map(|connection| connection.name.clone())),
        handling: webhook.handling,
        body_limit: webhook.body_limit,
        ping: webhook.ping.clone(),
    }
}

fn route_of(route: &settings::Route) -> Route {
    Route {
        when: route.when.clone(),
        to: route.to.clone(),
    }
}
