//! How long files and functions may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use upsert_tests::lines_of_production;

use super::circles::crates;
use super::root;

/// Files that are longer than [`LONGEST_FILE`], each with why. A file that has become shorter has to leave the list.
const LONG_FILES: &[(&str, &str)] = &[
    (
        "crates/app/src/planning/plan.rs",
        "one plan: what differs, what is refused, what is warned of",
    ),
    (
        "crates/core/src/canonicalise.rs",
        "the one reading of a body, from members to values",
    ),
];
const LONGEST_FILE: usize = 400;

/// Functions that are longer than [`LONGEST_FUNCTION`], each with why.
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[
    (
        "chaos/src/checker/fields.rs",
        "check",
        "one check, each finding beside what it is about",
    ),
    (
        "chaos/src/load/client.rs",
        "step",
        "one step of a client, an arm each kind",
    ),
    (
        "chaos/src/proxy/exchange.rs",
        "exchange",
        "one exchange, byte by byte, with the fault in its place",
    ),
    (
        "crates/api/src/customer.rs",
        "from",
        "a customer from its fields, a member each",
    ),
    (
        "crates/app/src/inbox/receive.rs",
        "read_event",
        "what an event may be before it is one: forged, a test call, too long, no JSON",
    ),
    (
        "crates/app/src/inbox/receive.rs",
        "take_mapped",
        "the way of an event, a line a step",
    ),
    (
        "crates/app/src/inbox/reconcile.rs",
        "reconcile",
        "the questions that an event is asked, in their order",
    ),
    (
        "crates/app/src/operations/event_dead_letters.rs",
        "replay_incoming",
        "one replay, with each way in which it may be refused",
    ),
    (
        "crates/gateway/src/import/ready_maps.rs",
        "take_in",
        "one test of all ready maps",
    ),
    (
        "crates/gateway/src/import/ready_maps/export.rs",
        "cells",
        "the columns of six exports",
    ),
    (
        "crates/gateway/src/import/ready_maps/export.rs",
        "of",
        "the rows of six exports",
    ),
    (
        "crates/gateway/src/webhook/report.rs",
        "block",
        "one report, a line each",
    ),
    (
        "crates/provider-kit/src/registry.rs",
        "make_http",
        "what every provider is made of",
    ),
    (
        "crates/server/src/http/middleware.rs",
        "observe",
        "what is noted of a request before and after it",
    ),
    (
        "crates/settings/src/incoming.rs",
        "read",
        "one table of the configuration, a member each",
    ),
    (
        "crates/simulators/src/control.rs",
        "serve",
        "the routes of /__sim, an arm each",
    ),
    (
        "crates/webhook/src/signature/tampering/schemes.rs",
        "schemes",
        "the schemes that are tampered with, one each",
    ),
];
const LONGEST_FUNCTION: usize = 50;

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn files_are_short_but_for_those_that_are_named() {
    let mut long = BTreeSet::new();
    for (_, sources) in crates() {
        for source in sources {
            let text = fs::read_to_string(&source.path).unwrap();
            let lines = lines_of_production(&text).len();
            if lines > LONGEST_FILE && !relative(&source.path).contains("testkit") {
                long.insert(relative(&source.path));
            }
        }
    }
    let named: BTreeSet<String> = LONG_FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(long, named, "files of more than {LONGEST_FILE} lines");
}

/// Functions with their length, from the line of their name to that of their last brace.
struct Lengths(Vec<(String, usize)>);

impl Lengths {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line - signature.span().start().line + 1;
        self.0.push((signature.ident.to_string(), lines));
    }
}

impl<'s> Visit<'s> for Lengths {
    fn visit_item_fn(&mut self, function: &'s syn::ItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'s syn::ImplItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'s syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.add(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[test]
fn functions_are_short_but_for_those_that_are_named() {
    let mut long = BTreeSet::new();
    let mut all = 0;
    for (name, sources) in crates() {
        // Suites of contracts are tests.
        for source in sources.iter().filter(|_| name != "testkit") {
            let mut lengths = Lengths(Vec::new());
            lengths.visit_file(&source.syntax);
            all += lengths.0.len();
            let too_long = lengths.0.into_iter().filter(|(_, lines)| *lines > LONGEST_FUNCTION);
            long.extend(too_long.map(|(function, _)| (relative(&source.path), function)));
        }
    }
    assert!(all > 2_000, "{all} functions are seen");
    let named = LONG_FUNCTIONS
        .iter()
        .map(|(path, function, _)| ((*path).to_owned(), (*function).to_owned()));
    assert_eq!(long, named.collect(), "functions of more than {LONGEST_FUNCTION} lines");
}
