//! What is measured: the yardstick, what users would otherwise pick, and the ways through the gateway.

use serde_json::Value as Json;

use crate::customers::Customers;
use crate::folder::{ONE, THREE};
use crate::programs::Program;

/// What a right answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A member that is there.
    Member(&'static str),
    /// So many succeeded deliveries, and their outcome where only one can be right.
    Deliveries(usize, Option<&'static str>),
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// As the table shows it.
    pub name: &'static str,
    /// Which program.
    pub program: Program,
    /// What is asked of it.
    pub path: &'static str,
    /// On behalf of which merchant; only the gateway knows any.
    pub merchant: &'static str,
    /// Which customers.
    pub customers: Customers,
    /// The status of every answer.
    pub status: u16,
    /// What the answers are held against.
    pub proof: Proof,
}

const UPSERT: &str = "/v1/customers";

const fn by_hand(program: Program, name: &'static str) -> Case {
    Case {
        name,
        program,
        path: UPSERT,
        merchant: "",
        customers: Customers::New,
        status: 200,
        proof: Proof::Member("record"),
    }
}

const fn gateway(name: &'static str, merchant: &'static str, customers: Customers, status: u16, proof: Proof) -> Case {
    Case {
        name,
        program: Program::Gateway,
        path: UPSERT,
        merchant,
        customers,
        status,
        proof,
    }
}

/// The yardstick: ratios are to it.
pub const BARE: Case = by_hand(Program::Bare, "bare handler (M): actix-web + reqwest");
/// A durable upsert of a new customer at one vendor.
pub const NEW: Case = gateway(
    "gateway: new, 1 connection",
    ONE,
    Customers::New,
    201,
    Proof::Deliveries(1, None),
);
/// The same at three vendors.
pub const NEW_AT_THREE: Case = gateway(
    "gateway: new, 3 connections",
    THREE,
    Customers::New,
    201,
    Proof::Deliveries(3, None),
);
/// A known customer with one field changed.
pub const CHANGED: Case = gateway(
    "gateway: one field changed, 1 connection",
    ONE,
    Customers::Changed,
    200,
    Proof::Deliveries(1, Some("updated")),
);
/// A known customer as it is.
pub const UNCHANGED: Case = gateway(
    "gateway: unchanged, no call",
    ONE,
    Customers::Known,
    200,
    Proof::Deliveries(1, Some("unchanged")),
);
/// Everything but the call and what is written.
pub const PLAN: Case = Case {
    path: "/v1/customers/plan",
    ..gateway(
        "gateway: plan, no call, nothing written",
        ONE,
        Customers::New,
        200,
        Proof::Member("connections"),
    )
};
/// nginx, which is given what the vendor takes.
const NGINX: Case = Case {
    customers: Customers::NewInVendorsWords,
    proof: Proof::Member("createdAt"),
    ..by_hand(Program::Nginx, "nginx, forwarding only")
};
/// The bare handler with a store.
pub const DURABLE: Case = by_hand(Program::Durable, "bare handler + SQLite, a transaction each");
/// Node.
pub const NODE: Case = by_hand(Program::Node, "Node: fastify + undici, no store");
/// Python.
pub const FASTAPI: Case = by_hand(Program::FastApi, "Python: FastAPI + httpx, no store");

/// All, the yardstick first.
pub const ALL: [Case; 10] = [
    BARE,
    NGINX,
    NODE,
    FASTAPI,
    DURABLE,
    PLAN,
    NEW,
    NEW_AT_THREE,
    CHANGED,
    UNCHANGED,
];

/// What makes the known customers known, before anything is measured.
pub const PREPARATION: Case = gateway(
    "preparation",
    ONE,
    Customers::Beginners,
    201,
    Proof::Deliveries(1, None),
);

/// The yardstick, and the cases whose names contain `part`.
pub fn named(part: &str) -> Vec<Case> {
    let wanted = |case: &Case| case.program == Program::Bare || case.name.contains(part);
    ALL.into_iter().filter(wanted).collect()
}

impl Case {
    /// The usual case of a program.
    pub fn of(program: Program) -> Self {
        let of_it = |case: &Self| case.program == program && case.path == UPSERT;
        ALL.into_iter().find(of_it).unwrap_or(BARE)
    }

    /// Holds a whole answer against what the case is about, so that no error is ever measured as a success.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, body: &[u8]) -> Result<(), String> {
        let answer: Json = serde_json::from_slice(body).map_err(|error| format!("the answer is no JSON: {error}"))?;
        let (count, outcome) = match self.proof {
            Proof::Member(name) if answer[name].is_null() => return Err(format!("the answer has no {name}: {answer}")),
            Proof::Member(_) => return Ok(()),
            Proof::Deliveries(count, outcome) => (count, outcome),
        };
        let deliveries = answer["deliveries"].as_array().map_or(&[][..], Vec::as_slice);
        let succeeded = deliveries.iter().filter(|delivery| {
            delivery["state"] == "succeeded" && outcome.is_none_or(|outcome| delivery["outcome"] == outcome)
        });
        if deliveries.len() == count && succeeded.count() == count {
            Ok(())
        } else {
            let wanted = outcome.unwrap_or("whatever outcome");
            Err(format!("not {count} succeeded deliveries with {wanted}: {answer}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(case: Case, body: &Json) -> bool {
        case.check(body.to_string().as_bytes()).is_ok()
    }

    #[test]
    fn an_answer_counts_only_with_all_its_deliveries_succeeded() {
        let delivery = |state: &str, outcome: &str| json!({ "state": state, "outcome": outcome });
        let created = delivery("succeeded", "created");
        assert!(check(NEW, &json!({ "deliveries": [created] })));
        assert!(check(
            NEW_AT_THREE,
            &json!({ "deliveries": [created, created, created] })
        ));
        assert!(!check(NEW_AT_THREE, &json!({ "deliveries": [created, created] })));
        assert!(!check(NEW, &json!({ "deliveries": [delivery("retrying", "created")] })));
        assert!(!check(NEW, &json!({})));
        assert!(
            !check(UNCHANGED, &json!({ "deliveries": [created] })),
            "a call was made"
        );
        assert!(check(
            UNCHANGED,
            &json!({ "deliveries": [delivery("succeeded", "unchanged")] })
        ));
        assert!(check(BARE, &json!({ "record": {} })) && !check(BARE, &json!({ "detail": "refused" })));
    }

    #[test]
    fn the_yardstick_stays_whatever_is_picked() {
        let names: Vec<&str> = named("unchanged").iter().map(|case| case.name).collect();
        assert_eq!(names, [BARE.name, UNCHANGED.name]);
        assert_eq!(named("").len(), ALL.len());
    }

    #[test]
    fn every_program_has_a_case_of_its_name() {
        for program in Program::ALL {
            let case = Case::of(program);
            assert_eq!(case.program, program);
            assert!(case.name.starts_with(program.title()), "{}", case.name);
        }
    }
}
