//! Shapes of fields, checked as a vendor's server would: every problem at once, each with its field.

use serde_json::{Map, Value};

/// What a field may hold.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Text,
    Email,
    Uuid,
    /// `+` and 7 to 15 digits.
    E164,
    Flag,
    TextList,
    OneOf(&'static [&'static str]),
    /// An object of booleans with these members.
    Flags(&'static [&'static str]),
    /// A flat object of texts.
    TextMap,
}

impl Shape {
    /// Whether it is a text that somebody typed.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Email | Self::E164)
    }
}

/// A field's name and shape.
pub(crate) type Field = (&'static str, Shape);

/// One thing wrong with one field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FieldProblem {
    pub(crate) field: String,
    pub(crate) message: String,
}

impl FieldProblem {
    pub(crate) fn new(field: &str, message: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            message: message.into(),
        }
    }
}

/// Everything wrong with a body: fields nobody knows, nulls, wrong shapes, missing or empty required fields.
pub(crate) fn problems(body: &Map<String, Value>, fields: &[Field], required: &[&str]) -> Vec<FieldProblem> {
    let mut found = Vec::new();
    for (name, value) in body {
        let problem = match fields.iter().find(|(known, _)| known == name) {
            None => Some("Unknown field".to_owned()),
            Some(_) if value.is_null() => Some("Expected a value, received null".to_owned()),
            Some((_, shape)) => fault_of(value, *shape),
        };
        found.extend(problem.map(|message| FieldProblem::new(name, message)));
    }
    let absent = |name: &&&str| body.get(**name).is_none_or(|value| value == "");
    found.extend(
        required
            .iter()
            .filter(absent)
            .map(|name| FieldProblem::new(name, "Required")),
    );
    found
}

fn fault_of(value: &Value, shape: Shape) -> Option<String> {
    let message = match shape {
        Shape::Text => (!value.is_string()).then_some("Expected string"),
        Shape::Email => (!value.as_str().is_some_and(is_email)).then_some("Invalid email format"),
        Shape::Uuid => {
            let valid = value.as_str().is_some_and(|text| uuid::Uuid::try_parse(text).is_ok());
            (!valid).then_some("Invalid uuid")
        }
        Shape::E164 => (!value.as_str().is_some_and(is_e164)).then_some("Invalid phone number"),
        Shape::Flag => (!value.is_boolean()).then_some("Expected boolean"),
        Shape::TextList => {
            let valid = value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
            (!valid).then_some("Expected array of strings")
        }
        Shape::OneOf(words) => {
            let valid = value.as_str().is_some_and(|text| words.contains(&text));
            return (!valid).then(|| format!("Expected one of {}", words.join(", ")));
        }
        Shape::Flags(members) => {
            let known = |(name, flag): (&String, &Value)| members.contains(&name.as_str()) && flag.is_boolean();
            let valid = value.as_object().is_some_and(|object| object.iter().all(known));
            return (!valid).then(|| format!("Expected an object of booleans with {}", members.join(", ")));
        }
        Shape::TextMap => {
            let valid = value
                .as_object()
                .is_some_and(|object| object.values().all(Value::is_string));
            (!valid).then_some("Expected a flat object of strings")
        }
    };
    message.map(str::to_owned)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let labels_hold = domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
    !local.is_empty() && labels_hold && !domain.contains('@') && !text.chars().any(char::is_whitespace)
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::{is_e164, is_email};

    #[test]
    fn an_email_needs_one_at_sign_and_a_dotted_domain() {
        assert!(
            ["a@b.co", "a+tag@b.example", "ü@bücher.example"]
                .iter()
                .all(|text| is_email(text))
        );
        assert!(
            !["", "a", "a@b", "@b.co", "a@b..co", "a@b@c.co", "a b@c.co"]
                .iter()
                .any(|text| is_email(text))
        );
    }

    #[test]
    fn e164_is_a_plus_and_digits() {
        assert!(is_e164("+61401234567"));
        assert!(
            !["61401234567", "+0401234567", "+61 401", "+", "(763) 555-0100"]
                .iter()
                .any(|text| is_e164(text))
        );
    }
}
