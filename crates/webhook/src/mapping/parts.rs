//! An event that carries a list of customers, as one event each.

use serde_json::Value as Json;

use super::pointer::{Pointer, View};
use super::{MapProblem, Part};

/// How many customers one event may carry.
const MOST: usize = 1_000;
/// How much of the rest of an event may be repeated beside its customers: members, and bytes of their texts.
const MOST_REPEATED: usize = 32 * 1024 * 1024;

/// One part for each item of the list that stands at `each`.
pub(super) fn parts(each: &Pointer, mut event: Json) -> Result<Vec<Part>, MapProblem> {
    let list = match event.pointer_mut(each.path()) {
        None | Some(Json::Null) => return Err(nothing(each)),
        Some(Json::Array(list)) => std::mem::take(list),
        Some(_) => return Ok(vec![Part { event, index: None }]),
    };
    // A small list of large customers is fine, and so is a large list beside little: only their product is not.
    if list.len() > MOST || weight(&event).saturating_mul(list.len()) > MOST_REPEATED {
        let detail = format!("an event may carry {MOST} customers, and less the more stands beside them");
        return Err(MapProblem::new(each.path().to_owned(), "too_many", detail));
    }
    let alone = |(index, item)| {
        let mut event = event.clone();
        if let Some(place) = event.pointer_mut(each.path()) {
            *place = Json::Array(vec![item]);
        }
        Part {
            event,
            index: Some(index),
        }
    };
    Ok(list.into_iter().enumerate().map(alone).collect())
}

/// What a part is looked at through.
pub(super) fn view<'e>(each: Option<&Pointer>, part: &'e Part) -> Result<View<'e>, MapProblem> {
    let event = &part.event;
    let Some(each) = each else {
        return Ok(View::whole(event));
    };
    let index = part.index.unwrap_or_default();
    let (item, prefix) = match event.pointer(each.path()) {
        Some(Json::Array(list)) => {
            let alone = if list.len() == 1 { list.first() } else { list.get(index) };
            (alone, format!("{}/{index}", each.path()))
        }
        other => (other.filter(|other| !other.is_null()), each.path().to_owned()),
    };
    let item = item.ok_or_else(|| nothing(each))?;
    Ok(View { event, item, prefix })
}

fn nothing(each: &Pointer) -> MapProblem {
    let detail = "`each` says that customers stand there, and nothing does";
    MapProblem::new(each.path().to_owned(), "missing", detail)
}

fn weight(value: &Json) -> usize {
    /// About what a member takes in memory.
    const MEMBER: usize = 32;
    MEMBER
        + match value {
            Json::String(text) => text.len(),
            Json::Array(items) => items.iter().map(weight).sum(),
            Json::Object(members) => members.iter().map(|(name, value)| name.len() + weight(value)).sum(),
            Json::Null | Json::Bool(_) | Json::Number(_) => 0,
        }
}
