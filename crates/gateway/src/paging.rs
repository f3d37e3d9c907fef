//! How much of a list is wanted, asked and told in the same words by every list that may be long.

use clap::Args;
use comfy_table::Table;
use serde::de::DeserializeOwned;
use upsert_api::{Page, Texts};

use crate::api::{Answered, Api};
use crate::show::{counted, plain};

#[derive(Args)]
pub(crate) struct Paging {
    /// How many at the most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// All that match
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Go on where a list ended before (its next_cursor)
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl Paging {
    /// So much of this list, as one page.
    ///
    /// # Errors
    /// As [`Api::gather`].
    pub(crate) async fn of<T: DeserializeOwned>(
        &self,
        api: &Api<'_>,
        path: &str,
        filters: &Texts,
    ) -> anyhow::Result<Answered<Page<T>>> {
        let most = (!self.all).then(|| usize::try_from(self.limit).unwrap_or(usize::MAX));
        api.gather(path, filters, self.cursor.clone(), most).await
    }
}

/// The table, how many there are in it, and how to see the rest.
pub(crate) fn shown<T>(table: &Table, page: &Page<T>, one: &str, several: &str) -> String {
    let count = counted(page.data.len(), one, several);
    let more = match &page.next_cursor {
        Some(cursor) => format!("; there are more: --all, or --cursor {}", plain(cursor)),
        None => String::new(),
    };
    format!("{}\n{count}{more}", table.trim_fmt())
}
