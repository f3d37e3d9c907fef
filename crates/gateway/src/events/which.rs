//! Which events are meant: the filters of the API by its names, in each direction its own.

use clap::Args;
use clap::error::ErrorKind;
use jiff::Timestamp;
use upsert_api::{Direction, EventFilter as _, IncomingFilter, OutgoingFilter, Texts};

use crate::arguments::wrong;
use crate::moment;

#[derive(Args)]
pub(super) struct Which {
    /// The source's name (in)
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// The sender's id of the event (in)
    #[arg(long, value_name = "ID")]
    event_id: Option<String>,
    /// The endpoint's name (out)
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// Such as customer.upserted (out)
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
    /// Received or made at or after this moment: RFC 3339, or an age such as 2h
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    since: Option<Timestamp>,
    /// Received or made before this moment: RFC 3339, or an age such as 2h
    #[arg(long, value_name = "MOMENT", value_parser = moment::parse)]
    until: Option<Timestamp>,
}

impl Which {
    /// As the API has them.
    ///
    /// # Errors
    /// Wrong usage: a filter of the other direction.
    pub(super) fn texts(&self, direction: Direction) -> anyhow::Result<Texts> {
        let given = [
            ("source", self.source.clone()),
            ("event_id", self.event_id.clone()),
            ("endpoint", self.endpoint.clone()),
            ("type", self.r#type.clone()),
            ("since", self.since.map(|at| at.to_string())),
            ("until", self.until.map(|at| at.to_string())),
        ];
        let given = given.into_iter();
        let texts: Texts = given
            .filter_map(|(name, text)| Some((name.to_owned(), text?)))
            .collect();
        let foreign = match direction {
            Direction::In => IncomingFilter::foreign(&texts),
            Direction::Out => OutgoingFilter::foreign(&texts),
        };
        match foreign.first() {
            None => Ok(texts),
            Some(problem) => {
                let name = problem.pointer.trim_start_matches('/').replace('_', "-");
                let text = format!("--{name} {} ({direction})", problem.detail);
                Err(wrong(ErrorKind::ArgumentConflict, text))
            }
        }
    }
}
