//! What one connection would be sent. Pure: the same function serves the dry run, the commit and each later attempt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use upsert_api::{Conflict, PlanAction, PlannedConnection, ProblemCode};
use upsert_core::customer::{escape, merge_objects};
use upsert_core::{
    Customer, CustomerId, Field, KeyKind, LinkView, MatchKey, OnKeyChange, Payload, PreparedUpsert, Problem, Selection,
    Sent, UpsertRequest, Value, Violation, Warning, WarningCode,
};
use upsert_store::{Accepted, Lane, Link};

use crate::directory::merchant::Connection;
use crate::planning::unfit::Unfitting;

/// The pointers of what is passed through begin so.
const PASSED_THROUGH: &str = "/provider_fields/";

/// One connection's part of an upsert.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    /// The connection.
    pub(crate) connection: Arc<Connection>,
    /// What is known of the customer there.
    pub(crate) lane: Option<Lane>,
    /// What would be done.
    pub(crate) plan: Result<ConnectionPlan, PlanRefusal>,
}

/// What would be done.
#[derive(Debug, Clone)]
pub(crate) enum ConnectionPlan {
    /// This would be sent.
    Send {
        /// Ready to send.
        prepared: Box<PreparedUpsert>,
        /// Whether the present link is left behind for a new record.
        replaces_link: bool,
    },
    /// The vendor has accepted all of it before.
    Unchanged {
        /// What the vendor cannot hold or do.
        warnings: Vec<Warning>,
    },
}

/// Why a connection cannot take the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlanRefusal {
    /// The vendor asks for something that is not there.
    Invalid(Vec<Problem>),
    /// The key that the vendor's record was made with would change.
    KeyChange(Conflict),
    /// The vendor would take the customer for another one.
    Collision(Vec<Conflict>),
}

/// Works out what `connection` would be sent for `customer`. `force` sends everything known, changed or not.
pub(crate) fn plan(
    connection: &Connection,
    id: CustomerId,
    customer: &Customer,
    lane: Option<&Lane>,
    force: bool,
) -> Result<ConnectionPlan, PlanRefusal> {
    let asked = Asked::new(connection, id, customer)?;
    let Whole {
        all,
        changed,
        is_new,
        replaces_link,
    } = asked.whole(lane)?;
    let is_unwanted = |name: &String| lane.is_some_and(|lane| is_unwanted(lane, &all.sent, name));
    let (declined, wanted): (BTreeSet<String>, BTreeSet<String>) = changed.into_iter().partition(is_unwanted);
    if !force && wanted.is_empty() && (!is_new || !declined.is_empty()) {
        return Ok(ConnectionPlan::Unchanged { warnings: all.warnings });
    }
    let prepared = match (lane, connection.payload) {
        (Some(lane), Payload::Full) if !(is_new || force || declined.is_empty()) => {
            asked.full_without(&all, &declined, lane)?
        }
        (Some(lane), Payload::Changed) if !(is_new || force) => {
            asked.prepare(lane.link().map(view), lane.accepted(), Selection::Only(&wanted))?
        }
        _ => all,
    };
    Ok(ConnectionPlan::Send {
        prepared: Box::new(prepared),
        replaces_link,
    })
}

/// Whether the vendor has accepted all of the customer: nothing would be sent.
pub(crate) fn has_all(connection: &Connection, customer: &Customer, lane: &Lane) -> bool {
    let plan = plan(connection, lane.customer, customer, Some(lane), false);
    matches!(plan, Ok(ConnectionPlan::Unchanged { .. }))
}

/// What differs from what the connection accepted, by the vendor's field, and all that would be sent. None where nothing
/// could be sent at all.
pub(crate) fn difference(
    connection: &Connection,
    id: CustomerId,
    customer: &Customer,
    lane: &Lane,
) -> Option<(BTreeSet<String>, BTreeMap<String, Sent>)> {
    let asked = Asked::new(connection, id, customer).ok()?;
    let whole = asked.whole(Some(lane)).ok()?;
    Some((whole.changed, whole.all.sent))
}

/// An operator does not want this value to be sent there.
fn is_unwanted(lane: &Lane, sent: &BTreeMap<String, Sent>, vendor_field: &str) -> bool {
    let mark = lane.declined().get(vendor_field);
    mark.is_some() && mark == sent.get(vendor_field).map(|sent| &sent.value)
}

/// A call of unknown outcome may have made a record, and the vendor would not find it by what is sent now.
fn may_make_a_second_record(lane: &Lane, prepared: &PreparedUpsert) -> bool {
    let known = lane.sure_keys().unwrap_or(lane.known_by());
    !lane.known_by().is_empty() && !prepared.matches_by.iter().any(|key| known.contains(key))
}

fn key_change(connection: &Connection, id: CustomerId, prepared: &PreparedUpsert) -> PlanRefusal {
    PlanRefusal::KeyChange(Conflict {
        customer_id: id,
        pointer: prepared.link_key.kind.pointer().to_owned(),
        connection: Some(connection.name.clone()),
    })
}

fn new_record(prepared: &PreparedUpsert) -> Warning {
    let detail = "the key of the vendor's record changed: a new record is made, the old one stays there";
    Warning::new(WarningCode::NewRecord, prepared.link_key.kind.pointer(), detail)
}

fn view(link: &Link) -> LinkView<'_> {
    LinkView {
        provider_customer_id: &link.provider_customer_id,
        key: &link.key,
        adopted: link.adopted.is_some(),
    }
}

/// What stands in the place of the key of a record that a caller brought: which key it has is seen when a call to it is
/// planned.
pub(crate) fn unknown_key(provider_customer_id: &str) -> MatchKey {
    MatchKey::new(KeyKind::Id, provider_customer_id)
}

fn id_not_sent() -> Warning {
    let detail = "this vendor takes no id on a write: the id that it answers with has to be the one given in `links`";
    Warning::new(WarningCode::LinkIsCheckedAfterwards, "/links", detail)
}

struct Asked<'a> {
    connection: &'a Connection,
    id: CustomerId,
    customer: &'a Customer,
    unfit: Unfitting,
    passed_through: Option<Map<String, Json>>,
}

/// Everything that is known of the customer, worded for the vendor.
struct Whole {
    all: PreparedUpsert,
    /// The vendor fields that differ from what was last accepted.
    changed: BTreeSet<String>,
    /// Whether it makes a link.
    is_new: bool,
    /// Whether the present link is left behind for a new record.
    replaces_link: bool,
}

impl<'a> Asked<'a> {
    fn new(connection: &'a Connection, id: CustomerId, customer: &'a Customer) -> Result<Self, PlanRefusal> {
        Ok(Self {
            connection,
            id,
            customer,
            unfit: Unfitting::of(connection, customer),
            passed_through: provider_fields(connection, customer)?,
        })
    }

    fn whole(&self, lane: Option<&Lane>) -> Result<Whole, PlanRefusal> {
        let (connection, nothing) = (self.connection, Accepted::default());
        let mut accepted = lane.map_or(&nothing, Lane::accepted);
        let link = lane.and_then(Lane::link);
        if let Some(link) = link.filter(|link| link.claimed_by().is_some()) {
            return self.by_claim(link);
        }
        let mut replaces_link = false;
        let mut all = self.prepare(link.map(view), accepted, Selection::All)?;
        if let Some(link) = link
            && !connection.adapter.info().capabilities.updates_by_id
            && all.link_key != link.key
        {
            if connection.on_key_change == OnKeyChange::Refuse {
                return Err(key_change(connection, self.id, &all));
            }
            replaces_link = true;
            accepted = &nothing;
            all = self.prepare(None, accepted, Selection::All)?;
            all.warnings.push(new_record(&all));
        }
        if let Some(lane) = lane.filter(|lane| link.is_none() && may_make_a_second_record(lane, &all))
            && let Some(same) = self.under_its_first_key(lane, &all)?
        {
            all = same;
        }
        if link.is_none() && lane.is_some_and(|lane| may_make_a_second_record(lane, &all)) {
            if connection.on_key_change == OnKeyChange::Refuse {
                return Err(key_change(connection, self.id, &all));
            }
            all.warnings.push(new_record(&all));
        }
        Ok(Whole {
            changed: differing(&all.sent, accepted),
            is_new: link.is_none() || replaces_link,
            replaces_link,
            all,
        })
    }

    /// Goes by a record that a caller brought and no answer has named yet. What is there is not known, so everything is
    /// sent; nor is the key that it was made with: it is the vendor's id where the vendor takes one, in the place of ours
    /// where the vendor takes ours, and else whatever the vendor matches the customer by, to be borne out by the answer.
    fn by_claim(&self, link: &Link) -> Result<Whole, PlanRefusal> {
        let nothing = Accepted::default();
        let by = |key: MatchKey| {
            let link = Link { key, ..link.clone() };
            self.prepare(Some(view(&link)), &nothing, Selection::All)
        };
        let all = if self.connection.adapter.info().capabilities.updates_by_id {
            by(unknown_key(&link.provider_customer_id))?
        } else {
            let plain = self.prepare(None, &nothing, Selection::All)?;
            let takes_ours = plain.expected_id.is_some();
            let adopted = MatchKey::new(plain.link_key.kind, link.provider_customer_id.clone());
            let by_adopted = takes_ours.then(|| by(adopted.clone())).transpose()?;
            match by_adopted.filter(|prepared| prepared.link_key == adopted) {
                // Whether there is a record under that id is the caller's word alone.
                Some(prepared) => PreparedUpsert {
                    intent: plain.intent,
                    ..prepared
                },
                None => {
                    let mut prepared = by(plain.link_key)?;
                    prepared.warnings.push(id_not_sent());
                    prepared
                }
            }
        };
        Ok(Whole {
            changed: differing(&all.sent, &nothing),
            is_new: true,
            replaces_link: false,
            all,
        })
    }

    /// Everything but what is not wanted: in its place stands what was last accepted, if anything was. What the vendor
    /// asks for is sent as it is.
    fn full_without(
        &self,
        all: &PreparedUpsert,
        declined: &BTreeSet<String>,
        lane: &Lane,
    ) -> Result<PreparedUpsert, PlanRefusal> {
        let others = all.sent.keys().filter(|name| !declined.contains(*name));
        let others: BTreeSet<String> = others.cloned().collect();
        let link = lane.link().map(view);
        let mut prepared = self.prepare(link, lane.accepted(), Selection::Only(&others))?;
        let accepted = lane.accepted();
        for name in declined.difference(&accepted.uncertain) {
            if let Some((pointer, value)) = accepted.fields.get(name)
                && !prepared.sent.contains_key(name)
                && put_at(&mut prepared.request.body, name, value)
            {
                let sent = Sent {
                    pointer: pointer.clone(),
                    value: value.clone(),
                    merged: false,
                };
                prepared.sent.insert(name.clone(), sent);
            }
        }
        Ok(prepared)
    }
    fn prepare(
        &self,
        link: Option<LinkView<'_>>,
        accepted: &Accepted,
        selection: Selection<'_>,
    ) -> Result<PreparedUpsert, PlanRefusal> {
        let request = UpsertRequest {
            customer: self.unfit.without.as_ref().unwrap_or(self.customer),
            customer_id: self.id,
            link,
            selection,
            cleared: &cleared(self.customer, accepted),
            tags_lost: tags_lost(self.customer, accepted),
            provider_fields: self.passed_through.as_ref(),
        };
        let problem = |violation: Violation| Problem {
            detail: self.unfit.told(&violation),
            pointer: violation.pointer,
            code: violation.code.to_owned(),
            connection: Some(self.connection.name.clone()),
        };
        let prepared = self.connection.adapter.prepare(&request);
        let mut prepared =
            prepared.map_err(|asked_for| PlanRefusal::Invalid(asked_for.into_iter().map(problem).collect()))?;
        self.name_passed_through(&mut prepared);
        prepared.warnings.extend(self.taken_back(&prepared, accepted));
        prepared.warnings.extend(self.unfit.warnings.iter().cloned());
        Ok(prepared)
    }

    /// Where the vendor takes its id from us, a record that a call of unknown outcome may have made can be met again by
    /// the key that it was made with, as if there were a link, if the adapter goes on with that key.
    fn under_its_first_key(&self, lane: &Lane, all: &PreparedUpsert) -> Result<Option<PreparedUpsert>, PlanRefusal> {
        let first = lane.known_by().iter().find(|key| key.kind == all.link_key.kind);
        let Some(first) = first.filter(|_| all.expected_id.is_some()) else {
            return Ok(None);
        };
        let link = LinkView {
            provider_customer_id: &first.value,
            key: first,
            adopted: false,
        };
        let mut same = self.prepare(Some(link), lane.accepted(), Selection::All)?;
        // Whether there is a record is what nobody knows.
        same.intent = all.intent;
        Ok(same.matches_by.contains(first).then_some(same))
    }

    /// An adapter does not know under which name a field was passed through to it.
    fn name_passed_through(&self, prepared: &mut PreparedUpsert) {
        for (vendor_field, sent) in &mut prepared.sent {
            if sent.pointer.starts_with(PASSED_THROUGH) {
                let by_connection = self.customer.provider_fields().get(&self.connection.name);
                let name = match by_connection {
                    Some(fields) if fields.contains_key(vendor_field) => &self.connection.name,
                    _ => &self.connection.provider,
                };
                sent.pointer = format!("{PASSED_THROUGH}{}/{}", escape(name), escape(vendor_field)).into();
            }
        }
    }

    /// Fields that were passed through once and are not any more: no vendor is known to drop them.
    fn taken_back(&self, prepared: &PreparedUpsert, accepted: &Accepted) -> Vec<Warning> {
        let passes = |vendor_field: &String| {
            let passed_through = self.passed_through.as_ref();
            passed_through.is_some_and(|fields| fields.contains_key(vendor_field))
        };
        let is_there = |vendor_field: &String| prepared.sent.contains_key(vendor_field) || passes(vendor_field);
        let mut warnings = Vec::new();
        for (vendor_field, (pointer, _)) in &accepted.fields {
            if pointer.starts_with(PASSED_THROUGH) && !is_there(vendor_field) {
                let detail = "it was passed through before, and the vendor keeps what it has";
                warnings.push(Warning::new(WarningCode::CannotClear, pointer.clone(), detail));
            }
        }
        warnings
    }
}

/// Puts a value where its field stands in the body; members of members are named with slashes.
fn put_at(body: &mut Json, vendor_field: &str, value: &Json) -> bool {
    let Some(members) = body.as_object_mut() else {
        return false;
    };
    match vendor_field.split_once('/') {
        None => {
            members.insert(vendor_field.to_owned(), value.clone());
            true
        }
        Some((head, rest)) => {
            let inner = members.entry(head).or_insert_with(|| Json::Object(Map::new()));
            put_at(inner, rest, value)
        }
    }
}

/// What the customer passes through to this connection: the provider's fields, then the connection's own over them.
fn provider_fields(connection: &Connection, customer: &Customer) -> Result<Option<Map<String, Json>>, PlanRefusal> {
    let all = customer.provider_fields();
    let protected = connection.adapter.info().capabilities.protected;
    let mut merged = Map::new();
    let mut problems = Vec::new();
    let own = Some(&connection.name).filter(|name| **name != connection.provider);
    for name in std::iter::once(&connection.provider).chain(own) {
        let Some(fields) = all.get(name) else { continue };
        for field in fields.keys().filter(|field| protected.contains(&field.as_str())) {
            problems.push(Problem {
                pointer: format!("/provider_fields/{}/{}", escape(name), escape(field)),
                code: "protected_field".to_owned(),
                detail: "is a match key or a credential of this vendor and cannot be passed through".to_owned(),
                connection: Some(connection.name.clone()),
            });
        }
        merge_objects(&mut merged, fields);
    }
    if problems.is_empty() {
        Ok((!merged.is_empty()).then_some(merged))
    } else {
        Err(PlanRefusal::Invalid(problems))
    }
}

/// Fields that the vendor holds from us and that are gone from the customer.
fn cleared(customer: &Customer, accepted: &Accepted) -> BTreeSet<Field> {
    accepted
        .fields
        .iter()
        .filter(|(vendor_field, (_, value))| !is_empty(value) || accepted.uncertain.contains(*vendor_field))
        .filter_map(|(_, (pointer, _))| Field::from_pointer(pointer))
        .filter(|field| customer.get(*field).is_none())
        .collect()
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(list) => list.is_empty(),
        Json::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Whether the vendor holds tags from us that are gone from the customer.
fn tags_lost(customer: &Customer, accepted: &Accepted) -> bool {
    let ours = match customer.get(Field::Tags) {
        Some(Value::Tags(tags)) => tags.clone(),
        _ => BTreeSet::new(),
    };
    accepted
        .fields
        .values()
        .filter(|(pointer, _)| pointer == Field::Tags.pointer())
        .filter_map(|(_, value)| value.as_array())
        .flatten()
        .any(|tag| tag.as_str().is_some_and(|tag| !ours.contains(tag)))
}

/// The vendor fields that differ from what was last accepted. Tags that a vendor merges differ if one of ours is new.
fn differing(sent: &BTreeMap<String, Sent>, accepted: &Accepted) -> BTreeSet<String> {
    let differs = |vendor_field: &String, sent: &Sent| match (accepted.fields.get(vendor_field), &sent.value) {
        (None, _) => true,
        (Some((_, Json::Array(theirs))), Json::Array(ours)) if sent.merged => {
            ours.iter().any(|tag| !theirs.contains(tag))
        }
        (Some((_, theirs)), ours) => theirs != ours,
    };
    let is_meant = |(name, sent): &(&String, &Sent)| accepted.uncertain.contains(*name) || differs(name, sent);
    sent.iter().filter(is_meant).map(|(name, _)| name.clone()).collect()
}

impl Planned {
    /// What would be sent, if anything.
    pub(crate) fn prepared(&self) -> Option<&PreparedUpsert> {
        match &self.plan {
            Ok(ConnectionPlan::Send { prepared, .. }) => Some(prepared),
            _ => None,
        }
    }

    /// As `POST /v1/customers/plan` shows it.
    pub(crate) fn shown(&self) -> PlannedConnection {
        let prepared = self.prepared();
        let (action, warnings, refusals) = match &self.plan {
            Ok(ConnectionPlan::Unchanged { warnings }) => (Some(PlanAction::Unchanged), warnings.clone(), Vec::new()),
            Ok(ConnectionPlan::Send { prepared, .. }) => {
                (Some(prepared.intent.into()), prepared.warnings.clone(), Vec::new())
            }
            Err(refusal) => (None, Vec::new(), refusal.shown(&self.connection.name)),
        };
        PlannedConnection {
            connection: self.connection.name.clone(),
            provider: self.connection.provider.clone(),
            required: self.connection.required,
            action,
            match_key: prepared.and_then(|prepared| prepared.match_key.clone()),
            request: prepared.map(|prepared| prepared.request.clone()),
            repeat: prepared.map(|prepared| prepared.repeat),
            warnings,
            refusals,
        }
    }
}

impl PlanRefusal {
    /// As the API shows it.
    fn shown(&self, connection: &str) -> Vec<upsert_api::PlanRefusal> {
        let conflict = |code: ProblemCode, with: &Conflict| {
            upsert_api::PlanRefusal::conflict(code, &with.pointer, self.detail(), connection, with.customer_id)
        };
        match self {
            Self::Invalid(problems) => problems.iter().cloned().map(Into::into).collect(),
            Self::KeyChange(with) => vec![conflict(ProblemCode::BusinessKeyChange, with)],
            Self::Collision(all) => {
                let conflicts = all.iter().map(|with| conflict(ProblemCode::MatchKeyCollision, with));
                conflicts.collect()
            }
        }
    }

    /// A sentence for people.
    pub(crate) fn detail(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "the vendor asks for something that is not there",
            Self::KeyChange(_) => "the vendor cannot change the key that its record was made with",
            Self::Collision(_) => {
                "the vendor would take the customer for another one; if that one is meant, name it by its `id`"
            }
        }
    }
}
