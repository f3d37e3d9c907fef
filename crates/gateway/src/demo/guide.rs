//! What a demo prints: what is running where, a line to paste, and what to look at next.

use std::fmt;
use std::net::SocketAddr;

use super::folder::{Folder, KEY_FILE};
use super::vendors::Vendors;

/// New to the gateway, and enough for all three vendors.
const CUSTOMER: &str = r#"{"reference":"CUST-123","given_name":"John","family_name":"Doe","email":"john.doe@example.com","phone":"+12025550123","tags":["vip"]}"#;

/// An organisation, which the merchant's first route sends to April alone: April knows it again by its reference.
const ORGANISATION: &str =
    r#"{"reference":"ORG-7","organisation_name":"Doe and Sons","tax_id":"51824753556","email":"accounts@doe.example"}"#;

/// What there is to say when all of it runs.
pub(super) struct Guide<'a> {
    pub(super) gateway: SocketAddr,
    pub(super) key: &'a str,
    pub(super) vendors: &'a Vendors,
    pub(super) folder: &'a Folder,
}

impl fmt::Display for Guide<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what_runs(f)?;
        self.exports(f)?;
        self.first_upsert(f)?;
        self.next(f)?;
        self.failure(f)?;
        f.write_str("\nCtrl-C ends it.")
    }
}

impl Guide<'_> {
    fn what_runs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"The gateway is at http://{gateway} and serves the merchant "acme".

Its connections go to simulated vendors:

"#,
            gateway = self.gateway
        )?;
        for vendor in self.vendors.each() {
            let (connection, title, url) = (vendor.connection, vendor.title, vendor.base_url());
            writeln!(f, "  {connection:<9} {title:<11} {url}")?;
        }
        let folder = self.folder.path().display();
        let end = if self.folder.is_kept() {
            "stays"
        } else {
            "is removed at the end"
        };
        write!(
            f,
            "
Configuration, secrets and data are in {folder}, which {end}.
What is stored of persons is encrypted; its key lies beside it, which is for a demo alone.
The API key is in its {KEY_FILE}.
"
        )
    }

    /// For a terminal: the commands of this program, of the README and of the rest of this guide need them.
    fn exports(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (gateway, key) = (self.gateway, self.key);
        write!(
            f,
            "
Paste this into another terminal first:

export UPSERT_GATEWAY_URL=http://{gateway}
export UPSERT_GATEWAY_KEY={key}
"
        )?;
        for vendor in self.vendors.each() {
            let name = vendor.connection.to_ascii_uppercase();
            writeln!(f, "export {name}_CONTROL={}", vendor.control_url())?;
        }
        Ok(())
    }

    fn first_upsert(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (gateway, key, title) = (self.gateway, self.key, self.vendors.payments.title);
        let curl = |body: &str| {
            format!(
                "curl -sS -i http://{gateway}/v1/customers -H 'Authorization: Bearer {key}' -H 'Merchant-Id: acme' \
                 -H 'Content-Type: application/json' -d '{body}'"
            )
        };
        let (customer, organisation) = (curl(CUSTOMER), curl(ORGANISATION));
        write!(
            f,
            "
Then a customer:

{customer}

It answers 201: a new customer, three deliveries succeeded. Each says what it did and how it knows.

And an organisation, which a route sends to {title} alone:

{organisation}

It answers 201 with one delivery, `matched_by` its reference: {title} knows a person again by the e-mail, an organisation \
             by the reference.
"
        )
    }

    fn next(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (gateway, key) = (self.gateway, self.key);
        write!(
            f,
            r#"
Then, in the same terminal:

  G=$UPSERT_GATEWAY_URL B='{CUSTOMER}'
  gw() {{ curl -sS -H "Authorization: Bearer $UPSERT_GATEWAY_KEY" -H 'Content-Type: application/json' "$@"; echo; }}

The same again: 200, three times `unchanged`, and no vendor is called.

  gw -i $G/v1/customers -d "$B"

A change, planned: what would be sent to whom. Nothing is stored, nothing is sent.

  gw $G/v1/customers/plan -d '{{"reference":"CUST-123","given_name":"Johnny"}}'

What the gateway holds, and how it came to it:

  gw "$G/v1/customers?reference=CUST-123"
  ID=$(gw "$G/v1/customers?reference=CUST-123" | grep -o 'cus_[0-9A-Za-z]*' | head -n 1)
  gw $G/v1/customers/$ID
  gw $G/v1/customers/$ID/history

What {title} holds, asked through the gateway; and how all connections are:

  gw $G/v1/connections/acme/{rotor}/customers
  gw $G/v1/connections

Every route, in a browser: http://{gateway}/docs

The dashboard, in a browser: http://{gateway}/ops
Sign in with the API key: {key}
"#,
            rotor = self.vendors.rotor.connection,
            title = self.vendors.rotor.title,
        )
    }

    fn failure(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (title, control) = (self.vendors.payments.title, self.vendors.payments.control_url());
        write!(
            f,
            r#"
Make {title} fail twice with 503, then change the customer: it is tried until it succeeds ("attempts": 3).

  gw -X PUT {control}/faults -d '[{{"effect":{{"kind":"answer","status":503}},"times":2}}]'
  gw $G/v1/customers -d '{{"reference":"CUST-123","given_name":"Johnny"}}'

Without "times" it fails for ever: the upsert answers 202 and goes on by itself. This ends the failure:

  gw -X DELETE {control}/faults

A dead letter, for the dashboard and `upsert-gateway deliveries`: it refuses a change for good.

  gw -X PUT {control}/faults -d '[{{"effect":{{"kind":"answer","status":422}},"times":1}}]'
  gw -o /dev/null $G/v1/customers -d '{{"reference":"CUST-123","given_name":"Jack"}}'

The other vendors take the same at their own addresses. More effects: docs/demo.md.
"#
        )
    }
}
