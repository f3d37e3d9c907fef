//! Calls of the commands: answers as the API's types, and a refusal that is told with its pointers.

use std::fmt;
use std::process::ExitCode;

use anyhow::Context as _;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};
use serde_json::{Value as Json, json};
use upsert_api::{LARGEST_PAGE, Page, Problem, Texts};

use crate::import::target::Target;
use crate::upsert::problem;
use crate::{http_client, output};

/// A running gateway, as the caller's key sees it.
pub(crate) struct Api<'a> {
    target: &'a Target,
    client: Client,
}

/// What the gateway answered: as it said it, for programs, and as it is meant.
pub(crate) struct Answered<T> {
    pub(crate) status: StatusCode,
    pub(crate) raw: Json,
    pub(crate) value: T,
}

/// The gateway's answer was a problem.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) raw: Json,
    pub(crate) problem: Problem,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&problem::text(&self.problem))
    }
}

impl std::error::Error for Refused {}

impl<'a> Api<'a> {
    pub(crate) fn new(target: &'a Target) -> anyhow::Result<Self> {
        let client = http_client::for_upserts()?;
        Ok(Self { target, client })
    }

    /// A request with the key.
    pub(crate) fn request(&self, method: Method, path: &str) -> anyhow::Result<RequestBuilder> {
        self.target.request(&self.client, method, path)
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Answered<T>> {
        self.answer(self.request(Method::GET, path)?).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Answered<T>> {
        self.answer(self.request(Method::POST, path)?).await
    }

    pub(crate) async fn post_body<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<Answered<T>> {
        self.answer(self.request(Method::POST, path)?.json(body)).await
    }

    /// One page of a list.
    pub(crate) async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        filters: &Texts,
        limit: usize,
        cursor: Option<&str>,
    ) -> anyhow::Result<Answered<Page<T>>> {
        let request = self.request(Method::GET, path)?.query(filters);
        let request = request.query(&[("limit", limit)]);
        let cursor = cursor.map(|cursor| ("cursor", cursor));
        self.answer(request.query(cursor.as_slice())).await
    }

    /// Follows cursors until there are so many entries, or all; as one page. A page on the way may be empty.
    pub(crate) async fn gather<T: DeserializeOwned>(
        &self,
        path: &str,
        filters: &Texts,
        mut cursor: Option<String>,
        most: Option<usize>,
    ) -> anyhow::Result<Answered<Page<T>>> {
        let (mut raw, mut data) = (Vec::new(), Vec::new());
        loop {
            let left = most.map_or(LARGEST_PAGE, |most| most.saturating_sub(data.len()).min(LARGEST_PAGE));
            let mut page = self.page(path, filters, left, cursor.as_deref()).await?;
            if let Json::Array(entries) = page.raw["data"].take() {
                raw.extend(entries);
            }
            data.append(&mut page.value.data);
            cursor = page.value.next_cursor;
            if cursor.is_none() || most.is_some_and(|most| data.len() >= most) {
                return Ok(Answered {
                    status: page.status,
                    raw: json!({ "data": raw, "next_cursor": cursor }),
                    value: Page {
                        data,
                        next_cursor: cursor,
                    },
                });
            }
        }
    }

    /// Sends a request that is answered without a body.
    ///
    /// # Errors
    /// As [`Api::answer`].
    pub(crate) async fn done(&self, request: RequestBuilder) -> anyhow::Result<()> {
        let url = &self.target.url;
        let response = request.send().await.with_context(|| format!("{url} does not answer"))?;
        let status = response.status();
        if status == StatusCode::NO_CONTENT {
            return Ok(());
        }
        let text = response.text().await.context("the gateway's answer ended early")?;
        let answered = read::<Json>(status, &text);
        answered.with_context(|| format!("{url} answers {status}, not as the gateway does"))??;
        Ok(())
    }

    /// Sends a request.
    ///
    /// # Errors
    /// [`Refused`]; nobody answers, or nobody who answers as a gateway does.
    pub(crate) async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<Answered<T>> {
        let url = &self.target.url;
        let response = request.send().await.with_context(|| format!("{url} does not answer"))?;
        let status = response.status();
        let text = response.text().await.context("the gateway's answer ended early")?;
        read(status, &text).with_context(|| format!("{url} answers {status}, not as the gateway does"))?
    }
}

/// The outer error: it cannot be read. The inner one: it is a refusal.
fn read<T: DeserializeOwned>(status: StatusCode, text: &str) -> serde_json::Result<anyhow::Result<Answered<T>>> {
    let raw: Json = serde_json::from_str(text)?;
    Ok(if status.is_success() {
        let value = T::deserialize(&raw)?;
        Ok(Answered { status, raw, value })
    } else {
        let problem = Problem::deserialize(&raw)?;
        Err(Refused { raw, problem }.into())
    })
}

/// Tells a refusal: to people with its pointers, to programs as the API has it. Other failures are passed on.
pub(crate) fn told(outcome: anyhow::Result<ExitCode>, as_json: bool) -> anyhow::Result<ExitCode> {
    outcome.or_else(|error| {
        let refused = error.downcast::<Refused>()?;
        if as_json {
            output::json(&refused.raw)?;
        } else {
            output::complain(&refused.to_string());
        }
        Ok(ExitCode::FAILURE)
    })
}
