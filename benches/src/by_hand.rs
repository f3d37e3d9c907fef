//! What anybody would write who needs one vendor and none of the rest, for the programs that do only that: JSON in, the
//! vendor's JSON out, the call, JSON back. No policies, no receipt.

use std::net::SocketAddr;

use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// What such a program is told.
#[derive(Debug, Clone, Parser)]
pub struct Arguments {
    /// Where to listen
    #[arg(long)]
    pub listen: SocketAddr,
    /// The vendor's base URL
    #[arg(long)]
    pub vendor: String,
    /// The vendor's key
    #[arg(long)]
    pub key: String,
    /// The file of the store, for the program that has one
    #[arg(long, default_value = "", hide_default_value = true)]
    pub store: String,
}

/// A customer as it comes in.
#[derive(Debug, Deserialize)]
pub struct Customer {
    /// The merchant's id of it.
    pub reference: String,
    given_name: String,
    family_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    status: Option<String>,
}

/// A customer as add-update takes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AddUpdate<'a> {
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

/// The vendor, as a client sees it.
#[derive(Debug)]
pub struct Vendor {
    client: reqwest::Client,
    url: String,
    key: String,
}

impl Vendor {
    /// With a client that is set up as the gateway's own, so that the two differ in nothing but what the gateway does
    /// besides.
    ///
    /// # Errors
    /// The client cannot be built.
    pub fn new(arguments: &Arguments) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .pool_max_idle_per_host(64)
            .tcp_nodelay(true)
            .build()?;
        Ok(Self {
            client,
            url: format!("{}/customers/add-update", arguments.vendor),
            key: arguments.key.clone(),
        })
    }

    /// One call; gives the vendor's record.
    ///
    /// # Errors
    /// It cannot be reached, or did not take the customer.
    pub async fn call(&self, customer: &Customer) -> reqwest::Result<Json> {
        let request = self.client.post(&self.url);
        let request = request.header("x-api-key", &self.key).header("x-merchant-id", "m-1");
        let answer = request.json(&AddUpdate::from(customer)).send().await?;
        answer.error_for_status()?.json().await
    }
}

/// The answer to an upsert that went well.
pub fn succeeded(customer: &Customer, record: &Json) -> Json {
    json!({ "customer": { "reference": customer.reference }, "state": "succeeded", "record": record })
}
