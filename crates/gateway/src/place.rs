//! What a merchant has, by its name: `acme/crm`.

use std::fmt;
use std::str::FromStr;

use clap::Args;

use crate::import::target::Target;
use crate::show;

/// Shows all of a kind.
#[derive(Args)]
#[command(mut_arg("merchant", |arg| arg.help("Only this merchant's")))]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Does something to each of some.
#[derive(Args)]
#[command(mut_arg("merchant", |arg| arg.hide(true)))]
pub(crate) struct DoArguments {
    /// Which, each a merchant and a name, such as acme/crm
    #[arg(value_name = "MERCHANT/NAME", required = true)]
    pub(crate) places: Vec<Place>,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Print the gateway's answers as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A connection or an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    merchant: String,
    name: String,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((merchant, name)) if is_part(merchant) && is_part(name) => Ok(Self {
                merchant: merchant.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err("has to be a merchant and a name, such as acme/crm".to_owned()),
        }
    }
}

/// Nothing that would lead to another path.
fn is_part(text: &str) -> bool {
    let is_safe = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
    !text.is_empty() && text.chars().all(is_safe) && !text.chars().all(|character| character == '.')
}

impl Place {
    /// Of what is done to it, under `v1/connections` or `v1/endpoints`.
    pub(crate) fn path(&self, of: &str, act: &str) -> String {
        format!("v1/{of}/{}/{}/{act}", self.merchant, self.name)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show::place(&self.merchant, &self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_merchant_and_a_name_and_leads_nowhere_else() {
        let place: Place = "acme/crm".parse().unwrap();
        assert_eq!(place.path("connections", "pause"), "v1/connections/acme/crm/pause");
        assert_eq!(place.to_string(), "acme/crm");
        for wrong in [
            "",
            "crm",
            "acme/",
            "/crm",
            "acme/crm/x",
            "../crm",
            "acme/..",
            "a b/c",
            "acme/c?d",
            "acme/c#d",
        ] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
