//! Query strings: what a route knows, and nothing else.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use url::form_urlencoded;

use upsert_api::{EventFilter, Filter, IncomingFilter, OutgoingFilter, PageQuery, Texts};
use upsert_app::Refusal;

use crate::http::problem::Problem;

/// Reads a filter, and which part of the list; any other parameter, and one that is given twice, is refused, so that a
/// misspelt filter never lists everything.
pub(crate) fn read_list<F: Filter>(request: &HttpRequest) -> Result<(F, PageQuery), Problem> {
    let texts = texts(request, &[F::NAMES, PageQuery::NAMES])?;
    read(&texts)
}

/// The same of events, which have another filter for each direction.
pub(crate) fn read_events<F: EventFilter>(request: &HttpRequest) -> Result<(F, PageQuery), Problem> {
    let texts = texts(
        request,
        &[IncomingFilter::NAMES, OutgoingFilter::NAMES, PageQuery::NAMES],
    )?;
    match F::foreign(&texts) {
        foreign if foreign.is_empty() => read(&texts),
        foreign => Err(Refusal::invalid_query(foreign).into()),
    }
}

/// Which part of a list that has no filter.
pub(crate) fn read_page(request: &HttpRequest) -> Result<PageQuery, Problem> {
    let texts = texts(request, &[PageQuery::NAMES])?;
    Ok(PageQuery::of(&texts).map_err(Refusal::invalid_query)?)
}

/// The parameters themselves, of a route that is no list: those with these names.
pub(crate) fn read_texts(request: &HttpRequest, known: &[&str]) -> Result<Texts, Problem> {
    texts(request, &[known])
}

/// Refuses every parameter, for routes that know none.
#[derive(Debug)]
pub(crate) struct NoQuery;

impl FromRequest for NoQuery {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match form_urlencoded::parse(request.query_string().as_bytes()).next() {
            None => Ok(Self),
            Some((name, _)) => {
                let detail = "is not known here; there are no parameters";
                Err(Problem::invalid_query(&name, "unknown_parameter", detail))
            }
        })
    }
}

fn read<F: Filter>(texts: &Texts) -> Result<(F, PageQuery), Problem> {
    match (F::of(texts), PageQuery::of(texts)) {
        (Ok(filter), Ok(page)) => Ok((filter, page)),
        (filter, page) => {
            let problems = [filter.err(), page.err()].into_iter().flatten().flatten();
            Err(Refusal::invalid_query(problems.collect()).into())
        }
    }
}

fn texts(request: &HttpRequest, known: &[&[&str]]) -> Result<Texts, Problem> {
    let known = known.concat();
    let mut given = Texts::new();
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        if !known.contains(&&*name) {
            let detail = format!("is not known here; known are: {}", known.join(", "));
            return Err(Problem::invalid_query(&name, "unknown_parameter", detail));
        }
        if given.insert(name.clone().into_owned(), value.into_owned()).is_some() {
            let detail = "is given more than once";
            return Err(Problem::invalid_query(&name, "repeated_parameter", detail));
        }
    }
    Ok(given)
}
