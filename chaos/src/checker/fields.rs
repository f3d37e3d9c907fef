//! Each customer is the fold of what clients sent, in the order of its versions, and so is its record at each vendor.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value as Json};

use super::writes::email_of;
use super::{Finding, Promise};
use crate::evidence::{Customer, Evidence, Record, Version};

/// Our field and the vendor's, by provider. What no vendor can clear is compared where it stands.
const FIELDS: [(&str, &[(&str, &str)]); 3] = [
    (
        "rotor",
        &[
            ("given_name", "first_name"),
            ("family_name", "last_name"),
            ("email", "email"),
            ("notes", "notes"),
            ("status", "status"),
        ],
    ),
    (
        "april",
        &[
            ("given_name", "givenName"),
            ("middle_name", "middleName"),
            ("family_name", "familyName"),
            ("email", "emailAddress"),
            ("phone", "phoneNumber"),
        ],
    ),
    (
        "add-update",
        &[
            ("given_name", "firstName"),
            ("family_name", "lastName"),
            ("email", "email"),
            ("phone", "phoneNumber"),
        ],
    ),
];

pub(super) fn check(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The lines of a batch share a trace, and no two of them are about one person.
    let bodies: HashMap<(&str, &str), &Json> = evidence
        .exchanges
        .iter()
        .map(|exchange| ((exchange.trace.as_str(), exchange.person.as_str()), &exchange.body))
        .collect();
    let mut traces: HashMap<&str, &str> = HashMap::new();
    for delivery in evidence.deliveries.values() {
        if let Some(trace) = &delivery.trace {
            traces.insert(&delivery.upsert, trace);
        }
    }
    let body_of = |upsert: &str, person: &str| {
        traces
            .get(upsert)
            .and_then(|trace| bodies.get(&(*trace, person)))
            .copied()
    };
    let mut versions: BTreeMap<&str, Vec<&Version>> = BTreeMap::new();
    for version in &evidence.versions {
        versions.entry(&version.customer).or_default().push(version);
    }
    for (id, customer) in &evidence.customers {
        let mut own = versions.remove(id.as_str()).unwrap_or_default();
        own.sort_by_key(|version| version.version);
        let mut wanted = Map::new();
        for (version, number) in own.iter().zip(1..) {
            if version.version != number {
                let what = format!(
                    "customer {id} has version {} where {number} has to stand",
                    version.version
                );
                findings.push(Finding::new(Promise::Fields, what));
            }
            match body_of(&version.upsert, customer.record["email"].as_str().unwrap_or_default()) {
                Some(body) => fold(&mut wanted, body),
                None => findings.push(Finding::new(
                    Promise::Fields,
                    format!("upsert {} of customer {id} is none that a client sent", version.upsert),
                )),
            }
        }
        if own.last().map(|last| last.version) != Some(customer.version) {
            let what = format!(
                "customer {id} is version {}, and its history ends otherwise",
                customer.version
            );
            findings.push(Finding::new(Promise::Fields, what));
        }
        findings.extend(compare_customer(id, customer, &wanted));
        findings.extend(compare_vendors(evidence, id, customer, &wanted));
    }
    findings
}

/// Absent keeps, null clears, a value sets; tags are added.
fn fold(wanted: &mut Map<String, Json>, body: &Json) {
    for (field, value) in body.as_object().into_iter().flatten() {
        if field == "tags" {
            let tags = wanted.entry("tags").or_insert_with(|| Json::Array(Vec::new()));
            if let (Json::Array(tags), Json::Array(more)) = (tags, value) {
                let new: Vec<Json> = more.iter().filter(|tag| !tags.contains(tag)).cloned().collect();
                tags.extend(new);
            }
        } else if value.is_null() {
            wanted.remove(field);
        } else {
            wanted.insert(field.clone(), value.clone());
        }
    }
}

fn compare_customer(id: &str, customer: &Customer, wanted: &Map<String, Json>) -> Vec<Finding> {
    let fields = [
        "given_name",
        "middle_name",
        "family_name",
        "email",
        "phone",
        "notes",
        "reference",
    ];
    let differs = |field: &&str| wanted.get(*field).unwrap_or(&Json::Null) != &customer.record[*field];
    fields
        .iter()
        .filter(|field| differs(field))
        .map(|field| {
            let (is, wants) = (&customer.record[*field], wanted.get(*field));
            let what = format!("customer {id}: {field} is {is} and has to be {wants:?}");
            Finding::new(Promise::Fields, what)
        })
        .collect()
}

fn compare_vendors(evidence: &Evidence, id: &str, customer: &Customer, wanted: &Map<String, Json>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (connection, link) in &customer.links {
        let Some(side) = evidence.vendors.get(connection) else {
            continue;
        };
        let Some(record) = side.records.iter().find(|record| &record.id == link) else {
            let what = format!("customer {id} is linked to {link} at {connection}, which has no such record");
            findings.push(Finding::new(Promise::Fields, what));
            continue;
        };
        if email_of(record) != wanted.get("email").and_then(Json::as_str) {
            let what = format!("customer {id} is linked to somebody else's record {link} at {connection}");
            findings.push(Finding::new(Promise::Fields, what));
        }
        // What failed for good may have been written or not: the link says so, and somebody has to look.
        if !customer.failed.contains(connection) {
            findings.extend(compare_record(id, connection, &side.provider, record, wanted));
        }
    }
    let has_all = evidence
        .deliveries
        .values()
        .filter(|delivery| delivery.customer == id && delivery.state == "succeeded");
    for delivery in has_all {
        if !customer.links.contains_key(&delivery.connection) {
            let what = format!(
                "customer {id} was delivered to {} and has no link there",
                delivery.connection
            );
            findings.push(Finding::new(Promise::Fields, what));
        }
    }
    findings
}

fn compare_record(
    id: &str,
    connection: &str,
    provider: &str,
    record: &Record,
    wanted: &Map<String, Json>,
) -> Vec<Finding> {
    let fields = FIELDS
        .iter()
        .find(|(name, _)| *name == provider)
        .map_or(&[][..], |(_, fields)| fields);
    let mut findings = Vec::new();
    for (ours, theirs) in fields {
        let (Some(wants), is) = (wanted.get(*ours), record.fields.get(*theirs)) else {
            continue;
        };
        if is != Some(wants) {
            let what = format!("customer {id} at {connection}: {theirs} is {is:?} and has to be {wants}");
            findings.push(Finding::new(Promise::Fields, what));
        }
    }
    let tags = |value: Option<&Json>| value.and_then(Json::as_array).cloned().unwrap_or_default();
    let held = tags(record.fields.get("tags"));
    if provider == "rotor"
        && let Some(missing) = tags(wanted.get("tags")).iter().find(|tag| !held.contains(tag))
    {
        let what = format!("customer {id} at {connection} lacks the tag {missing}");
        findings.push(Finding::new(Promise::Fields, what));
    }
    let active = wanted
        .get("status")
        .and_then(Json::as_str)
        .map(|status| status == "active");
    if provider == "add-update"
        && let Some(active) = active
        && record.fields.get("active") != Some(&Json::Bool(active))
    {
        let what = format!("customer {id} at {connection} is not active = {active}");
        findings.push(Finding::new(Promise::Fields, what));
    }
    findings
}
