//! The field of a form that says whose.

use askama::Template;

use crate::auth::session::Session;

/// A select has no more entries; whoever sees more merchants writes the id.
const MOST_CHOICES: usize = 50;

#[derive(Template)]
#[template(path = "merchant_field.html")]
pub(crate) struct MerchantField {
    /// None: more than a select holds.
    choices: Vec<String>,
    chosen: String,
    /// How "whichever" is called; none: one has to be chosen.
    any: Option<&'static str>,
}

impl MerchantField {
    pub(crate) fn new(session: &Session, chosen: &str, any: Option<&'static str>) -> Self {
        let mut choices = session.merchants(MOST_CHOICES + 1);
        if choices.len() > MOST_CHOICES {
            choices.clear();
        }
        Self {
            choices,
            chosen: chosen.to_owned(),
            any,
        }
    }
}
