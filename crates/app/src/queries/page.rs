//! Where the pages of lists begin and end.

use data_encoding::BASE64URL_NOPAD;
use uuid::Uuid;

use upsert_api::{Page, PageQuery};
use upsert_core::Problem;

use crate::problem::Refusal;

/// Entries read at once.
const AT_ONCE: usize = 200;
/// Pages that are read for one request.
const MOST_PAGES: usize = 100;

pub(crate) fn to_cursor(id: &Uuid) -> String {
    BASE64URL_NOPAD.encode(id.as_bytes())
}

pub(crate) fn from_cursor(cursor: &str) -> Result<Uuid, Refusal> {
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok();
    bytes
        .and_then(|bytes| Uuid::from_slice(&bytes).ok())
        .ok_or_else(bad_cursor)
}

pub(crate) fn bad_cursor() -> Refusal {
    let problem = Problem::new("cursor", "invalid_cursor", "is not a cursor of this list");
    Refusal::invalid_query(vec![problem])
}

/// Where a page begins, as the page before says.
pub(crate) fn begins<T>(query: &PageQuery, of: impl Fn(Uuid) -> T) -> Result<Option<T>, Refusal> {
    let id = query.cursor.as_deref().map(from_cursor).transpose()?;
    Ok(id.map(of))
}

/// A page as callers are shown it. `next`: where the next one begins.
pub(crate) fn shown_page<T>(data: impl Iterator<Item = T>, next: Option<&Uuid>) -> Page<T> {
    Page {
        data: data.collect(),
        next_cursor: next.map(to_cursor),
    }
}

/// Reads a list page by page until `limit` are found or it ends; and where it goes on. Where few match, whoever asked goes on
/// after so many pages.
pub(crate) async fn gather<T, I: Copy, E, F>(
    limit: usize,
    begins: Option<I>,
    read: impl Fn(Option<I>, usize) -> F,
) -> Result<(Vec<T>, Option<I>), E>
where
    F: Future<Output = Result<(Vec<T>, Option<I>), E>>,
{
    let (mut found, mut below) = (Vec::new(), begins);
    for _page in 0..MOST_PAGES {
        let (entries, next) = read(below, AT_ONCE.min(limit - found.len())).await?;
        found.extend(entries);
        below = next;
        if below.is_none() || found.len() == limit {
            break;
        }
    }
    Ok((found, below))
}

/// Reads a list until something is found or it ends: whoever asked for what few match is not given an empty page that goes on.
pub(crate) async fn until_found<T, I: Copy, E, F>(
    begins: Option<I>,
    read: impl Fn(Option<I>) -> F,
) -> Result<(Vec<T>, Option<I>), E>
where
    F: Future<Output = Result<(Vec<T>, Option<I>), E>>,
{
    let mut at = begins;
    loop {
        let (entries, next) = read(at).await?;
        if next.is_none() || !entries.is_empty() {
            return Ok((entries, next));
        }
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use upsert_core::DeliveryId;
    use upsert_testkit::records::delivery_id;

    use super::*;

    fn page(cursor: Option<String>) -> PageQuery {
        PageQuery { limit: 50, cursor }
    }

    #[test]
    fn a_page_begins_where_the_one_before_ended() {
        for id in [
            delivery_id(1),
            DeliveryId::from_uuid(Uuid::max()),
            DeliveryId::from_uuid(Uuid::nil()),
        ] {
            let cursor = to_cursor(id.as_uuid());
            let is_url_safe = cursor
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            assert!(is_url_safe, "{cursor}");
            assert_eq!(begins(&page(Some(cursor)), DeliveryId::from_uuid).unwrap(), Some(id));
        }
        assert_eq!(begins(&page(None), DeliveryId::from_uuid).unwrap(), None);
    }

    #[tokio::test]
    async fn a_page_that_goes_on_is_never_empty() {
        // Two at a time are looked at; one in seven matches.
        let read = |below: Option<usize>| async move {
            let from = below.unwrap_or(0);
            let found: Vec<usize> = (from..from + 2).filter(|number| number % 7 == 6).collect();
            Ok::<_, Refusal>((found, (from + 2 < 20).then_some(from + 2)))
        };
        let (mut pages, mut at) = (Vec::new(), None);
        loop {
            let (found, next) = until_found(at, read).await.unwrap();
            pages.push(found);
            at = next;
            if at.is_none() {
                break;
            }
        }
        assert_eq!(pages, [vec![6], vec![13], vec![]], "only the last one may be");
    }

    #[test]
    fn what_is_no_cursor_of_a_list_is_refused() {
        let good = to_cursor(delivery_id(1).as_uuid());
        for wrong in [
            "",
            "next",
            "dlv_00000000000000000000000000",
            &good[1..],
            &format!("{good}AA"),
            &format!("{good}="),
        ] {
            let refusal = begins(&page(Some(wrong.to_owned())), DeliveryId::from_uuid).unwrap_err();
            assert_eq!(refusal.code.status(), 400, "{wrong}");
            let told: Vec<_> = refusal.errors.iter().map(|one| (&*one.pointer, &*one.code)).collect();
            assert_eq!(told, [("cursor", "invalid_cursor")], "{wrong}");
        }
    }
}
