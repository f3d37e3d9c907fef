//! What is kept of a vendor's failed answer, in the forms that real outages answer in, over a real socket.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, header};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;

use upsert_core::{
    CallContext, Capabilities, Clock, ErrorKind, Exchange, InLine, Intent, KeyKind, MatchKey, Payload, PreparedUpsert,
    Priority, ProviderError, Repeat, UpsertReceipt, UpsertRequest, Violation, WireRequest,
};
use upsert_provider_kit::{
    ConnectionSetup, Credentials, HttpVendor, Registry, ReqwestTransport, SettingProblem, TransportOptions,
    VendorSetup, WireReply, classify, secret_header, unreadable,
};

const KEY: &str = "sk_live/9f8e7d+6c5b==";

/// Sends its key twice, and reads nothing but the status.
#[derive(Debug)]
struct Keyed;

impl HttpVendor for Keyed {
    const KIND: &'static str = "keyed";
    const DEFAULT_BASE_URL: &'static str = "http://127.0.0.1:9";
    type Settings = Map<String, Json>;

    fn capabilities(_: &Self::Settings) -> Capabilities {
        Capabilities {
            title: "Keyed",
            docs_url: "",
            forms: Vec::new(),
            tells_created_from_updated: false,
            can_clear: false,
            merges_tags: false,
            updates_by_id: false,
            default_payload: Payload::Full,
            credentials: &[],
            protected: &[],
            can_read: false,
            known_daily_limit: None,
        }
    }

    fn new(_: VendorSetup<Self::Settings>) -> Result<Self, Vec<SettingProblem>> {
        Ok(Self)
    }

    fn authorise(&self, headers: &mut HeaderMap) {
        headers.insert("x-api-key", secret_header(KEY).unwrap());
        headers.insert(header::AUTHORIZATION, secret_header(&format!("Bearer {KEY}")).unwrap());
    }

    fn encode(&self, _: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        Err(Vec::new())
    }

    fn decode(&self, _: &PreparedUpsert, reply: &WireReply) -> Result<UpsertReceipt, ProviderError> {
        let mut error = if reply.is_success() {
            unreadable(reply, "no record")
        } else {
            classify(reply)
        };
        // As adapters do: the vendor's words go into the sentence, its code and its id of the call beside it.
        error.detail = reply.text().into_owned();
        error.code = reply
            .json()
            .and_then(|body| Some(body.get("code")?.as_str()?.to_owned()));
        error.vendor_request_id = reply.header("x-request-id").map(str::to_owned);
        Err(error)
    }
}

#[derive(Debug)]
struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// What the gateway makes of an answer with this status line, these headers and this body.
async fn failed(status: u16, headers: &str, body: &[u8]) -> ProviderError {
    failed_on(answer(status, headers, body.len(), body)).await
}

/// The bytes of an answer whose body is said to be so long.
fn answer(status: u16, headers: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Said\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// What the gateway makes of these bytes, after which the connection ends.
#[expect(clippy::disallowed_methods, reason = "it lives as long as the test")]
async fn failed_on(answer: Vec<u8>) -> ProviderError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4_096];
        let _ = stream.read(&mut request).await.unwrap();
        let _ = stream.write_all(&answer).await;
    });
    let options = TransportOptions {
        allow_plain_http: true,
        allow_private_network: true,
    };
    let setup = ConnectionSetup {
        base_url: Some(base_url.parse().unwrap()),
        credentials: Credentials::new(BTreeMap::new()),
        settings: json!({}),
        transport: Arc::new(ReqwestTransport::new(options, Arc::new(|_| true)).unwrap()),
        clock: Arc::new(Epoch),
        send_traceparent: false,
    };
    let built = Registry::new().with::<Keyed>().build("keyed", setup).unwrap();
    built.provider.upsert(&context(), &prepared()).await.unwrap_err()
}

fn context() -> CallContext {
    CallContext {
        deadline: Instant::now() + Duration::from_secs(10),
        attempt: 1,
        delivery_id: None,
        traceparent: None,
        tracestate: None,
        priority: Priority::Interactive,
        is_counted: false,
        is_trial: false,
        in_line: InLine::default(),
        exchange: Exchange::default(),
    }
}

fn prepared() -> PreparedUpsert {
    PreparedUpsert {
        request: WireRequest {
            method: "POST".to_owned(),
            path: "/one".to_owned(),
            body: json!({}),
        },
        sent: BTreeMap::new(),
        match_key: None,
        matches_by: Vec::new(),
        known_by: Vec::new(),
        link_key: MatchKey::new(KeyKind::Id, "x"),
        expected_id: None,
        intent: Intent::Upsert,
        repeat: Repeat::Safe,
        warnings: Vec::new(),
    }
}

#[tokio::test]
async fn an_outage_keeps_its_status_and_its_words_in_whatever_form_it_answers() {
    let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n</html>";
    let gzip = "content-encoding: gzip\r\n";
    for (name, headers, body, kept) in [
        (
            "a proxy's page",
            "content-type: text/html\r\n",
            page.as_bytes(),
            Some(json!(page)),
        ),
        (
            "plain text",
            "",
            b"upstream connect error\n",
            Some(json!("upstream connect error")),
        ),
        ("nothing", "", b"", None),
        ("white space", "", b" \r\n", None),
        ("JSON", "", br#"{"code":"E1"}"#, Some(json!({ "code": "E1" }))),
        (
            "cut JSON",
            "",
            br#"{"code":"E1","mess"#,
            Some(json!(r#"{"code":"E1","mess"#)),
        ),
        ("what only says that it is gzip", gzip, b"no gzip at all", None),
        (
            "bytes of no text",
            "",
            b"bad \xff\xfe gateway",
            Some(json!("bad \u{fffd}\u{fffd} gateway")),
        ),
        ("control characters", "", b"a\x1b[2Jb\0c", Some(json!("a\u{1b}[2Jb\0c"))),
    ] {
        let error = failed(502, headers, body).await;
        assert_eq!(
            (error.kind, error.vendor_status),
            (ErrorKind::Transient, Some(502)),
            "{name}"
        );
        assert_eq!(error.vendor_body, kept, "{name}");
    }
}

#[tokio::test]
async fn a_credential_that_a_vendor_repeats_is_not_kept_in_any_place_or_spelling() {
    let escaped = KEY.replace('/', r"\/");
    let in_url = "sk_live%2F9f8e7d%2B6c5b%3D%3D";
    let long = "x".repeat(4 * 1024 - 20);
    let bodies = [
        format!(r#"{{"code":"{KEY}","headers":{{"Authorization":"Bearer {KEY}"}},"{KEY}":[1]}}"#),
        format!(r#"{{"seen":"{escaped}"}}"#),
        format!("<p>GET /?key={in_url} was refused for Bearer {KEY}</p>"),
        format!(r#"{{"cut":"{escaped}"#),
        // Cut in the middle of it: by whoever answers, and by what is kept.
        format!(r#"{{"seen":"Bearer {}"#, &KEY[..14]),
        format!("{long}{KEY}"),
    ];
    for status in [200, 401, 503] {
        for body in &bodies {
            let headers = format!("x-request-id: {KEY}\r\nvia: 1.1 {KEY}\r\n");
            let error = failed(status, &headers, body.as_bytes()).await;
            assert_eq!(error.vendor_status, Some(status));
            let kept = error.vendor_body.unwrap().to_string();
            let named = format!(
                "{:?} {:?} {:?}",
                error.code, error.vendor_request_id, error.vendor_headers
            );
            let said = format!("{kept} {} {named}", error.detail);
            for trace in ["sk_live", "9f8e7d"] {
                assert!(!said.contains(trace), "{status} {body}: {said}");
            }
            assert!(kept.contains("***"), "{status} {body}: {kept}");
        }
    }
    // In a character set of its own, too.
    let wide: Vec<u8> = format!(r#"{{"seen":"{KEY}"}}"#)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let error = failed(403, "content-type: text/plain; charset=utf-16le\r\n", &wide).await;
    assert_eq!(error.vendor_body, Some(json!({ "seen": "***" })));
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn what_is_kept_of_an_answer_is_bounded_whatever_comes() {
    let page = format!("<html><title>502</title>{}</html>", "<p>Zoë</p>\n".repeat(20_000));
    let line = "ä".repeat(1_000_000);
    let odd = "\0\u{202e}".repeat(50_000);
    for body in [
        page.as_bytes(),
        line.as_bytes(),
        odd.as_bytes(),
        &vec![0xff; 300_000],
        &[0x1f, 0x8b, 8, 0, 7],
    ] {
        for status in [200, 302, 422, 502] {
            let error = failed(status, "", body).await;
            assert_eq!(error.vendor_status, Some(status));
            let kept = error.vendor_body.unwrap();
            let length = kept.to_string().len();
            assert!(kept.is_string() && length <= 4 * 1024, "{status} {length}");
            let is_cut = kept.as_str().unwrap().ends_with('…');
            assert_eq!(is_cut, body.len() > 4 * 1024, "{status} {length}");
        }
    }
    // Forms of JSON that no page documents.
    for json in [json!(["no"]), json!("no"), json!(7), json!(false)] {
        let error = failed(503, "", json.to_string().as_bytes()).await;
        assert_eq!(error.vendor_body, Some(json));
    }
}

#[tokio::test]
async fn headers_that_say_more_of_a_failure_are_kept_and_others_are_not() {
    let headers = "Server: nginx/1.2\r\nRetry-After: 30\r\nCF-Ray: 8f1-FRA\r\nVia: 1.1 varnish\r\nSet-Cookie: s=secret\r\n\
                   Content-Type: text/html\r\nLocation: https://login.example/sign-in?email=ann@x.example\r\n";
    for status in [200, 307, 400, 503] {
        let error = failed(status, headers, b"<h1>No</h1>").await;
        let kept = texts(&[
            ("cf-ray", "8f1-FRA"),
            ("content-length", "11"),
            ("content-type", "text/html"),
            ("location", "https://login.example/…"),
            ("retry-after", "30"),
            ("server", "nginx/1.2"),
            ("via", "1.1 varnish"),
        ]);
        assert_eq!(error.vendor_headers, kept, "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_was_cut_in_the_middle_keeps_what_had_arrived() {
    let body = br#"{"id":"rec-1","na"#;
    for (status, kind) in [
        (201, ErrorKind::Transient),
        (422, ErrorKind::Rejected),
        (503, ErrorKind::Transient),
    ] {
        let error = failed_on(answer(status, "server: nginx\r\n", 900, body)).await;
        assert_eq!((error.kind, error.vendor_status), (kind, Some(status)));
        assert_eq!(error.vendor_body, Some(json!(r#"{"id":"rec-1","na"#)), "{status}");
        assert_eq!(error.vendor_headers["server"], "nginx");
    }
    // Longer than anything is read.
    let error = failed(200, "server: nginx\r\n", &vec![b'x'; 2 * 1024 * 1024]).await;
    assert_eq!(
        (error.kind, error.vendor_status),
        (ErrorKind::BrokenContract, Some(200))
    );
    assert!(error.vendor_body.unwrap().as_str().unwrap().starts_with("xxx"));
    assert_eq!(error.vendor_headers["server"], "nginx");
}

#[tokio::test]
async fn where_no_answer_came_that_is_said() {
    for begun in ["", "HTTP/1.1 503 Servi"] {
        let error = failed_on(begun.into()).await;
        assert_eq!(
            (error.kind, error.vendor_status),
            (ErrorKind::Transient, None),
            "{begun}"
        );
        let said = "no answer came after the request went out (the connection broke); whether it wrote is not known";
        assert_eq!(error.detail, said, "{begun}");
        assert_eq!((error.vendor_headers.len(), error.vendor_body), (0, None));
    }
}
