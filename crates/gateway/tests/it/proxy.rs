//! The proxy of docker-compose.replicas.yml for real: HAProxy with that very file, in front of two servers of this test.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{Started, read_to, workspace};

const PATIENCE: Duration = Duration::from_secs(30);

/// A server in a gateway's place.
struct Replica {
    name: &'static str,
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The heads of all requests but those for health.
    seen: Mutex<Vec<String>>,
    is_not_ready: AtomicBool,
    /// Takes longer to say whether it is ready than the proxy waits before it asks again.
    is_slow: AtomicBool,
    /// How often it has said so.
    asked: AtomicUsize,
    /// Reads a request and closes the connection.
    breaks_off: AtomicBool,
    is_gone: AtomicBool,
}

impl Replica {
    fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::<State>::default());
        let shared = state.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                if shared.is_gone.load(Ordering::SeqCst) {
                    return;
                }
                let state = shared.clone();
                // A client that hangs up ends only its own connection.
                thread::spawn(move || state.serve(name, connection.unwrap()).is_ok());
            }
        });
        Self { name, address, state }
    }

    fn place(&self) -> (&str, SocketAddr) {
        (self.name, self.address)
    }

    fn seen(&self) -> Vec<String> {
        self.state.seen.lock().unwrap().clone()
    }

    /// From now on connections are refused.
    fn go(&self) {
        self.state.is_gone.store(true, Ordering::SeqCst);
        while TcpStream::connect(self.address).is_ok() {}
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.go();
    }
}

impl State {
    /// Answers the requests of a connection, one after the other.
    fn serve(&self, name: &str, mut connection: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(connection.try_clone()?);
        while let Some(head) = head(&mut reader)? {
            if self.is_gone.load(Ordering::SeqCst) {
                return connection.shutdown(Shutdown::Both);
            }
            if head.starts_with("GET /readyz ") {
                let status = if self.is_not_ready.load(Ordering::SeqCst) {
                    503
                } else {
                    200
                };
                if self.is_slow.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(1_200));
                }
                write!(connection, "HTTP/1.1 {status} Health\r\ncontent-length: 0\r\n\r\n")?;
                self.asked.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            self.seen.lock().unwrap().push(head.clone());
            if head.starts_with("POST /v1/customers/batch ") {
                batch(&mut reader, &mut connection)?;
                continue;
            }
            let mut body = vec![0; content_length(&head)];
            reader.read_exact(&mut body)?;
            if self.breaks_off.load(Ordering::SeqCst) {
                return connection.shutdown(Shutdown::Both);
            }
            if head.starts_with("GET /ops/live/") {
                let event = format!("data: {name}\n\n");
                write!(
                    connection,
                    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{event}"
                )?;
                // Nothing more to tell, for as long as somebody listens.
                return reader.read_to_end(&mut Vec::new()).map(drop);
            }
            write!(
                connection,
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}",
                name.len()
            )?;
        }
        Ok(())
    }
}

/// Answers each line while more of them come, as the gateway does.
fn batch(reader: &mut BufReader<TcpStream>, connection: &mut TcpStream) -> std::io::Result<()> {
    write!(connection, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
    let mut open = String::new();
    while let Some(chunk) = chunk(reader)? {
        open.push_str(&chunk);
        while let Some((line, rest)) = open.split_once('\n') {
            let answer = format!("{}\n", line.len());
            write!(connection, "{:x}\r\n{answer}\r\n", answer.len())?;
            open = rest.to_owned();
        }
    }
    write!(connection, "0\r\n\r\n")
}

/// A chunk of a body; `None` after the last one.
fn chunk(reader: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut size = String::new();
    reader.read_line(&mut size)?;
    let size = usize::from_str_radix(size.trim(), 16).unwrap();
    let mut chunk = vec![0; size + 2];
    reader.read_exact(&mut chunk)?;
    chunk.truncate(size);
    Ok((size > 0).then(|| String::from_utf8(chunk).unwrap()))
}

/// The head of a message, with small letters but for its first line; `None` where nothing comes any more.
fn head(reader: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            return Ok(Some(head));
        }
        let is_first = head.is_empty();
        head.push_str(&if is_first { line } else { line.to_ascii_lowercase() });
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().skip(1);
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn content_length(head: &str) -> usize {
    header(head, "content-length").map_or(0, |length| length.parse().unwrap())
}

/// HAProxy, with the file as it is shipped but for the addresses; and for these texts, where a test needs it.
pub(crate) struct Proxy {
    process: Started,
    pub(crate) port: u16,
    _folder: TempDir,
}

impl Proxy {
    pub(crate) fn start(replicas: [(&str, SocketAddr); 2], others: &[(&str, &str)]) -> Self {
        let mut text = fs::read_to_string(workspace("deploy/compose/replicas/haproxy.cfg")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut replace = |from: &str, to: &str| {
            assert!(text.contains(from), "the file has no `{from}`");
            text = text.replace(from, to);
        };
        replace("bind :8080", &format!("bind 127.0.0.1:{port}"));
        for (name, address) in replicas {
            replace(&format!(" {name}:8080"), &format!(" {address}"));
        }
        for (from, to) in others {
            replace(from, to);
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, text).unwrap();
        // Debian has it where only root looks.
        let program = ["haproxy", "/usr/sbin/haproxy"]
            .into_iter()
            .find(|program| Command::new(program).arg("-v").output().is_ok())
            .unwrap_or_else(|| panic!("there is no HAProxy: scripts/test installs it"));
        let process = Started::new(Command::new(program).arg("-db").arg("-f").arg(&file));
        let proxy = Self {
            process,
            port,
            _folder: folder,
        };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "the proxy does not listen");
            thread::sleep(Duration::from_millis(5));
        }
        proxy
    }

    fn connect(&self) -> (BufReader<TcpStream>, TcpStream) {
        let connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        (BufReader::new(connection.try_clone().unwrap()), connection)
    }

    /// Sends a request on a connection of its own; the answer's head and body.
    fn ask(&self, first: &str, headers: &str, body: &str) -> (String, String) {
        let (mut reader, mut connection) = self.connect();
        let length = body.len();
        let head = format!("{first} HTTP/1.1\r\nhost: gw.example\r\nconnection: close\r\ncontent-length: {length}\r\n");
        // Whoever refuses a long body need not read it.
        let _ = connection.write_all(format!("{head}{headers}\r\n{body}").as_bytes());
        let head = head_of(&mut reader);
        let mut answer = vec![0; content_length(&head)];
        reader.read_exact(&mut answer).unwrap();
        (head, String::from_utf8(answer).unwrap())
    }
}

fn head_of(reader: &mut impl BufRead) -> String {
    head(reader).unwrap().unwrap()
}

fn replicas() -> [Replica; 2] {
    ["gateway-1", "gateway-2"].map(Replica::start)
}

const UPSERT: &str = "POST /v1/customers";

#[test]
fn a_request_that_was_sent_is_never_sent_again() {
    let [one, two] = replicas();
    let proxy = Proxy::start([one.place(), two.place()], &[]);
    for replica in [&one, &two] {
        replica.state.breaks_off.store(true, Ordering::SeqCst);
    }
    for (number, request) in [UPSERT, "GET /v1/customers", "DELETE /v1/customers/cus_1"]
        .into_iter()
        .enumerate()
    {
        let (head, body) = proxy.ask(request, "", "{}");
        assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
        // What the gateway answers with this status has a code, and means something else.
        assert_eq!(header(&head, "content-type"), Some("application/problem+json"));
        assert!(body.contains("unknown") && !body.contains("\"code\""), "{body}");
        assert_eq!(one.seen().len() + two.seen().len(), number + 1);
    }
}

#[test]
fn a_request_for_which_there_is_no_connection_goes_to_the_other_replica() {
    let [one, two] = replicas();
    // So that no check finds it out first.
    let proxy = Proxy::start(
        [one.place(), two.place()],
        &[("inter 500ms fastinter 250ms", "inter 1h")],
    );
    until_both_answer(&proxy);
    one.go();
    let before = one.seen().len();
    assert_eq!(answered_by(&proxy, 8), BTreeSet::from(["gateway-2".to_owned()]));
    assert_eq!(one.seen().len(), before);
}

/// With nothing in flight, which of the two is the less busy is a matter of chance.
fn until_both_answer(proxy: &Proxy) {
    let (mut names, began) = (BTreeSet::new(), Instant::now());
    while names.len() < 2 {
        assert!(began.elapsed() < PATIENCE, "{names:?} alone");
        names.extend(answered_by(proxy, 1));
    }
}

/// Who answers so many upserts, each of which has to be answered well.
fn answered_by(proxy: &Proxy, count: usize) -> BTreeSet<String> {
    let answered = (0..count).map(|_| {
        let (head, name) = proxy.ask(UPSERT, "", "{}");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        name
    });
    answered.collect()
}

#[test]
fn a_replica_that_is_not_ready_gets_nothing_new_until_it_is_ready_again() {
    let [one, two] = replicas();
    let mut proxy = Proxy::start([one.place(), two.place()], &[]);
    one.state.is_not_ready.store(true, Ordering::SeqCst);
    read_to(&mut proxy.process.stdout, "Server gateway/gateway-1 is DOWN");
    assert_eq!(answered_by(&proxy, 8), BTreeSet::from(["gateway-2".to_owned()]));

    two.state.is_not_ready.store(true, Ordering::SeqCst);
    read_to(&mut proxy.process.stdout, "Server gateway/gateway-2 is DOWN");
    let (head, body) = proxy.ask(UPSERT, "", "{}");
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(header(&head, "retry-after"), Some("1"));
    assert!(body.contains("No replica"), "{body}");

    for replica in [&one, &two] {
        replica.state.is_not_ready.store(false, Ordering::SeqCst);
    }
    let mut still_down = BTreeSet::from(["gateway-1 is UP", "gateway-2 is UP"]);
    while !still_down.is_empty() {
        let log = read_to(&mut proxy.process.stdout, "Server gateway/");
        still_down.retain(|wanted| !log.contains(wanted));
    }
    until_both_answer(&proxy);
}

#[test]
fn replicas_that_are_slow_to_say_that_they_are_ready_get_requests_all_the_same() {
    let replicas = replicas();
    let [one, two] = &replicas;
    for replica in &replicas {
        replica.state.is_slow.store(true, Ordering::SeqCst);
    }
    let proxy = Proxy::start([one.place(), two.place()], &[]);
    let began = Instant::now();
    // Each of three backends asks for itself.
    while replicas
        .iter()
        .any(|replica| replica.state.asked.load(Ordering::SeqCst) < 6)
    {
        assert!(began.elapsed() < PATIENCE, "nobody asks");
        answered_by(&proxy, 1);
    }
    until_both_answer(&proxy);
}

#[test]
fn a_batch_of_any_length_is_answered_while_it_is_sent() {
    /// More than the sockets on the way hold together.
    const LINES: usize = 1_500;
    let [one, two] = replicas();
    let proxy = Proxy::start([one.place(), two.place()], &[]);
    let (mut reader, mut connection) = proxy.connect();
    let head = "POST /v1/customers/batch HTTP/1.1\r\nhost: gw.example\r\ntransfer-encoding: chunked\r\n\r\n";
    connection.write_all(head.as_bytes()).unwrap();
    let line = format!("{}\n", "x".repeat(20_000));
    let send = move |connection: &mut TcpStream| write!(connection, "{:x}\r\n{line}\r\n", line.len()).unwrap();
    send(&mut connection);
    assert!(head_of(&mut reader).starts_with("HTTP/1.1 200 "));
    let mut answers = chunk(&mut reader).unwrap().unwrap();
    assert_eq!(
        answers, "20000\n",
        "the first line is answered before there is a second one"
    );

    let sending = thread::spawn(move || {
        (1..LINES).for_each(|_| send(&mut connection));
        write!(connection, "0\r\n\r\n").unwrap();
        // Kept until all is answered: closing it would be hanging up.
        connection
    });
    while let Some(more) = chunk(&mut reader).unwrap() {
        answers.push_str(&more);
    }
    assert_eq!(answers.lines().count(), LINES);
    assert!(answers.lines().all(|answer| answer == "20000"));
    sending.join().unwrap();
}

#[test]
fn events_come_at_once_and_a_viewer_is_answered_by_either_replica() {
    let [one, two] = replicas();
    let proxy = Proxy::start([one.place(), two.place()], &[]);
    let mut told = BTreeSet::new();
    for _viewing in 0..4 {
        let (mut reader, mut connection) = proxy.connect();
        write!(
            connection,
            "GET /ops/live/overview HTTP/1.1\r\nhost: gw.example\r\n\r\n"
        )
        .unwrap();
        assert!(head_of(&mut reader).starts_with("HTTP/1.1 200 "));
        let mut event = String::new();
        while !event.contains("data: ") {
            event.clear();
            reader.read_line(&mut event).unwrap();
        }
        told.insert(event);
        told.insert(format!("data: {}\n", proxy.ask("GET /ops", "", "").1));
    }
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn the_gateway_is_told_who_calls_and_the_log_holds_no_query() {
    let [one, two] = replicas();
    let mut proxy = Proxy::start([one.place(), two.place()], &[]);
    let spoofed = "x-forwarded-for: 203.0.113.9\r\nforwarded: for=203.0.113.9\r\nx-forwarded-proto: https\r\n";
    proxy.ask("GET /v1/customers?email=ann@example.com", spoofed, "");
    let [seen] = &[one.seen(), two.seen()].concat()[..] else {
        panic!("one request was sent")
    };
    assert_eq!(header(seen, "x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(header(seen, "x-forwarded-proto"), Some("http"));
    assert_eq!(
        (header(seen, "forwarded"), header(seen, "host")),
        (None, Some("gw.example"))
    );
    assert!(seen.starts_with("GET /v1/customers?email=ann@example.com "), "{seen}");
    let log = read_to(&mut proxy.process.stdout, "GET /v1/customers");
    assert!(!log.contains("ann"), "{log}");
}

#[test]
fn a_body_that_no_route_takes_is_refused_at_the_door_and_what_the_gateway_judges_gets_through() {
    let [one, two] = replicas();
    let proxy = Proxy::start([one.place(), two.place()], &[]);
    let (head, _) = proxy.ask(UPSERT, "", &"x".repeat(5 << 20));
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert_eq!((one.seen().len(), two.seen().len()), (0, 0));
    // An event of up to twice its limit is kept as a dead letter.
    let (head, _) = proxy.ask("POST /v1/webhooks/acme/crm", "", &"x".repeat(2 << 20));
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}
