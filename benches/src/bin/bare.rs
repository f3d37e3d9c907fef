//! `upsert-bench-bare`: the yardstick M. What anybody would write who needs one vendor and none of the rest: JSON in, the
//! vendor's JSON out, the call, JSON back. No store, no policies, no receipt.

use std::net::SocketAddr;

use actix_web::{App, HttpResponse, HttpServer, web};
use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// One call to add-update for each request, and nothing else
#[derive(Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// The vendor's base URL
    #[arg(long)]
    vendor: String,
    /// The vendor's key
    #[arg(long)]
    key: String,
}

#[derive(Deserialize)]
struct Customer {
    reference: String,
    given_name: String,
    family_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    status: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AddUpdate<'a> {
    external_id: &'a str,
    first_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<&'a str>,
    active: bool,
}

impl<'a> From<&'a Customer> for AddUpdate<'a> {
    fn from(customer: &'a Customer) -> Self {
        Self {
            external_id: &customer.reference,
            first_name: &customer.given_name,
            last_name: customer.family_name.as_deref(),
            email: customer.email.as_deref(),
            phone_number: customer.phone.as_deref(),
            active: customer.status.as_deref() != Some("inactive"),
        }
    }
}

struct Vendor {
    client: reqwest::Client,
    url: String,
    key: String,
}

async fn upsert(vendor: web::Data<Vendor>, customer: web::Json<Customer>) -> HttpResponse {
    match call(&vendor, &customer).await {
        Ok(record) => HttpResponse::Ok().json(json!({
            "customer": { "reference": customer.reference }, "state": "succeeded", "record": record,
        })),
        Err(error) => HttpResponse::BadGateway().json(json!({ "detail": error.to_string() })),
    }
}

async fn call(vendor: &Vendor, customer: &Customer) -> reqwest::Result<Json> {
    let request = vendor.client.post(&vendor.url);
    let request = request.header("x-api-key", &vendor.key).header("x-merchant-id", "m-1");
    let answer = request.json(&AddUpdate::from(customer)).send().await?;
    answer.error_for_status()?.json().await
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // As the gateway's own client is set up, so that the two differ in nothing but what the gateway does besides.
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .pool_max_idle_per_host(64)
        .tcp_nodelay(true)
        .build()?;
    let vendor = web::Data::new(Vendor {
        client,
        url: format!("{}/customers/add-update", arguments.vendor),
        key: arguments.key,
    });
    let app = move || {
        App::new()
            .app_data(vendor.clone())
            .route("/livez", web::get().to(HttpResponse::Ok))
            .route("/v1/customers", web::post().to(upsert))
    };
    HttpServer::new(app).bind(arguments.listen)?.run().await?;
    Ok(())
}
