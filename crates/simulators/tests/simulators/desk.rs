//! A caller that knows the vendors' headers and nothing else.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Map, Value};
use upsert_simulators::{Running, Simulator, SimulatorOptions, Vendor};

/// A running simulator and the credentials that it knows by default.
pub(crate) struct Desk {
    pub(crate) simulator: Running,
    client: Client,
}

impl Desk {
    pub(crate) fn start(vendor: Vendor) -> Self {
        Self::with(vendor, SimulatorOptions::default())
    }

    pub(crate) fn with(vendor: Vendor, options: SimulatorOptions) -> Self {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            simulator: Simulator::start(vendor, options).unwrap(),
            client,
        }
    }

    /// A request without credentials.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.simulator.base_url()))
    }

    /// A request with the default credentials of the vendor.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let bare = self.bare(method, path);
        match self.simulator.vendor() {
            Vendor::Rotor => bare.header("x-api-key", "rotor_sim_secret"),
            Vendor::AddUpdate => bare.header("x-api-key", "sim-key").header("x-merchant-id", "shop-1"),
            Vendor::April => bare.bearer_auth("sandbox_sk_sim"),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// The vendor's upsert.
    pub(crate) async fn upsert(&self, body: &Value) -> (u16, Value) {
        self.post(self.upsert_path(), body).await
    }

    pub(crate) fn upsert_path(&self) -> &'static str {
        match self.simulator.vendor() {
            Vendor::Rotor | Vendor::April => "/customers",
            Vendor::AddUpdate => "/customers/add-update",
        }
    }
}

/// A client that follows no redirect.
pub(crate) fn client() -> Client {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other}"),
    }
}
