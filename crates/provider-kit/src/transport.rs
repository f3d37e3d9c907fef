//! The one place that sends: reqwest, without redirects, retries or proxies, with bounded answers.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

/// The longest answer that is read, after decompression.
pub const MAX_REPLY_BYTES: usize = 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const POOL_IDLE: Duration = Duration::from_secs(30);
const POOL_IDLE_PER_HOST: usize = 64;

/// Decides whether an address that a name resolved to may be called.
pub type AddressFilter = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// A request on its way, credentials included. It has no `Debug`.
pub struct Outgoing {
    /// HTTP method.
    pub method: http::Method,
    /// The whole URL.
    pub url: Url,
    /// Headers, credentials included.
    pub headers: HeaderMap,
    /// The body, if there is one.
    pub body: Option<Bytes>,
}

/// Status, headers and body of an answer. `Debug` shows status and size; the rest may be personal data.
#[derive(derive_more::Debug)]
#[debug("Incoming({status}, {} bytes)", body.len())]
pub struct Incoming {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A call that brought no answer. The texts are free of personal data.
#[derive(Debug)]
pub enum TransportError {
    /// Nothing was sent: the name did not resolve, the connection was refused, TLS failed.
    NotSent(String),
    /// Nothing was sent: the configuration in force has something else in the place of what was to be called, or nothing.
    Replaced,
    /// Something may have been sent: whether the vendor acted on it is not known.
    Interrupted(String),
    /// The same, with what had arrived of an acceptance until it broke off.
    BrokeOff(Box<Incoming>),
    /// The acceptance was longer than [`MAX_REPLY_BYTES`]; with its beginning.
    TooLarge(Box<Incoming>),
}

/// Sends one request once.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends it and reads the answer whole.
    ///
    /// # Errors
    /// Whether anything may have reached the vendor.
    async fn send(&self, outgoing: Outgoing) -> Result<Incoming, TransportError>;
}

/// What sets one client apart from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransportOptions {
    /// Whether `http://` may be used.
    pub allow_plain_http: bool,
    /// Whether names may resolve to private addresses.
    pub allow_private_network: bool,
}

/// Makes one client for each provider and set of options, shared by all connections with both in common.
#[derive(derive_more::Debug)]
#[debug("Transports")]
pub struct Transports {
    is_public: AddressFilter,
    made: Mutex<HashMap<(String, TransportOptions), Arc<ReqwestTransport>>>,
}

impl Transports {
    /// `is_public` tells addresses that may be called by anybody's configuration from those that may not.
    pub fn new(is_public: AddressFilter) -> Self {
        Self {
            is_public,
            made: Mutex::new(HashMap::new()),
        }
    }

    /// The client for this provider and these options.
    ///
    /// # Errors
    /// The TLS library could not be set up.
    pub fn get(&self, provider: &str, options: TransportOptions) -> Result<Arc<ReqwestTransport>, String> {
        let mut made = self.made.lock();
        if let Some(transport) = made.get(&(provider.to_owned(), options)) {
            return Ok(transport.clone());
        }
        let transport = Arc::new(ReqwestTransport::new(options, self.is_public.clone())?);
        made.insert((provider.to_owned(), options), transport.clone());
        Ok(transport)
    }
}

/// The transport over HTTP.
#[derive(derive_more::Debug)]
#[debug("ReqwestTransport")]
pub struct ReqwestTransport {
    client: reqwest::Client,
}

impl ReqwestTransport {
    /// A client with its own pool of connections.
    ///
    /// # Errors
    /// The TLS library could not be set up.
    pub fn new(options: TransportOptions, is_public: AddressFilter) -> Result<Self, String> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .https_only(!options.allow_plain_http)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
            .tcp_nodelay(true)
            .user_agent(concat!("upsert-gateway/", env!("CARGO_PKG_VERSION")));
        if !options.allow_private_network {
            let names = Arc::new(SystemNames);
            builder = builder.dns_resolver(Arc::new(FilteredDns { is_public, names }));
        }
        let client = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { client })
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, outgoing: Outgoing) -> Result<Incoming, TransportError> {
        let mut request = self
            .client
            .request(outgoing.method, outgoing.url)
            .headers(outgoing.headers);
        if let Some(body) = outgoing.body {
            request = request.body(body);
        }
        let mut response = request.send().await.map_err(|error| meaning(&error))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = BytesMut::new();
        // What an answer means that accepts nothing its status says, however much of its words arrives.
        let has_to_be_whole = response.status().is_success();
        let mut is_not_whole: Option<fn(Box<Incoming>) -> TransportError> = None;
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(_) => {
                    is_not_whole = Some(TransportError::BrokeOff);
                    break;
                }
            };
            let room = MAX_REPLY_BYTES - body.len();
            if chunk.len() <= room {
                body.extend_from_slice(&chunk);
            } else {
                body.extend_from_slice(&chunk[..room]);
                is_not_whole = Some(TransportError::TooLarge);
                break;
            }
        }
        let incoming = Incoming {
            status,
            headers,
            body: body.freeze(),
        };
        match is_not_whole.filter(|_| has_to_be_whole) {
            Some(error) => Err(error(Box::new(incoming))),
            None => Ok(incoming),
        }
    }
}

/// Before a connection stands nothing was sent; after that, nobody can tell.
fn meaning(error: &reqwest::Error) -> TransportError {
    if error.is_connect() || error.is_builder() {
        TransportError::NotSent("could not connect".to_owned())
    } else if error.is_timeout() {
        TransportError::Interrupted("timed out".to_owned())
    } else {
        TransportError::Interrupted("the connection broke".to_owned())
    }
}

/// What names resolve to.
#[async_trait]
trait Names: Send + Sync + 'static {
    async fn look_up(&self, host: &str) -> io::Result<Vec<SocketAddr>>;
}

/// As the system has it.
struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn look_up(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.collect())
    }
}

/// The system's resolver, without the addresses that the configuration does not allow. What is connected to is what was looked
/// at here: a name that resolves to something else the next time is looked at then. `localhost` is the one name that may be
/// loopback: settings let it through only where an operator wrote it in a file.
struct FilteredDns {
    is_public: AddressFilter,
    names: Arc<dyn Names>,
}

impl Resolve for FilteredDns {
    fn resolve(&self, name: Name) -> Resolving {
        let (is_public, names) = (self.is_public.clone(), self.names.clone());
        Box::pin(async move {
            let may_be_loopback = name.as_str() == "localhost";
            let found = names.look_up(name.as_str()).await?.into_iter();
            let allowed: Vec<SocketAddr> = found
                .filter(|address| is_public(address.ip()) || (may_be_loopback && address.ip().is_loopback()))
                .collect();
            if allowed.is_empty() {
                return Err("the name resolves to no address that may be called".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "it lives as long as the test")]
    /// What is made of an answer with this status and a body of so many bytes, all but `missing` of which are sent.
    async fn answered(status: u16, length: usize, missing: usize) -> Result<Incoming, TransportError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1_024];
            let _ = stream.read(&mut request).await.unwrap();
            let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            // Whoever has read enough hangs up.
            let _ = stream.write_all(&vec![b'x'; length - missing]).await;
        });
        let options = TransportOptions {
            allow_plain_http: true,
            allow_private_network: true,
        };
        let transport = ReqwestTransport::new(options, Arc::new(|_| true)).unwrap();
        let outgoing = Outgoing {
            method: http::Method::GET,
            url,
            headers: HeaderMap::new(),
            body: None,
        };
        transport.send(outgoing).await
    }

    #[tokio::test]
    async fn what_accepts_nothing_means_what_its_status_says_however_much_of_it_arrives() {
        for status in [302, 400, 429, 503] {
            for (length, missing, read) in [
                (10, 0, 10),
                (10, 4, 6),
                (MAX_REPLY_BYTES, 0, MAX_REPLY_BYTES),
                (MAX_REPLY_BYTES + 1, 0, MAX_REPLY_BYTES),
                (3 * MAX_REPLY_BYTES, 0, MAX_REPLY_BYTES),
            ] {
                let answer = answered(status, length, missing)
                    .await
                    .map_err(|error| format!("{error:?}"));
                let answer = answer.map(|answer| (answer.status, answer.body.len()));
                assert_eq!(answer, Ok((status, read)), "{status} {length} {missing}");
            }
        }
    }

    #[tokio::test]
    async fn an_acceptance_has_to_arrive_whole() {
        let one_mebibyte = 1_048_576;
        assert_eq!(
            answered(200, one_mebibyte, 0).await.ok().unwrap().body.len(),
            one_mebibyte
        );
        let Err(TransportError::TooLarge(beginning)) = answered(201, one_mebibyte + 1, 0).await else {
            panic!("more than can be read was taken");
        };
        assert_eq!((beginning.status, beginning.body.len()), (201, one_mebibyte));
        let Err(TransportError::BrokeOff(beginning)) = answered(200, 10, 4).await else {
            panic!("half an acceptance was taken");
        };
        assert_eq!((beginning.status, &*beginning.body), (200, b"xxxxxx".as_slice()));
    }

    #[tokio::test]
    async fn what_cannot_be_called_was_not_sent() {
        // Nobody listens there any more.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        for allow_plain_http in [true, false] {
            let options = TransportOptions {
                allow_plain_http,
                allow_private_network: true,
            };
            let transport = ReqwestTransport::new(options, Arc::new(|_| true)).unwrap();
            let outgoing = Outgoing {
                method: http::Method::GET,
                url: format!("http://{address}/").parse().unwrap(),
                headers: HeaderMap::new(),
                body: None,
            };
            let Err(TransportError::NotSent(said)) = transport.send(outgoing).await else {
                panic!("it may have been sent: {allow_plain_http}");
            };
            assert_eq!(said, "could not connect");
        }
    }

    #[tokio::test]
    async fn a_name_leads_to_public_addresses_and_localhost_to_its_own_machine() {
        for (name, everything_is_public, may_be_called) in [
            ("localhost", false, true),
            ("127.0.0.1", false, false),
            ("127.0.0.1", true, true),
            ("192.0.2.1", false, false),
            ("192.0.2.1", true, true),
        ] {
            let dns = FilteredDns {
                is_public: Arc::new(move |_| everything_is_public),
                names: Arc::new(SystemNames),
            };
            let found = dns.resolve(name.parse().unwrap()).await;
            let found: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
            assert_eq!(!found.is_empty(), may_be_called, "{name} {everything_is_public}");
        }
    }

    /// Answers otherwise each time, from the last one to the first.
    struct Rebinding(Mutex<Vec<Vec<IpAddr>>>);

    #[async_trait]
    impl Names for Rebinding {
        async fn look_up(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
            let answer = self.0.lock().pop().unwrap_or_default();
            Ok(answer.into_iter().map(|address| (address, 0).into()).collect())
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_inside_the_second_time_is_not_connected_to_nor_is_what_it_resolves_to_beside() {
        let public: IpAddr = "127.0.0.2".parse().unwrap();
        let inside: IpAddr = "127.0.0.1".parse().unwrap();
        let outside = TcpListener::bind((public, 0)).await.unwrap();
        let port = outside.local_addr().unwrap().port();
        let trap = TcpListener::bind((inside, port)).await.unwrap();
        let answers = vec![vec![inside], vec![inside, public], vec![public]];
        let dns = FilteredDns {
            is_public: Arc::new(move |address| address == public),
            names: Arc::new(Rebinding(Mutex::new(answers))),
        };
        let client = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(dns));
        let transport = ReqwestTransport {
            client: client.build().unwrap(),
        };
        let answering = async {
            loop {
                let (mut stream, _) = outside.accept().await.unwrap();
                let mut request = [0; 1_024];
                let _ = stream.read(&mut request).await.unwrap();
                let head = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
                stream.write_all(head).await.unwrap();
            }
        };
        let asking = async {
            let mut statuses = Vec::new();
            for _ in 0..3 {
                let outgoing = Outgoing {
                    method: http::Method::GET,
                    url: format!("http://vendor.example:{port}/").parse().unwrap(),
                    headers: HeaderMap::new(),
                    body: None,
                };
                statuses.push(transport.send(outgoing).await.map(|answer| answer.status).ok());
            }
            statuses
        };
        tokio::select! {
            statuses = asking => assert_eq!(statuses, [Some(204), Some(204), None]),
            () = answering => {}
        }
        let came = tokio::time::timeout(Duration::from_millis(100), trap.accept()).await;
        assert!(came.is_err(), "somebody came to the trap");
    }
}
