//! Turns of calls that several processes share: the generic cell rate algorithm, in one row a connection.

use std::time::Duration;

use jiff::SignedDuration;
use upsert_store::{Pace, Turns};

use super::super::error::DbResult;
use super::super::reader::{Client, Param, count, execute, first, get};

/// In microseconds of the database's clock. A turn may be taken that comes up to $6 from now, of up to $5; after a rest $4 are
/// had at once, since each comes that much earlier than its place in the row says.
const TAKE: &str = "
    WITH asked AS (
      SELECT CAST(extract(epoch FROM now()) * 1000000 AS bigint) AS moment, CAST($3 AS bigint) AS every,
        CAST($4 AS bigint) AS burst, CAST($5 AS bigint) AS most, CAST($6 AS bigint) AS ahead
    ),
    held AS (
      SELECT greatest(t.next_at, asked.moment) AS next_at, asked.moment + (asked.burst - 1) * asked.every AS latest,
        asked.every, asked.most, asked.ahead
      FROM turns AS t, asked WHERE t.merchant = $1 AND t.connection = $2 FOR UPDATE OF t
    ),
    free AS (
      SELECT next_at, latest, every,
        CASE WHEN next_at > latest + ahead THEN 0 ELSE least(most, (latest + ahead - next_at) / every + 1) END AS room
      FROM held
    )
    UPDATE turns AS t SET next_at = free.next_at + free.room * free.every FROM free
    WHERE t.merchant = $1 AND t.connection = $2
    RETURNING free.room AS taken, free.next_at - free.latest AS first_in";

const MAKE: &str = "INSERT INTO turns (merchant, connection, next_at) VALUES ($1, $2, 0) ON CONFLICT (merchant, connection) \
    DO NOTHING";

pub(in super::super) async fn take_turns(
    client: &Client,
    (merchant, connection): (&str, &str),
    pace: Pace,
    most: u32,
    ahead: Duration,
) -> DbResult<Turns> {
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4);
    let (every, burst) = (micros(pace.every).max(1), i64::from(pace.burst.max(1)));
    let (most, ahead) = (i64::from(most), micros(ahead));
    loop {
        let params: [Param<'_>; 6] = [&merchant, &connection, &every, &burst, &most, &ahead];
        if let Some(row) = first(client, TAKE, &params).await? {
            return Ok(Turns {
                count: count(&row, "taken")?,
                first_in: SignedDuration::from_micros(get(&row, "first_in")?),
            });
        }
        execute(client, MAKE, &[&merchant, &connection]).await?;
    }
}
