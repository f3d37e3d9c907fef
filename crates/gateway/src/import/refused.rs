//! Why a row is refused: codes, and where in the row. Repeats nothing of what stands there.

use serde::Serialize;
use upsert_api::{Delivery, DeliveryError, Problem};
use upsert_core::CustomerId;

/// A row that is refused, whoever refuses it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Refused {
    pub(crate) code: String,
    pub(crate) errors: Vec<Why>,
}

/// One thing that is wrong with a row.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Why {
    /// The gateway's, or a vendor's if it gave one.
    pub(crate) code: Option<String>,
    /// The column of a table, where a rule cannot read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<String>,
    /// The connection that asks for it.
    pub(crate) connection: Option<String>,
    /// The customer that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) customer_id: Option<CustomerId>,
    /// For people; never a vendor's words, which may repeat a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    /// Of the row; none where the vendor's field is none of ours.
    pub(crate) pointer: Option<String>,
}

impl Refused {
    /// Nothing but a code.
    pub(crate) fn plain(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            errors: Vec::new(),
        }
    }

    /// Of the row as a whole.
    pub(crate) fn whole(code: &str, detail: &str) -> Self {
        Self {
            errors: vec![Why::at("", code, detail)],
            ..Self::plain(code)
        }
    }

    /// By the gateway; of an upsert that vendors refused or failed, with its deliveries.
    pub(crate) fn by_gateway(problem: &Problem, deliveries: &[Delivery]) -> Self {
        let own = problem.errors.iter().map(|error| Why {
            connection: error.connection.clone(),
            ..Why::at(&error.pointer, &error.code, &error.detail)
        });
        let conflicts = problem.conflicts.iter().flatten().map(|with| Why {
            pointer: Some(with.pointer.clone()),
            code: Some(problem.code.to_string()),
            connection: with.connection.clone(),
            customer_id: Some(with.customer_id),
            ..Why::default()
        });
        let vendors = deliveries.iter().flat_map(|delivery| {
            let error = delivery.error.as_ref();
            error.map_or_else(Vec::new, |error| by_vendor(&delivery.connection, error))
        });
        Self {
            code: problem.code.to_string(),
            errors: own.chain(conflicts).chain(vendors).collect(),
        }
    }
}

impl Why {
    /// In the gateway's or the program's own words.
    pub(crate) fn at(pointer: &str, code: &str, detail: &str) -> Self {
        Self {
            pointer: Some(pointer.to_owned()),
            code: Some(code.to_owned()),
            detail: Some(detail.to_owned()),
            ..Self::default()
        }
    }
}

/// One for each field that the vendor complains of, or one of the row as a whole.
fn by_vendor(connection: &str, error: &DeliveryError) -> Vec<Why> {
    let at = |pointer: Option<String>| Why {
        pointer,
        code: error.code.clone(),
        connection: Some(connection.to_owned()),
        ..Why::default()
    };
    if error.errors.is_empty() {
        return vec![at(Some(String::new()))];
    }
    error.errors.iter().map(|place| at(place.pointer.clone())).collect()
}
