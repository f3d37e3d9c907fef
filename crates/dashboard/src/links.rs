//! Addresses within the dashboard.

use std::fmt::Display;

use upsert_api::{
    Action, Attention, AttentionCode, Cause, DeliveryFilter, DeliveryState, IncidentFilter, IncomingFilter,
    IncomingState, MASK, OutgoingFilter, OutgoingState, Subject, Texts,
};

use crate::query::address;

pub(crate) const DELIVERIES: &str = "/ops/deliveries";
const CONFIGURATION: &str = "/ops/configuration";
pub(crate) const INCIDENTS: &str = "/ops/incidents";
pub(crate) const WEBHOOKS: &str = "/ops/webhooks";

/// A connection's page.
pub(crate) fn connection(merchant: &str, name: &str) -> String {
    format!("/ops/connections/{merchant}/{name}")
}

/// A customer's page.
pub(crate) fn customer(merchant: &str, id: impl Display) -> String {
    format!("/ops/customers/{merchant}/{id}")
}

/// A delivery's page.
pub(crate) fn delivery(id: impl Display) -> String {
    format!("{DELIVERIES}/{id}")
}

/// An incident's page.
pub(crate) fn incident(id: impl Display) -> String {
    format!("{INCIDENTS}/{id}")
}

/// A connection's incidents.
pub(crate) fn incidents(merchant: &str, connection: &str) -> String {
    let filter = IncidentFilter {
        connection: Some(connection.to_owned()),
        ..IncidentFilter::default()
    };
    list(INCIDENTS, merchant, &filter.texts())
}

/// The incidents of the connection that needs somebody, where it is likely to have one.
pub(crate) fn incidents_of(of: &Attention) -> Option<String> {
    let has_one = matches!(
        of.code,
        AttentionCode::BreakerOpen | AttentionCode::Degraded | AttentionCode::PausedByVendor
    );
    let merchant = of
        .merchant_id
        .as_deref()
        .filter(|_| has_one && of.subject == Subject::Connection);
    merchant.map(|merchant| incidents(merchant, &of.name))
}

/// Those of a connection that are in one of these states.
pub(crate) fn deliveries(merchant: &str, connection: &str, states: &[DeliveryState]) -> String {
    let filter = DeliveryFilter {
        connection: Some(connection.to_owned()),
        state: states.iter().copied().collect(),
        ..DeliveryFilter::default()
    };
    list(DELIVERIES, merchant, &filter.texts())
}

/// Those of a connection that failed of this. (Where the vendor gave no code, others of that kind are among them too.)
pub(crate) fn failed_of(merchant: &str, connection: &str, cause: &Cause) -> String {
    let filter = DeliveryFilter {
        connection: Some(connection.to_owned()),
        state: cause.states.keys().copied().collect(),
        error_kind: Some(cause.kind),
        error_code: cause.code.clone().filter(|code| code != MASK),
        ..DeliveryFilter::default()
    };
    list(DELIVERIES, merchant, &filter.texts())
}

/// A source's events in these states; none: in any.
pub(crate) fn incoming(merchant: &str, source: &str, states: &[IncomingState]) -> String {
    let filter = IncomingFilter {
        source: Some(source.to_owned()),
        state: states.iter().copied().collect(),
        ..IncomingFilter::default()
    };
    list("/ops/events/in", merchant, &filter.texts())
}

/// An endpoint's events in these states; none: in any.
pub(crate) fn outgoing(merchant: &str, endpoint: &str, states: &[OutgoingState]) -> String {
    let filter = OutgoingFilter {
        endpoint: Some(endpoint.to_owned()),
        state: states.iter().copied().collect(),
        ..OutgoingFilter::default()
    };
    list("/ops/events/out", merchant, &filter.texts())
}

fn list(path: &str, merchant: &str, filter: &Texts) -> String {
    let whose = std::iter::once(("merchant", merchant));
    let filter = filter.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    address(path, whose.chain(filter))
}

/// Where it is put right.
pub(crate) fn remedy(of: &Attention) -> String {
    let (merchant, name) = (of.merchant_id.as_deref().unwrap_or_default(), &of.name);
    match (of.subject, of.code) {
        (Subject::Gateway, _) => CONFIGURATION.to_owned(),
        (Subject::Connection, AttentionCode::DeadLetters) => deliveries(merchant, name, &[DeliveryState::Failed]),
        (Subject::Connection, _) => connection(merchant, name),
        (Subject::Endpoint, AttentionCode::DeadLetters) => outgoing(merchant, name, &[OutgoingState::Failed]),
        (Subject::Source, AttentionCode::DeadLetters) => incoming(merchant, name, &[IncomingState::Failed]),
        (Subject::Endpoint | Subject::Source, _) => WEBHOOKS.to_owned(),
    }
}

/// What to look at besides, and where: what waits, or has failed.
pub(crate) fn look_into(of: &Attention) -> Option<(&'static str, String)> {
    if of.subject != Subject::Connection {
        return None;
    }
    let (merchant, name) = (of.merchant_id.as_deref().unwrap_or_default(), &of.name);
    let waiting = [DeliveryState::Pending, DeliveryState::Retrying, DeliveryState::Waiting];
    Some(match of.code {
        AttentionCode::BreakerOpen | AttentionCode::Degraded => {
            ("See failures", format!("{}#causes", connection(merchant, name)))
        }
        AttentionCode::DeadLetters => ("See failures", deliveries(merchant, name, &[DeliveryState::Failed])),
        _ if of.waiting > 0 => ("See what waits", deliveries(merchant, name, &waiting)),
        _ => return None,
    })
}

/// Where one call now is asked for; none: that is of no use.
pub(crate) fn to_try(of: &Attention) -> Option<String> {
    let may_be_tried = of.subject == Subject::Connection && of.actions.contains(&Action::Try);
    let merchant = of.merchant_id.as_deref().filter(|_| may_be_tried)?;
    Some(format!("{}/try", connection(merchant, &of.name)))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use upsert_api::Severity;
    use upsert_core::ErrorKind;

    use super::*;

    #[test]
    fn a_cause_leads_to_the_list_of_what_failed_of_it() {
        let mut cause = Cause {
            kind: ErrorKind::Rejected,
            code: Some("E 1".to_owned()),
            count: 3,
            sample_detail: "no".to_owned(),
            sample_answer: None,
            newest_delivery_id: upsert_core::DeliveryId::oldest_at(Timestamp::UNIX_EPOCH),
            newest_at: Timestamp::UNIX_EPOCH,
            states: [(DeliveryState::Retrying, 1), (DeliveryState::Failed, 2)].into(),
        };
        let list = "/ops/deliveries?merchant=acme&connection=crm";
        assert_eq!(
            failed_of("acme", "crm", &cause),
            format!("{list}&error_code=E+1&error_kind=rejected&state=retrying%2Cfailed")
        );
        cause.code = Some(MASK.to_owned());
        assert_eq!(
            failed_of("acme", "crm", &cause),
            format!("{list}&error_kind=rejected&state=retrying%2Cfailed"),
            "nobody finds anything by what stands in a code's place"
        );
    }

    fn of_connection() -> Attention {
        Attention {
            severity: Severity::Critical,
            merchant_id: Some("acme".to_owned()),
            subject: Subject::Connection,
            name: "crm".to_owned(),
            code: AttentionCode::BreakerOpen,
            detail: String::new(),
            since: None,
            waiting: 0,
            dead_letters: 1,
            actions: Vec::new(),
        }
    }

    #[test]
    fn a_card_leads_to_what_failed_or_waits_of_its_connection() {
        let mut of = of_connection();
        let causes = ("See failures", "/ops/connections/acme/crm#causes".to_owned());
        assert_eq!(look_into(&of), Some(causes));
        of.code = AttentionCode::PausedByOperator;
        assert_eq!(look_into(&of), None, "nothing waits");
        of.waiting = 3;
        let (label, address) = look_into(&of).unwrap();
        assert_eq!(label, "See what waits");
        assert!(address.ends_with("&state=pending%2Cretrying%2Cwaiting"), "{address}");
        of.subject = Subject::Endpoint;
        assert_eq!(look_into(&of), None);
    }

    #[test]
    fn a_card_has_a_button_for_a_call_where_one_may_help() {
        let mut of = of_connection();
        assert_eq!(to_try(&of), None);
        of.actions = vec![Action::Try, Action::List];
        assert_eq!(to_try(&of).as_deref(), Some("/ops/connections/acme/crm/try"));
        of.subject = Subject::Endpoint;
        assert_eq!(to_try(&of), None);
    }

    #[test]
    fn what_needs_somebody_leads_to_where_it_is_put_right() {
        let mut of = of_connection();
        for (subject, code, leads_to) in [
            (
                Subject::Connection,
                AttentionCode::BreakerOpen,
                "/ops/connections/acme/crm",
            ),
            (
                Subject::Connection,
                AttentionCode::DeadLetters,
                "/ops/deliveries?merchant=acme&connection=crm&state=failed",
            ),
            (Subject::Endpoint, AttentionCode::EndpointFailing, "/ops/webhooks"),
            (
                Subject::Endpoint,
                AttentionCode::DeadLetters,
                "/ops/events/out?merchant=acme&endpoint=crm&state=failed",
            ),
            (
                Subject::Source,
                AttentionCode::DeadLetters,
                "/ops/events/in?merchant=acme&source=crm&state=failed",
            ),
            (
                Subject::Gateway,
                AttentionCode::ConfigurationRefused,
                "/ops/configuration",
            ),
        ] {
            (of.subject, of.code) = (subject, code);
            assert_eq!(remedy(&of), leads_to);
        }
    }
}
