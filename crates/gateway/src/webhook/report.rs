//! What an event would become, for people.

use std::fmt::Write as _;

use upsert_settings::WebhookIn;
use upsert_webhook::MapProblem;

use super::customer::Customer;
use crate::upsert::{problem, table};

/// One block a customer, with an empty line between.
pub(super) fn text(customers: &[Customer], source: &WebhookIn) -> String {
    if customers.is_empty() {
        return "the event carries no customer: nothing would be done".to_owned();
    }
    let blocks: Vec<String> = customers.iter().map(|customer| block(customer, source)).collect();
    blocks.join("\n\n")
}

fn block(customer: &Customer, source: &WebhookIn) -> String {
    let mut text = match (customer.index, customer.result()) {
        (Some(index), result) => format!("customer {index}: {}", spoken(result)),
        (None, result) => spoken(result).to_owned(),
    };
    if let Some(id) = customer.event_id() {
        let _ = write!(text, "\n  event id: {id}");
    }
    if let Some(mapped) = customer.mapped() {
        if let Some(order) = &mapped.order {
            let _ = write!(text, "\n  order: {order}");
            if customer.unbelieved_time.is_some() {
                text.push_str(" (too far ahead to be believed: ordered by its arrival)");
            }
        }
        if let Some(id) = &mapped.provider_customer_id {
            let _ = write!(text, "\n  vendor's record: {id}");
        }
        if !mapped.blanks.is_empty() {
            let _ = write!(text, "\n  blank, so not there: {}", mapped.blanks.join(", "));
        }
        for (target, property) in &mapped.given {
            let _ = write!(text, "\n  {target} is given by {property}");
        }
        for (target, properties) in &mapped.emptied {
            let properties: Vec<&str> = properties.iter().map(String::as_str).collect();
            let _ = write!(
                text,
                "\n  {target} is emptied if it was given by {}",
                properties.join(", ")
            );
        }
        for MapProblem {
            pointer,
            target,
            code,
            detail,
            ..
        } in &mapped.ignored
        {
            let _ = write!(text, "\n  ignored: {pointer} → {target}: {detail} ({code})");
        }
        let taken = mapped.taken();
        let _ = write!(text, "\n  known again by its event id and: {taken}");
        let body = format!("{:#}", mapped.body).replace('\n', "\n  ");
        let _ = write!(text, "\n  upsert: {body}");
    }
    for problem in customer.problems() {
        let _ = write!(text, "\n  {}", line(problem, source));
    }
    match &customer.planned {
        Some(Ok(plan)) => drop(write!(text, "\n{}", table::plan(plan))),
        Some(Err(problem)) => drop(write!(text, "\n{}", problem::text(problem))),
        None => {}
    }
    text
}

fn spoken(result: &str) -> &str {
    match result {
        "left_out" => "left out, by `only`",
        "ping" => "a test call, by `ping`: nothing would be done",
        other => other,
    }
}

fn line(problem: &MapProblem, source: &WebhookIn) -> String {
    let from = if problem.pointer.is_empty() {
        "(the event)"
    } else {
        &problem.pointer
    };
    let to = if problem.target.is_empty() {
        String::new()
    } else {
        format!(" → {}", problem.target)
    };
    let at = source.locate(&problem.target);
    format!("{from}{to}: {} ({}, {at})", problem.detail, problem.code)
}
