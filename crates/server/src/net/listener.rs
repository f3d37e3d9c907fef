//! Listening: the HTTP server with its limits, bound before anything runs.
//!
//! It is put together here from the parts of which `actix_web::HttpServer` is made, because that one hands nobody the
//! stream of a connection.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, future, io, thread};

use actix_http::body::{BoxBody, MessageBody};
use actix_http::{HttpServiceBuilder, Protocol, Request, Response};
use actix_server::{GracefulShutdownSignal, Server, ServerBuilder};
use actix_service::{
    IntoService as _, IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, fn_factory, map_config,
};
use actix_web::dev::AppConfig;
use actix_web::rt;
use socket2::{Domain, Protocol as Transport, Socket, Type};
use tokio::net::TcpStream;

use crate::net::connections::Connections;
use crate::net::queue::Queue;
use crate::net::watched::Watched;

const BACKLOG: u32 = 4_096;
/// How much of an answer the system keeps for somebody without a key who does not read it.
const SEND_BUFFER: usize = 32 * 1024;
/// How much of an answer is copied into the buffer of its connection before it is handed to the system.
pub(crate) const WRITE_BUFFER: usize = 16 * 1024;
/// How long the rest of a refused body is read and thrown away, so that the refusal is read.
const LINGER: Duration = Duration::from_secs(1);

/// How it listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listening<'a> {
    /// `host:port`.
    pub(crate) address: &'a str,
    /// Threads; 0: one a core.
    pub(crate) workers: usize,
    /// How long requests in flight may go on when it stops.
    pub(crate) shutdown: Duration,
}

impl Listening<'_> {
    /// Its workers, with no more connections than this.
    fn builder(&self, most: usize) -> ServerBuilder {
        let workers = match self.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        Server::build()
            .workers(workers)
            .max_concurrent_connections((most / workers).max(1))
            .disable_signals()
            .shutdown_timeout(self.shutdown.as_secs())
    }
}

/// An address that is bound, and the server that is to answer there.
pub(crate) struct Bound {
    /// Where; with the port that was found, if any would do.
    pub(crate) addr: SocketAddr,
    builder: ServerBuilder,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bound({})", self.addr)
    }
}

impl Bound {
    /// Starts the workers.
    pub(crate) fn run(self) -> Server {
        self.builder.run()
    }
}

/// Binds every address of the name, for this application.
pub(crate) fn listen<F, I, S, B>(
    listening: Listening<'_>,
    connections: &Arc<Connections>,
    application: F,
) -> io::Result<Bound>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let mut builder = listening.builder(connections.places.accepted);
    let mut addr = None;
    for listener in listeners(listening.address)? {
        let local = listener.local_addr()?;
        addr = addr.or(Some(local));
        let signal = builder.graceful_shutdown_signal();
        let (application, connections) = (application.clone(), connections.clone());
        builder = builder.listen(format!("http {local}"), listener, move || {
            let of_requests = application()
                .into_factory()
                .map_err(|error| error.into().error_response());
            let of_requests = map_config(of_requests, |()| AppConfig::default());
            let http = http(&connections, local, signal.clone()).finish(of_requests);
            let (connections, signal) = (connections.clone(), signal.clone());
            fn_factory(move || {
                let (starting, connections, signal) = (http.new_service(()), connections.clone(), signal.clone());
                async move {
                    let http = Rc::new(starting.await?);
                    let queue = Rc::new(Queue::default());
                    let called = queue.clone();
                    // It ends with its worker.
                    rt::spawn(async move { called.call().await });
                    let door = move |stream| serve(&connections, stream, &queue, &http, &signal);
                    Ok::<_, ()>(door.into_service())
                }
            })
        })?;
    }
    Ok(Bound {
        addr: addr.ok_or_else(|| io::Error::other("the name has no address"))?,
        builder,
    })
}

/// What every connection speaks, and for how long.
fn http<S>(
    connections: &Connections,
    local: SocketAddr,
    signal: GracefulShutdownSignal,
) -> HttpServiceBuilder<Watched, S>
where
    S: ServiceFactory<Request, Config = ()>,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::InitError: fmt::Debug,
    <S::Service as Service<Request>>::Future: 'static,
{
    HttpServiceBuilder::default()
        .graceful_shutdown_signal(move || {
            let signal = signal.clone();
            async move { signal.notified().await }
        })
        .keep_alive(connections.keep_alive())
        .client_request_timeout(connections.head_timeout())
        .client_disconnect_timeout(LINGER)
        .h1_write_buffer_size(WRITE_BUFFER)
        .local_addr(local)
        .on_connect_ext(|stream: &Watched, beside| drop(beside.insert(stream.guest())))
}

/// Serves a connection until it ends or is cut; one that there is no place for ends at once. It has no buffers before something
/// comes over it.
fn serve<S>(
    connections: &Arc<Connections>,
    stream: TcpStream,
    queue: &Rc<Queue>,
    http: &Rc<S>,
    signal: &GracefulShutdownSignal,
) -> impl Future<Output = Result<(), S::Error>> + use<S>
where
    S: Service<(Watched, Protocol, Option<SocketAddr>), Response = ()>,
{
    let _ = stream.set_nodelay(true);
    let peer = stream.peer_addr().ok();
    let place = peer.and_then(|peer| connections.admit(peer.ip()));
    let (http, signal, queue) = (http.clone(), signal.clone(), queue.clone());
    async move {
        let Some(place) = place else { return Ok(()) };
        let serving = async {
            tokio::select! {
                _ = stream.readable() => {}
                () = signal.notified() => return Ok(()),
            }
            let mut ticket = queue.first();
            future::poll_fn(|context| ticket.poll_called(context)).await;
            place.0.speaks().await;
            let watched = Watched::new(stream, place.0.clone(), queue);
            Box::pin(http.call((watched, Protocol::Http1, peer))).await
        };
        tokio::select! {
            served = serving => served,
            () = place.0.connection.is_cut() => Ok(()),
        }
    }
}

fn listeners(address: &str) -> io::Result<Vec<TcpListener>> {
    let (mut bound, mut failed) = (Vec::new(), None);
    for address in address.to_socket_addrs()? {
        match listener(address) {
            Ok(listener) => bound.push(listener),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if bound.is_empty() => Err(error),
        _ => Ok(bound),
    }
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Transport::TCP))?;
    socket.set_reuse_address(true)?;
    // What is accepted has it too.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}
