//! A collector of traces: it takes OTLP over HTTP, and keeps what came.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message as _;
use serde_json::{Map, Value as Json, json};

/// A span as it came.
#[derive(Debug, Clone)]
pub struct CollectedSpan {
    /// Hex.
    pub trace: String,
    /// Hex.
    pub id: String,
    /// Hex; empty: it is a root.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// 1 internal, 2 server, 3 client.
    pub kind: i32,
    /// 0 unset, 1 ok, 2 error.
    pub status: i32,
    /// What is said about it.
    pub attributes: Json,
    /// What other systems say of its trace.
    pub trace_state: String,
    /// Trace and span of each link.
    pub links: Vec<(String, String)>,
    /// Name, version and schema URL of who recorded it.
    pub scope: [String; 3],
    /// What is said about the process.
    pub resource: Json,
}

#[derive(Debug, Default)]
struct Came {
    bodies: Vec<Bytes>,
    headers: Vec<String>,
}

/// A collector that listens on a port of its own.
pub struct Collector {
    addr: SocketAddr,
    came: Arc<Mutex<Came>>,
    handle: ServerHandle,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Collector({})", self.addr)
    }
}

impl Collector {
    /// Takes whatever comes.
    pub fn start() -> Self {
        let came = Arc::<Mutex<Came>>::default();
        let data = Data::from(came.clone());
        let app = move || {
            App::new()
                .app_data(data.clone())
                .app_data(web::PayloadConfig::new(64 * 1024 * 1024))
                .route("/v1/traces", web::post().to(take))
        };
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.bind("127.0.0.1:0").expect("a free port");
        let addr = server.addrs().first().copied().expect("it is bound");
        let server = server.run();
        let handle = server.handle();
        #[expect(clippy::disallowed_methods, reason = "a test's own task")]
        tokio::spawn(server);
        Self { addr, came, handle }
    }

    /// Where it is, as `otlp_endpoint` has it.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Ends it: from now on nobody listens there.
    pub async fn stop(&self) {
        self.handle.stop(false).await;
    }

    /// Whether these bytes came anywhere.
    pub fn holds(&self, bytes: &str) -> bool {
        let came = self.came.lock();
        let holds = |body: &Bytes| body.windows(bytes.len()).any(|window| window == bytes.as_bytes());
        came.bodies.iter().any(holds)
    }

    /// The `authorization` of each request.
    pub fn authorizations(&self) -> Vec<String> {
        self.came.lock().headers.clone()
    }

    /// All spans that came.
    pub fn spans(&self) -> Vec<CollectedSpan> {
        let came = self.came.lock();
        let mut spans = Vec::new();
        for body in &came.bodies {
            let request = ExportTraceServiceRequest::decode(body.clone()).expect("it is OTLP");
            for of_resource in request.resource_spans {
                let resource = of_resource.resource.map_or(Json::Null, |all| said(&all.attributes));
                for scope in of_resource.scope_spans {
                    let (name, version) = scope.scope.map(|own| (own.name, own.version)).unwrap_or_default();
                    let recorder = [name, version, scope.schema_url];
                    spans.extend(scope.spans.iter().map(|span| collected(span, &recorder, &resource)));
                }
            }
        }
        spans
    }

    /// Those of one trace.
    pub fn of_trace(&self, trace: &str) -> Vec<CollectedSpan> {
        let mut spans = self.spans();
        spans.retain(|span| span.trace == trace);
        spans
    }
}

async fn take(body: Bytes, request: HttpRequest, came: Data<Mutex<Came>>) -> HttpResponse {
    let header = request.headers().get("authorization");
    let header = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut came = came.lock();
    came.headers.push(header.to_owned());
    came.bodies.push(body);
    HttpResponse::Ok().content_type("application/x-protobuf").finish()
}

fn collected(span: &Span, scope: &[String; 3], resource: &Json) -> CollectedSpan {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    CollectedSpan {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name.clone(),
        kind: span.kind,
        status: span.status.as_ref().map_or(0, |status| status.code),
        attributes: said(&span.attributes),
        trace_state: span.trace_state.clone(),
        links: span
            .links
            .iter()
            .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
            .collect(),
        scope: scope.clone(),
        resource: resource.clone(),
    }
}

fn said(attributes: &[KeyValue]) -> Json {
    let value = |value: Option<&AnyValue>| match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => json!(text),
        Some(Value::IntValue(number)) => json!(number),
        Some(Value::BoolValue(flag)) => json!(flag),
        other => json!(format!("{other:?}")),
    };
    let all: Map<String, Json> = attributes
        .iter()
        .map(|attribute| (attribute.key.clone(), value(attribute.value.as_ref())))
        .collect();
    Json::Object(all)
}
