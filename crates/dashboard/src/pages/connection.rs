//! `GET /ops/connections/{merchant}/{name}`: one connection, live; pause, resume and one call now.

use actix_web::http::StatusCode;
use actix_web::web::Path;
use actix_web::{HttpResponse, get, post};
use askama::Template;
use jiff::{SignedDuration, Timestamp};

use upsert_api::{
    BreakerState, CausePage, Connection, ConnectionState, DeliveryState, IncidentFilter, IncidentState, ListedIncident,
    PageQuery, PausedBy, Trial,
};

use crate::auth::session::Session;
use crate::error::PageError;
use crate::links;
use crate::live::history::{self, Change, MOST, Track, series};
use crate::live::snapshots::Snapshot;
use crate::live::stream::events;
use crate::render::{Frame, Section, apart, filters, page};
use crate::words;

/// A pace is one that was kept for so long.
const LONG_ENOUGH: SignedDuration = SignedDuration::from_mins(5);

/// Incidents on the page.
const MOST_INCIDENTS: usize = 5;

type Named = Path<(String, String)>;

#[derive(Template)]
#[template(path = "connection.html")]
struct ConnectionPage {
    frame: Frame,
    part: Part,
    /// What its deliveries failed of lately, the most frequent first.
    causes: CausePage,
    /// The newest.
    incidents: Vec<ListedIncident>,
    now: Timestamp,
}

impl ConnectionPage {
    /// For the charts: from when to when each incident lasted, in seconds since 1970; null: it has not ended.
    fn marks(&self) -> String {
        let lasted = self.incidents.iter();
        let lasted = lasted.map(|one| (one.began_at.as_second(), one.ended_at.map(Timestamp::as_second)));
        serde_json::to_string(&lasted.collect::<Vec<_>>()).unwrap_or_default()
    }
}

#[derive(Template)]
#[template(path = "connection_live.html")]
struct Part {
    connection: Connection,
    may_operate: bool,
    /// Newest first, each with how long it lasted.
    changes: Vec<(Change, String)>,
    series: String,
    /// Whether nothing is kept for its charts, because there are too many connections.
    is_uncharted: bool,
    /// When the day's calls are spent, should the last half hour's pace go on; none: not today.
    spent_at: Option<Timestamp>,
}

impl Part {
    fn of(session: &Session, snapshot: &Snapshot, merchant: &str, name: &str) -> Result<Self, PageError> {
        let is_it = |connection: &&Connection| connection.merchant_id == merchant && connection.name == name;
        let connection = snapshot
            .connections
            .iter()
            .filter(|connection| session.principal.covers(&connection.merchant_id))
            .find(is_it)
            .cloned()
            .ok_or_else(|| PageError::not_found("connection"))?;
        let history = session.dashboard.snapshots.history();
        let track = history.of(merchant, name);
        let mut changes = Vec::new();
        let mut until = snapshot.at;
        for change in track.iter().flat_map(|track| track.changes.iter().rev()) {
            changes.push((change.clone(), apart(until, change.at)));
            until = change.at;
        }
        Ok(Self {
            spent_at: track.and_then(|track| spent_at(&connection, track, snapshot.at)),
            series: series(track.into_iter()).json(),
            is_uncharted: history.leaves_out(&connection),
            connection,
            changes,
            may_operate: session.may_operate(),
        })
    }

    /// Whether an operator paused it: then nothing is called before it is resumed.
    fn is_paused_by_hand(&self) -> bool {
        self.connection.paused_by == Some(PausedBy::Operator)
    }

    /// Whether what waits is on its way out.
    fn is_draining(&self) -> bool {
        let goes_out = matches!(
            self.connection.state,
            ConnectionState::Healthy | ConnectionState::Degraded
        );
        goes_out && !self.connection.is_down() && self.connection.waiting > 0
    }
}

fn spent_at(connection: &Connection, track: &Track, now: Timestamp) -> Option<Timestamp> {
    let limit = &connection.status.rate_limit;
    let left = limit.left_today?;
    let (calls, over) = track.calls().filter(|(_, over)| *over >= LONG_ENOUGH)?;
    let seconds = i64::from(left).checked_mul(over.as_secs())? / i64::from(calls);
    let spent_at = now.checked_add(SignedDuration::from_secs(seconds)).ok()?;
    (spent_at < limit.opens_at).then_some(spent_at)
}

/// The page.
#[get("/connections/{merchant}/{name}")]
pub(crate) async fn show(session: Session, named: Named) -> Result<HttpResponse, PageError> {
    let (merchant, name) = named.into_inner();
    let snapshot = session.snapshot().await?;
    let part = Part::of(&session, &snapshot, &merchant, &name)?;
    let known = session.merchant(&merchant).await?;
    let queries = &session.gateway().queries;
    let filter = IncidentFilter {
        merchants: Some([merchant.clone()].into()),
        connection: Some(name.clone()),
        ..IncidentFilter::default()
    };
    let newest = PageQuery {
        limit: MOST_INCIDENTS,
        cursor: None,
    };
    page(&ConnectionPage {
        incidents: queries.list_incidents(&filter, &newest).await?.data,
        now: session.gateway().clock().now(),
        causes: queries.failures_by_cause(&known, &name, session.visibility()).await?,
        part,
        frame: session.frame(Section::Connections, format!("{merchant} / {name}")),
    })
}

/// Its live part.
#[get("/live/connections/{merchant}/{name}")]
pub(crate) async fn live(session: Session, named: Named) -> Result<HttpResponse, PageError> {
    let (merchant, name) = named.into_inner();
    let known = session.merchant(&merchant).await?;
    known
        .connection(&name)
        .ok_or_else(|| PageError::not_found("connection"))?;
    events(session, move |session, snapshot| {
        Ok(Part::of(session, snapshot, &merchant, &name)?.render()?)
    })
}

/// Nothing more is sent there until somebody resumes it.
#[post("/connections/{merchant}/{name}/pause")]
pub(crate) async fn pause(session: Session, named: Named) -> Result<HttpResponse, PageError> {
    let (merchant, name) = named.into_inner();
    let pause = async {
        let (known, operations) = (session.merchant(&merchant).await?, &session.gateway().operations);
        operations.pause(&known, &name, &session.principal.name).await?;
        Ok(format!("{merchant} / {name} is paused: what comes meanwhile waits"))
    };
    session.operate(&links::connection(&merchant, &name), pause).await
}

/// What the vendor answered, and what follows: for the next page to tell. It is a problem where the call failed.
fn told(whose: &str, trial: &Trial) -> Result<String, PageError> {
    let detail = &trial.detail;
    let Some(error) = &trial.error else {
        return Ok(format!("{whose}: {detail}"));
    };
    let words = error
        .first_line()
        .map(|line| words::shortened(&line))
        .or_else(|| Some(error.detail.clone()).filter(|words| !words.is_empty()));
    let words = words.map_or_else(String::new, |words| format!("; its words: {words}"));
    let says = format!("{whose}: {detail}{words}");
    Err(PageError::new(StatusCode::BAD_GATEWAY, says))
}

/// One real call now; what waits goes out if the vendor is there.
#[post("/connections/{merchant}/{name}/try")]
pub(crate) async fn try_now(session: Session, named: Named) -> Result<HttpResponse, PageError> {
    let (merchant, name) = named.into_inner();
    let tried = async {
        let (known, operations) = (session.merchant(&merchant).await?, &session.gateway().operations);
        let tried = operations
            .try_connection(&known, &name, &session.principal.name)
            .await?;
        told(&format!("{merchant} / {name}"), &session.visibility().show(tried.trial))
    };
    Box::pin(session.operate(&links::connection(&merchant, &name), tried)).await
}

/// What waits is sent at once.
#[post("/connections/{merchant}/{name}/resume")]
pub(crate) async fn resume(session: Session, named: Named) -> Result<HttpResponse, PageError> {
    let (merchant, name) = named.into_inner();
    let resume = async {
        let (known, operations) = (session.merchant(&merchant).await?, &session.gateway().operations);
        let resumed = operations.resume(&known, &name, &session.principal.name).await?;
        let resumed = session.visibility().show(resumed);
        let how = if resumed.connection.state == ConnectionState::Paused {
            "is paused again"
        } else {
            "goes on"
        };
        let whose = format!("{merchant} / {name} {how}");
        match &resumed.trial {
            Some(trial) => told(&whose, trial),
            None => Ok(format!("{whose}: {}", resumed.first_call())),
        }
    };
    Box::pin(session.operate(&links::connection(&merchant, &name), resume)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::history::tests::connection;

    #[test]
    fn what_waits_is_told_to_go_out_only_where_it_does() {
        let page = |state, waiting| {
            let part = Part {
                connection: connection("a", state, waiting),
                may_operate: true,
                changes: Vec::new(),
                series: String::new(),
                is_uncharted: false,
                spent_at: None,
            };
            part.render().unwrap()
        };
        let drains = |page: String| page.contains("is going out");
        assert!(drains(page(ConnectionState::Healthy, 7)));
        for (state, waiting) in [
            (ConnectionState::Healthy, 0),
            (ConnectionState::Open, 7),
            (ConnectionState::Paused, 7),
        ] {
            assert!(!drains(page(state, waiting)), "{state}");
        }
        assert!(page(ConnectionState::Open, 7).contains("Try now"));
    }

    #[test]
    fn a_connection_that_is_not_followed_says_so_instead_of_having_only_just_begun() {
        let page = |is_uncharted| {
            let part = Part {
                connection: connection("a", ConnectionState::Healthy, 0),
                may_operate: false,
                changes: Vec::new(),
                series: String::new(),
                is_uncharted,
                spent_at: None,
            };
            part.render().unwrap()
        };
        assert!(page(false).contains("only just begun"));
        let left_out = page(true);
        assert!(
            left_out.contains("more than 512 connections") && !left_out.contains("only just begun"),
            "{left_out}"
        );
    }
}
