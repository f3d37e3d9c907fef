//! How a vendor says no: what is the same for all of them that tell it in a body.

use serde_json::Value as Json;

use upsert_core::{Form, PreparedUpsert, ProviderError};

use crate::classify::{classify, error_in_disguise, unreadable};
use crate::complaints::{FieldNames, MOST};
use crate::reply::WireReply;

/// What stands in a log in the place of a word of a vendor's that is none of its documented ones.
const OTHER: &str = "other";

/// A word of a vendor's as it may stand in a log, in a metric or in what operators read: one of those that its pages list, or
/// `other`. A vendor may answer with anything, and what has the form of a code may be a name.
pub fn documented(word: &str, listed: &[&'static str]) -> &'static str {
    listed.iter().find(|known| **known == word).copied().unwrap_or(OTHER)
}

/// A vendor whose answers are JSON, and whose errors say more than their status.
pub trait Refusals {
    /// The tables whose fields it may complain of.
    fn forms(&self) -> &[Form];

    /// Whether a body is an error's, whatever the status says.
    fn is_error(&self, body: &Json) -> bool;

    /// Adds the vendor's code, words and fields to what the status means. `said` is the body; null where it is no JSON.
    fn explain(&self, error: &mut ProviderError, reply: &WireReply, said: &Json, names: &FieldNames);

    /// What is not a 2xx, or an error's document under one.
    fn refusal(&self, prepared: Option<&PreparedUpsert>, reply: &WireReply) -> ProviderError {
        let mut error = if reply.is_success() {
            error_in_disguise(reply)
        } else {
            classify(reply)
        };
        let names = FieldNames::new(self.forms(), prepared.map(|prepared| &prepared.sent));
        let meaning = error.detail.clone();
        self.explain(&mut error, reply, &reply.json().unwrap_or_default(), &names);
        // A vendor may answer with blank words: what the status means says more.
        if error.detail.trim().is_empty() {
            error.detail = meaning;
        }
        // Several places of one answer may complain, and each of many sentences.
        error.errors.truncate(MOST);
        error
    }

    /// The body of a 2xx, which has to be JSON and no error in disguise.
    ///
    /// # Errors
    /// What the answer means otherwise.
    fn accepted(&self, prepared: Option<&PreparedUpsert>, reply: &WireReply) -> Result<Json, ProviderError> {
        if !reply.is_success() {
            return Err(self.refusal(prepared, reply));
        }
        match reply.json() {
            Some(body) if self.is_error(&body) => Err(self.refusal(prepared, reply)),
            Some(body) => Ok(body),
            None => Err(unreadable(reply, "the body is not JSON")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Complains once for each of its sentences, however many there are.
    struct Talkative;

    impl Refusals for Talkative {
        fn forms(&self) -> &[Form] {
            &[]
        }

        fn is_error(&self, _: &Json) -> bool {
            true
        }

        fn explain(&self, error: &mut ProviderError, _: &WireReply, said: &Json, names: &FieldNames) {
            let sentences = said["message"].as_array().unwrap().iter();
            error.errors = sentences
                .flat_map(|said| names.complaints(&json!({ "email": said })))
                .collect();
        }
    }

    /// Puts the vendor's words in the place of the meaning, whatever they are.
    struct Blunt;

    impl Refusals for Blunt {
        fn forms(&self) -> &[Form] {
            &[]
        }

        fn is_error(&self, _: &Json) -> bool {
            true
        }

        fn explain(&self, error: &mut ProviderError, _: &WireReply, said: &Json, _: &FieldNames) {
            said["message"].as_str().unwrap().clone_into(&mut error.detail);
        }
    }

    #[test]
    fn blank_words_do_not_take_the_place_of_what_the_status_means() {
        let told = |status, words: &str| {
            let reply = WireReply::of_json(status, &json!({ "message": words }));
            Blunt.refusal(None, &reply).detail
        };
        for status in [205, 404, 422, 503] {
            assert_eq!(told(status, "no such field"), "no such field");
            for blank in ["", "  ", "\n"] {
                assert!(told(status, blank).starts_with("the vendor "), "{status}");
            }
        }
    }

    #[test]
    fn however_much_a_vendor_complains_of_so_much_is_kept() {
        for (sentences, kept) in [(3, 3), (MOST, MOST), (5_000, MOST)] {
            let reply = WireReply::of_json(422, &json!({ "message": vec!["no"; sentences] }));
            assert_eq!(Talkative.refusal(None, &reply).errors.len(), kept, "{sentences}");
        }
    }
}
