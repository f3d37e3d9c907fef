//! Pages, newest first: rows are read from where the last ones ended, looked at one by one, and a page that finds little
//! stops after [`MOST_LOOKED_AT`] rows and says where it goes on.

use tokio_postgres::Row;
use uuid::Uuid;

use super::super::error::DbResult;
use super::super::reader::{Client, GREATEST, LEAST, Param, all, get};
use crate::filling::Filling;
use crate::kept::limit;

/// Rows that one page looks at.
pub(super) const MOST_LOOKED_AT: usize = 2_000;

/// Rows that are read at once where little is found.
const MOST_AT_ONCE: usize = 500;

/// Below which id, and above which.
pub(super) type Bounds = (Uuid, Uuid);

/// Of a page that goes on below `before`, and of a filter that means nothing above `newest` and below `oldest`.
pub(super) fn bounds<I: Ord>(
    before: Option<I>,
    newest: Option<I>,
    oldest: Option<&I>,
    as_uuid: impl Fn(&I) -> &Uuid,
) -> Bounds {
    let below = before.into_iter().chain(newest).min();
    let uuid = |id: &I| *as_uuid(id);
    (below.as_ref().map_or(GREATEST, uuid), oldest.map_or(LEAST, uuid))
}

/// Rows of `sql`, newest first, whose column `id` is within the bounds. Its first three parameters are the id below which,
/// the one above which, and how many are read; the others are its own.
pub(super) struct Newest<'a> {
    pub(super) sql: &'static str,
    pub(super) params: Vec<Param<'a>>,
}

impl Newest<'_> {
    /// A page of what `find` makes of these rows.
    pub(super) async fn page<T>(
        &self,
        client: &Client,
        (mut below, above): Bounds,
        most: usize,
        find: impl Fn(&Row) -> DbResult<Option<T>>,
    ) -> DbResult<(Vec<T>, Option<Uuid>)> {
        let mut filling = Filling::new(most, MOST_LOOKED_AT);
        let mut at_once = most.saturating_add(1);
        loop {
            let rows = self.some(client, (below, above), at_once).await?;
            for row in &rows {
                below = get(row, "id")?;
                if !filling.take(below, find(row)?) {
                    return Ok(filling.done());
                }
            }
            if rows.len() < at_once {
                return Ok(filling.done());
            }
            at_once = at_once.saturating_mul(4).min(MOST_AT_ONCE.max(most));
        }
    }

    /// So many rows.
    pub(super) async fn some(&self, client: &Client, (below, above): Bounds, most: usize) -> DbResult<Vec<Row>> {
        let most = limit(most);
        let bounds: [Param<'_>; 3] = [&below, &above, &most];
        let params: Vec<Param<'_>> = bounds.into_iter().chain(self.params.iter().copied()).collect();
        all(client, self.sql, &params).await
    }
}
