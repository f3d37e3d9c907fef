//! What somebody without a key can make the gateway wait for, hold, or say.

use std::io;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use upsert_server::{Deadlines, StartOptions};

use crate::served::{ConfigSnapshot, Folder, gateway_toml, read, secret};

const SHORT: Deadlines = Deadlines {
    head: Duration::from_millis(300),
    idle: Duration::from_millis(300),
    idle_known: Duration::from_secs(75),
    stay: Duration::from_secs(10),
    unread: Duration::from_millis(500),
    unread_known: Duration::from_secs(60),
};

/// Longer than all of these take together.
const PATIENCE: Duration = Duration::from_secs(10);

async fn impatient() -> ConfigSnapshot {
    let folder = Folder::new("");
    let options = StartOptions {
        deadlines: SHORT,
        ..folder.options()
    };
    ConfigSnapshot::over(folder, options).await
}

/// Sends this, and reads the head of the answer.
async fn answered(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8()).await.expect("an answer in time");
        head.push(byte.unwrap_or_else(|error| panic!("{error} after {}", String::from_utf8_lossy(&head))));
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

/// Reads what is left of an answer.
async fn rest(stream: &mut TcpStream, head: &str) {
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
}

async fn ends(stream: &mut TcpStream) -> Result<(), &'static str> {
    let mut left = [0; 1024];
    let end = async { while matches!(stream.read(&mut left).await, Ok(bytes) if bytes > 0) {} };
    timeout(PATIENCE, end).await.map_err(|_| "it stays open")
}

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: gateway\r\n\r\n";

#[tokio::test]
async fn a_later_head_that_trickles_and_a_stranger_who_says_nothing_more_are_cut() {
    let served = impatient().await;
    let mut silent = TcpStream::connect(served.running.addr).await.unwrap();
    let head = answered(&mut silent, LIVEZ).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    rest(&mut silent, &head).await;

    let mut trickling = TcpStream::connect(served.running.addr).await.unwrap();
    let head = answered(&mut trickling, LIVEZ).await;
    rest(&mut trickling, &head).await;
    let trickle = async {
        let began = Instant::now();
        while trickling.write_all(b"G").await.is_ok() && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        began.elapsed()
    };
    let (took, silent_ends) = tokio::join!(trickle, ends(&mut silent));
    assert!(took < PATIENCE, "a head trickled on for {took:?}");
    silent_ends.unwrap();
    served.running.stop().await;
}

#[tokio::test]
async fn whoever_has_shown_a_key_may_think_about_the_next_request() {
    let served = impatient().await;
    let mut known = TcpStream::connect(served.running.addr).await.unwrap();
    let request = format!(
        "GET /v1/providers HTTP/1.1\r\nHost: gateway\r\nX-Api-Key: {}\r\n\r\n",
        secret("reader")
    );
    let head = answered(&mut known, &request).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    rest(&mut known, &head).await;
    // The stranger who came later is gone when this one speaks again.
    let mut stranger = TcpStream::connect(served.running.addr).await.unwrap();
    let head = answered(&mut stranger, LIVEZ).await;
    rest(&mut stranger, &head).await;
    ends(&mut stranger).await.unwrap();
    let head = answered(&mut known, &request).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    served.running.stop().await;
}

#[tokio::test]
async fn a_stranger_who_asks_on_and_on_is_let_go_and_whoever_shows_a_key_is_not() {
    let folder = Folder::new("");
    let options = StartOptions {
        deadlines: Deadlines {
            stay: Duration::ZERO,
            ..SHORT
        },
        ..folder.options()
    };
    let served = ConfigSnapshot::over(folder, options).await;
    let known = format!(
        "GET /v1/providers HTTP/1.1\r\nHost: gateway\r\nX-Api-Key: {}\r\n\r\n",
        secret("reader")
    );
    let wrong_key = "GET /v1/providers HTTP/1.1\r\nHost: gateway\r\nX-Api-Key: none\r\n\r\n";
    for stranger in [LIVEZ, wrong_key, "GET /nowhere HTTP/1.1\r\nHost: gateway\r\n\r\n"] {
        let mut stream = TcpStream::connect(served.running.addr).await.unwrap();
        for _ in 0..3 {
            let head = answered(&mut stream, &known).await;
            assert!(!head.contains("connection: close"), "{head}");
            rest(&mut stream, &head).await;
        }
        let head = answered(&mut stream, stranger).await;
        assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
        rest(&mut stream, &head).await;
        ends(&mut stream).await.unwrap();
    }
    served.running.stop().await;
}

#[tokio::test]
async fn a_reader_who_takes_nothing_is_cut() {
    let served = impatient().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(served.running.addr).await.unwrap();
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: gateway\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let cut = async {
        loop {
            // Nothing is read; a connection that was reset says so.
            if let Some(error) = stream.take_error().unwrap() {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let error = timeout(PATIENCE, cut).await.expect("the server cuts it");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    served.running.stop().await;
}

#[tokio::test]
async fn a_file_comes_whole_to_whoever_reads_it() {
    let served = ConfigSnapshot::start().await;
    let bundle = served
        .get("/docs/swagger-ui-bundle.js", "")
        .header("Accept-Encoding", "identity");
    let bundle = bundle.send().await.unwrap();
    let length = bundle.content_length().unwrap();
    assert!(length > 1_000_000, "{length}");
    assert_eq!(bundle.bytes().await.unwrap().len() as u64, length);
    served.running.stop().await;
}

/// Method and path of each documented route that has a body.
fn with_bodies(document: &Json) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, route) in item.as_object().unwrap() {
            if route.get("requestBody").is_some() {
                found.push((method.to_uppercase(), path.replace(['{', '}'], "")));
            }
        }
    }
    found
}

#[tokio::test]
async fn what_its_head_can_refuse_is_refused_before_its_body() {
    let served = ConfigSnapshot::start().await;
    let (_, document) = read(served.get("/openapi.json", "")).await;
    let json = "Content-Type: application/json\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let key = |name: &str| format!("X-Api-Key: {}\r\n", secret(name));
    let mut cases = Vec::new();
    for (method, path) in with_bodies(&document) {
        let refused = if path.starts_with("/v1/webhooks/") { 404 } else { 401 };
        cases.push((format!("{method} {path}"), json.to_owned(), 100, refused));
        if refused == 401 {
            let unknown = format!("{json}X-Api-Key: nobody\r\n");
            cases.push((format!("{method} {path}"), unknown, 100, 401));
            let scope = format!("{json}{}Merchant-Id: acme\r\n", key("slow"));
            // It may call twice: what comes then is refused for that.
            cases.push((
                format!("{method} {path}"),
                scope,
                100,
                if cases.len() < 8 { 403 } else { 429 },
            ));
        }
    }
    assert!(cases.len() > 20, "{cases:?}");
    let acme = key("acme");
    for (route, headers, length, status) in [
        ("POST /v1/nothing", json.to_owned(), 100, 404),
        ("PUT /livez", json.to_owned(), 100, 405),
        ("POST /v1/customers", format!("{json}{acme}"), 70_000, 413),
        ("POST /v1/customers", acme.clone(), 100, 415),
        ("POST /v1/customers/batch", format!("{json}{acme}"), 100, 415),
        ("POST /ops/session", form.to_owned(), 4_097, 413),
        ("POST /ops/session", json.to_owned(), 100, 415),
        ("POST /ops/assets/1/ops.js", form.to_owned(), 262_000, 413),
        ("POST /ops/customers", form.to_owned(), 100, 401),
        ("POST /ops/plan", form.to_owned(), 262_000, 401),
    ] {
        cases.push((route.to_owned(), headers, length, status));
    }
    for (route, headers, length, status) in cases {
        let mut stream = TcpStream::connect(served.running.addr).await.unwrap();
        let request = format!("{route} HTTP/1.1\r\nHost: gateway\r\n{headers}Content-Length: {length}\r\n\r\n");
        let head = answered(&mut stream, &request).await;
        let is_expected = head.starts_with(&format!("http/1.1 {status} "));
        assert!(is_expected, "{route} {headers}: {head}");
    }
    served.running.stop().await;
}

#[tokio::test]
async fn one_address_keeps_only_so_many_connections_without_a_key_and_shuts_nobody_out() {
    let served = ConfigSnapshot::start().await;
    let mut silent = Vec::new();
    for _ in 0..400 {
        silent.push(TcpStream::connect(served.running.addr).await.unwrap());
    }
    let mut new = TcpStream::connect(served.running.addr).await.unwrap();
    let head = answered(&mut new, LIVEZ).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let mut open = 0;
    for stream in &silent {
        let mut byte = [0];
        let is_open = matches!(stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        open += usize::from(is_open);
    }
    assert!(open <= 256, "{open} are open");
    served.customer("ann@example.com").await;
    served.running.stop().await;
}

#[tokio::test]
async fn requests_that_come_at_once_are_answered_one_by_one_with_and_without_a_key() {
    let served = ConfigSnapshot::start().await;
    let with_key = |method: &str, path: &str, body: &str| {
        let key = secret("acme");
        let about = format!("X-Api-Key: {key}\r\nContent-Type: application/json\r\n{body}");
        format!("{method} {path} HTTP/1.1\r\nHost: gateway\r\n{about}")
    };
    let customer = "{\r\n\r\n\"reference\":\n\n\"C-1\",\"email\":\"ann@example.com\"}";
    let (half, other) = customer.split_at(10);
    let whole = format!("Content-Length: {}\r\n\r\n{customer}", customer.len());
    let chunks = format!(
        "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{half}\r\n{:x}\r\n{other}\r\n0\r\n\r\n",
        half.len(),
        other.len()
    );
    let post = |body: &str| with_key("POST", "/v1/customers", body);
    let requests = [
        LIVEZ.repeat(40),
        post(&whole),
        LIVEZ.to_owned(),
        post(&chunks),
        post(&chunks),
        LIVEZ.repeat(40),
        with_key("GET", "/v1/providers", "\r\n"),
    ];
    let answers = 40 + 1 + 1 + 2 + 40 + 1;
    for cut in [1, 700, 8_192, 100_000] {
        let mut stream = TcpStream::connect(served.running.addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let all = requests.concat();
        let (mut reading, mut writing) = stream.split();
        let write = async {
            for part in all.as_bytes().chunks(cut) {
                writing.write_all(part).await.unwrap();
            }
        };
        let read = async {
            let mut text = String::new();
            let mut bytes = [0; 4_096];
            while text.matches("http/1.1 ").count() < answers {
                let read = timeout(PATIENCE, reading.read(&mut bytes)).await;
                let count = read.unwrap_or_else(|_| panic!("nothing more after {text}")).unwrap();
                assert!(count > 0, "{text}");
                text += &String::from_utf8_lossy(&bytes[..count]).to_ascii_lowercase();
            }
            text
        };
        let ((), text) = tokio::join!(write, read);
        assert_eq!(text.matches("http/1.1 2").count(), answers, "{text}");
    }
    served.running.stop().await;
}

#[tokio::test]
async fn who_crowds_the_main_address_keeps_no_scraper_out_of_the_one_for_metrics() {
    let served = ConfigSnapshot::with("metrics_bind = \"127.0.0.1:0\"").await;
    let mut scraper = TcpStream::connect(served.running.metrics_addr.unwrap()).await.unwrap();
    let get = "GET /metrics HTTP/1.1\r\nHost: gateway\r\n\r\n";
    let head = answered(&mut scraper, get).await;
    rest(&mut scraper, &head).await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(served.running.addr).await.unwrap());
    }
    let mut new = TcpStream::connect(served.running.addr).await.unwrap();
    answered(&mut new, LIVEZ).await;
    let head = answered(&mut scraper, get).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    served.running.stop().await;
}

#[tokio::test]
async fn a_proxy_that_is_trusted_keeps_as_many_as_it_needs() {
    let served = ConfigSnapshot::with("trusted_proxies = [\"127.0.0.0/8\"]").await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(served.running.addr).await.unwrap());
    }
    let mut new = TcpStream::connect(served.running.addr).await.unwrap();
    answered(&mut new, LIVEZ).await;
    let is_open = |stream: &TcpStream| {
        let read = stream.try_read(&mut [0]);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    };
    assert_eq!(silent.iter().filter(|stream| is_open(stream)).count(), 300);
    served.running.stop().await;
}

#[tokio::test]
async fn what_concerns_every_merchant_takes_a_key_for_every_merchant() {
    let served = ConfigSnapshot::start().await;
    for (method, path) in [
        (reqwest::Method::PUT, "/v1/logs"),
        (reqwest::Method::PUT, "/v1/merchants/initech"),
        (reqwest::Method::DELETE, "/v1/merchants/initech"),
        (reqwest::Method::GET, "/v1/merchants"),
        (reqwest::Method::POST, "/v1/encryption/rotate"),
        (reqwest::Method::POST, "/v1/encryption/renew"),
    ] {
        let request = served.request(method, path, "admin").json(&json!({ "filter": "off" }));
        let (status, problem) = read(request).await;
        assert_eq!(
            (status, &problem["code"]),
            (403, &json!("merchant_forbidden")),
            "{path}"
        );
    }
    served.running.stop().await;
}

/// Waits until the last reading of the files came to this.
async fn last_reading(served: &ConfigSnapshot, wanted: &str, generation: u64) -> bool {
    for _ in 0..100 {
        let (_, ready) = read(served.get("/readyz", "")).await;
        let configuration = &ready["configuration"];
        if configuration["last_reading"] == wanted && configuration["generation"] == generation {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn a_file_that_was_emptied_or_cut_locks_nobody_out_and_a_key_that_is_gone_is_told() {
    let served = ConfigSnapshot::start().await;
    let whole = gateway_toml("");
    let before_keys = whole.find("[[api_keys]]").unwrap();
    for (generation, cut) in [(1, 0), (2, before_keys)] {
        served.folder.write("gateway.toml", &whole[..cut]);
        assert!(
            last_reading(&served, "refused", generation).await,
            "{cut} bytes were taken over"
        );
        let (_, shown) = read(served.get("/v1/configuration", "all")).await;
        assert_eq!(shown["problems"][0]["path"], "api_keys", "{shown:#}");
        served.folder.write("gateway.toml", &format!("{whole}# after {cut}\n"));
        assert!(last_reading(&served, "taken_over", generation + 1).await);
    }
    let without_slow = whole.rfind("[[api_keys]]").unwrap();
    served.folder.write("gateway.toml", &whole[..without_slow]);
    assert!(last_reading(&served, "taken_over", 4).await);
    let (_, shown) = read(served.get("/v1/configuration", "all")).await;
    let changes = shown["history"][0]["changes"].to_string();
    assert!(changes.contains("slow"), "{changes}");
    served.running.stop().await;
}

#[tokio::test]
async fn pages_and_searches_count_against_the_limit_of_their_key() {
    let folder = Folder::new("");
    let hash = data_encoding::HEXLOWER.encode(&upsert_settings::key_hash("looks"));
    let key = format!(
        "[[api_keys]]\nname = \"looks\"\nkey_sha256 = \"{hash}\"\nmerchants = [\"*\"]\nscopes = [\"ops:read\", \
         \"customers:read\"]\nrate_limit = {{ per_second = 1, burst = 3 }}\n"
    );
    folder.write("gateway.toml", &(gateway_toml("") + &key));
    let options = folder.options();
    let served = ConfigSnapshot::over(folder, options).await;
    let no_redirects = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let signed_in = no_redirects.post(served.url("/ops/session")).body("key=looks");
    let signed_in = signed_in.header("Content-Type", "application/x-www-form-urlencoded");
    let answer = signed_in.send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let cookie = answer.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let get = async |path: &str| {
        let request = no_redirects.get(served.url(path)).header("Cookie", &cookie);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
    };
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(get("/ops/deliveries").await);
    }
    assert!(statuses.starts_with(&[(200, false), (200, false)]), "{statuses:?}");
    assert!(statuses.contains(&(429, true)), "{statuses:?}");
    assert_eq!(get("/ops/assets/1/ops.js").await.0, 200);
    served.running.stop().await;
}
