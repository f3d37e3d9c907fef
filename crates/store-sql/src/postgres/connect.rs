//! Connecting: what the URL says, TLS, and connections that are driven by threads of the store's own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use super::OpenError;

/// How a connection is protected, in libpq's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Not at all.
    Disable,
    /// By TLS where the server offers it.
    Prefer,
    /// By TLS, whoever answers.
    Require,
    /// By TLS, and the certificate is somebody's whom we trust.
    VerifyCa,
    /// By TLS, and the certificate is the host's.
    VerifyFull,
}

/// Connects to one database.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) config: Config,
    tls: MakeRustlsConnect,
    runtime: Handle,
    is_by_key: bool,
}

impl Connector {
    /// By a URL as libpq has it: `sslmode` (`disable`, `prefer`, `require`, `verify-ca`, `verify-full`; the last away from
    /// this machine, `disable` on it) and `sslrootcert` (a file of certificates; the system's otherwise) among its
    /// parameters. Connections live on this runtime.
    pub(super) fn new(url: &str, runtime: Handle) -> Result<Self, OpenError> {
        let (plain, mode, roots) = apart(url)?;
        let mut config: Config = plain
            .parse()
            .map_err(|_| OpenError::Url("it is not one that PostgreSQL has"))?;
        let mode = mode.unwrap_or_else(|| usual_mode(&config));
        config.ssl_mode(match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        });
        config.application_name("upsert-gateway");
        config.connect_timeout(CONNECT_TIMEOUT);
        config.keepalives_idle(KEEPALIVE);
        config.tcp_user_timeout(KEEPALIVE);
        let tls = MakeRustlsConnect::new(tls(mode, roots.as_deref())?);
        Ok(Self {
            config,
            tls,
            runtime,
            is_by_key: false,
        })
    }

    /// The same for statements that find every row by the whole of its key.
    pub(super) fn by_key(&self) -> Self {
        Self {
            is_by_key: true,
            ..self.clone()
        }
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        let (config, tls) = (self.config.clone(), self.tls.clone());
        let hints: &[&str] = if self.is_by_key { &BY_KEY } else { &[] };
        let connect = async move {
            let (client, connection) = config.connect(tls).await?;
            // Whoever uses the client sees that it is closed.
            let driver = Handle::current().spawn(async move { drop(connection.await) });
            client.batch_execute(SETTINGS).await?;
            for hint in hints {
                match client.batch_execute(hint).await {
                    // An engine that does not know it plans as it does.
                    Err(error) if error.as_db_error().is_none() => return Err(error),
                    _ => {}
                }
            }
            Ok((client, driver))
        };
        match self.runtime.spawn(connect).await {
            Ok(connected) => connected,
            // The store is being closed: nothing is to be had from it any more.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Connector {
    /// A new connection, and what the server says by itself, until it is lost.
    pub(super) async fn connect_to_hear(
        &self,
    ) -> Result<(Client, mpsc::UnboundedReceiver<AsyncMessage>), tokio_postgres::Error> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await?;
        let (told, messages) = mpsc::unbounded_channel();
        self.runtime.spawn(async move {
            let next = |context: &mut Context<'_>| connection.poll_message(context);
            let mut said = poll_fn(next);
            while let Some(Ok(message)) = said.next().await {
                if told.send(message).is_err() {
                    return;
                }
            }
        });
        client.batch_execute(SETTINGS).await?;
        Ok((client, messages))
    }
}

impl deadpool_postgres::Connect for Connector {
    fn connect(&self, _: &Config) -> Connected<'_> {
        Box::pin(Self::connect(self))
    }
}

type Connected<'a> = Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), tokio_postgres::Error>> + Send + 'a>>;

/// A process that is stopped in the middle of a transaction must not keep others from its rows, and no statement takes for
/// ever: whoever asked has given up by then.
const SETTINGS: &str = "SET idle_in_transaction_session_timeout = '5s'; SET statement_timeout = '15s'";

/// The writer's statements find their rows by keys, whatever the planner knows of the table: a plan that was made when the
/// table was empty reads it whole, and is kept until the table is analysed. And they are planned once, not anew each time.
const BY_KEY: [&str; 4] = [
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET plan_cache_mode = force_generic_plan",
];

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// After so long without a word the other side is asked whether it is there, and given up where it does not say so.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// The URL without what the client does not know, the mode and the file of certificates that it names.
fn apart(url: &str) -> Result<(String, Option<Mode>, Option<String>), OpenError> {
    let mut url = Url::parse(url).map_err(|_| OpenError::Url("it is not a URL"))?;
    let (mut mode, mut roots, mut others) = (None, None, Vec::new());
    for (name, value) in url.query_pairs() {
        match &*name {
            "sslmode" => {
                mode = Some(match &*value {
                    "disable" => Mode::Disable,
                    "prefer" => Mode::Prefer,
                    "require" => Mode::Require,
                    "verify-ca" => Mode::VerifyCa,
                    "verify-full" => Mode::VerifyFull,
                    _ => {
                        return Err(OpenError::Url(
                            "`sslmode` is `disable`, `prefer`, `require`, `verify-ca` or `verify-full`",
                        ));
                    }
                });
            }
            "sslrootcert" => roots = Some(value.into_owned()),
            _ => others.push((name.into_owned(), value.into_owned())),
        }
    }
    url.set_query(None);
    if !others.is_empty() {
        url.query_pairs_mut().extend_pairs(others);
    }
    Ok((url.into(), mode, roots))
}

/// Where the URL does not say.
fn usual_mode(config: &Config) -> Mode {
    if config.get_hosts().iter().all(is_this_machine) {
        Mode::Disable
    } else {
        Mode::VerifyFull
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    }
}

fn tls(mode: Mode, roots: Option<&str>) -> Result<ClientConfig, OpenError> {
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|_| OpenError::Tls("no version of TLS is to be had".to_owned()))?;
    let verifier: Arc<dyn ServerCertVerifier> = match mode {
        Mode::Disable | Mode::Prefer | Mode::Require => Arc::new(Whoever { provider }),
        Mode::VerifyCa => Arc::new(AnyName {
            roots: trusted(roots)?,
            provider,
        }),
        Mode::VerifyFull => {
            let roots = Arc::new(trusted(roots)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
            verifier.map_err(|error| OpenError::Tls(error.to_string()))?
        }
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    Ok(builder.with_no_client_auth())
}

/// Certificates of a file, or the system's.
fn trusted(file: Option<&str>) -> Result<RootCertStore, OpenError> {
    let mut roots = RootCertStore::empty();
    let unreadable = |why: String| OpenError::Tls(why);
    match file {
        Some(file) => {
            let certificates = CertificateDer::pem_file_iter(file);
            let certificates = certificates.map_err(|error| unreadable(format!("`sslrootcert` {file}: {error}")))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| unreadable(format!("`sslrootcert` {file}: {error}")))?;
                let added = roots.add(certificate);
                added.map_err(|error| unreadable(format!("`sslrootcert` {file}: {error}")))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(OpenError::Tls(
            "there are no certificates to trust: name a file by `sslrootcert`".to_owned(),
        ));
    }
    Ok(roots)
}

/// Takes whatever certificate there is: `require` is against who listens, not against who answers.
#[derive(Debug)]
struct Whoever {
    provider: Arc<CryptoProvider>,
}

/// Takes a certificate of whom we trust, whatever name is in it.
#[derive(Debug)]
struct AnyName {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

macro_rules! signatures_are_checked {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider
                .signature_verification_algorithms
                .supported_schemes()
        }
    };
}

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    signatures_are_checked!();
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(certificate)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, between, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    signatures_are_checked!();
}

#[cfg(test)]
mod tests {
    use upsert_testkit::postgres::Database;

    use super::*;

    #[tokio::test]
    async fn a_transaction_that_stands_still_ends_and_so_does_a_statement_that_takes_too_long() {
        let database = Database::new();
        let connector = Connector::new(database.url(), Handle::current()).unwrap();
        let (client, _driver) = connector.connect().await.unwrap();
        for (setting, expected) in [
            ("idle_in_transaction_session_timeout", "5s"),
            ("statement_timeout", "15s"),
        ] {
            let row = client.query_one(&format!("SHOW {setting}"), &[]).await.unwrap();
            assert_eq!(row.get::<_, &str>(0), expected, "{setting}");
        }
    }

    #[test]
    fn tls_is_the_default_away_from_this_machine() {
        for (url, expected) in [
            ("postgres://gateway@localhost/gateway", Mode::Disable),
            ("postgres://gateway@127.0.0.1:5433/gateway", Mode::Disable),
            ("postgres://gateway@[::1]/gateway", Mode::Disable),
            ("postgres://gateway@%2Ftmp%2Fsockets/gateway", Mode::Disable),
            ("postgres://gateway@db.example.com/gateway", Mode::VerifyFull),
            ("postgres://gateway@10.0.0.7/gateway", Mode::VerifyFull),
            ("postgres://gateway@localhost,db.example.com/gateway", Mode::VerifyFull),
        ] {
            assert_eq!(usual_mode(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn what_the_client_does_not_know_is_taken_out_of_the_url() {
        let url = "postgres://gateway@db.example.com/gateway?sslmode=verify-ca&connect_timeout=3&sslrootcert=%2Fetc%2Froot.pem";
        let (plain, mode, roots) = apart(url).unwrap();
        assert_eq!(plain, "postgres://gateway@db.example.com/gateway?connect_timeout=3");
        assert_eq!((mode, roots.as_deref()), (Some(Mode::VerifyCa), Some("/etc/root.pem")));
    }

    #[test]
    fn a_mode_that_nobody_knows_is_refused_and_so_are_certificates_that_are_not_there() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for url in [
            "postgres://localhost/gateway?sslmode=maybe",
            "postgres://localhost/gateway?sslmode=verify-full&sslrootcert=/nowhere/root.pem",
            "mysql://localhost/gateway",
        ] {
            assert!(Connector::new(url, runtime.handle().clone()).is_err(), "{url}");
        }
    }
}
