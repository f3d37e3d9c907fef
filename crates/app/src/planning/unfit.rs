//! Values that recognise nobody, on their way to a vendor: one that matches by such a field does not get them, since it
//! would take strangers for one another.

use upsert_core::{Customer, CustomerPatch, Field, IdentifierKind, KeyKind, Patch, Unfit, Violation, Warning};

use crate::directory::merchant::Connection;

/// What of a customer is no key for a vendor.
#[derive(Default)]
pub(crate) struct Unfitting {
    /// The customer as the vendor is to know it; none: as it is.
    pub(crate) without: Option<Customer>,
    /// What is said of it.
    pub(crate) warnings: Vec<Warning>,
    /// What is kept back.
    kept_back: Vec<(Field, Unfit)>,
}

impl Unfitting {
    /// Of this customer at this connection.
    pub(crate) fn of(connection: &Connection, customer: &Customer) -> Self {
        let mut unfitting = Self::default();
        let Some(form) = connection.adapter.info().capabilities.form(customer.kind()) else {
            return unfitting;
        };
        for identifier in customer.identifiers() {
            let Some(unfit) = connection.never_match.unfit(identifier.kind, &identifier.value) else {
                continue;
            };
            let field = identifier.kind.field();
            let has_place = form.fields.iter().any(|map| map.field == field);
            let detail = if form.match_keys.contains(&key_of(identifier.kind)) {
                unfitting.kept_back.push((field, unfit));
                format!("{}; this vendor would match by it, so it is not sent", unfit.detail())
            } else if unfit == Unfit::Unlikely && has_place {
                unfit.detail().to_owned()
            } else {
                continue;
            };
            let warning = Warning::new(unfit.warning(), field.pointer(), detail);
            unfitting.warnings.push(warning);
        }
        if !unfitting.kept_back.is_empty() {
            let cleared = unfitting.kept_back.iter().map(|(field, _)| (*field, Patch::Clear));
            unfitting.without = Some(customer.merged(&CustomerPatch {
                fields: cleared.collect(),
                ..CustomerPatch::default()
            }));
        }
        unfitting
    }

    /// A vendor that asks for what is kept back: the customer has it, so it has to be said why that will not do.
    pub(crate) fn told(&self, violation: &Violation) -> String {
        let is_meant = |(field, _): &&(Field, Unfit)| field.pointer() == violation.pointer;
        match self.kept_back.iter().find(is_meant) {
            Some((_, unfit)) => format!("{}; the one that is there {}", violation.detail, unfit.detail()),
            None => violation.detail.clone(),
        }
    }
}

fn key_of(kind: IdentifierKind) -> KeyKind {
    match kind {
        IdentifierKind::Reference => KeyKind::Reference,
        IdentifierKind::Email => KeyKind::Email,
        IdentifierKind::Phone => KeyKind::Phone,
    }
}
