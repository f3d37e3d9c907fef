//! Calls of the commands for operators: JSON in, JSON out, and a refusal that is told with its pointers.

use std::fmt;
use std::process::ExitCode;

use anyhow::Context as _;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value as Json, json};

use crate::import::target::Target;
use crate::upsert::problem;
use crate::{http_client, output};

/// The most that a page holds.
const PAGE: usize = 200;

/// A running gateway, as the caller's key sees it.
pub(crate) struct Api<'a> {
    target: &'a Target,
    client: Client,
}

/// The gateway's answer was a problem.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) problem: Json,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&problem::text(&self.problem, self.status))
    }
}

impl std::error::Error for Refused {}

impl<'a> Api<'a> {
    pub(crate) fn new(target: &'a Target) -> anyhow::Result<Self> {
        let client = http_client::for_upserts()?;
        Ok(Self { target, client })
    }

    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Json> {
        let request = self.target.request(&self.client, Method::GET, path)?;
        self.answer(request.query(query)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Option<&Json>) -> anyhow::Result<Json> {
        let request = self.target.request(&self.client, Method::POST, path)?;
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.answer(request).await
    }

    /// Follows cursors until there are so many entries, or all; as one page. A page on the way may be empty.
    pub(crate) async fn gather(
        &self,
        path: &str,
        filters: &[(&str, String)],
        mut cursor: Option<String>,
        most: Option<usize>,
    ) -> anyhow::Result<Json> {
        let mut data = Vec::new();
        loop {
            let left = most.map_or(PAGE, |most| most.saturating_sub(data.len()).min(PAGE));
            let mut query = filters.to_vec();
            query.push(("limit", left.to_string()));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let mut page = self.get(path, &query).await?;
            if let Json::Array(entries) = page["data"].take() {
                data.extend(entries);
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() || most.is_some_and(|most| data.len() >= most) {
                return Ok(json!({ "data": data, "next_cursor": cursor }));
            }
        }
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Json> {
        let url = &self.target.url;
        let response = request.send().await.with_context(|| format!("{url} does not answer"))?;
        let status = response.status();
        let text = response.text().await.context("the gateway's answer ended early")?;
        let answer: Json =
            serde_json::from_str(&text).with_context(|| format!("{url} answers {status}, not as the gateway does"))?;
        if status.is_success() {
            Ok(answer)
        } else {
            let problem = answer;
            Err(Refused { status, problem }.into())
        }
    }
}

/// Tells a refusal: to people with its pointers, to programs as the API has it. Other failures are passed on.
pub(crate) fn told(outcome: anyhow::Result<ExitCode>, as_json: bool) -> anyhow::Result<ExitCode> {
    outcome.or_else(|error| {
        let refused = error.downcast::<Refused>()?;
        if as_json {
            output::json(&refused.problem)?;
        } else {
            output::complain(&refused.to_string());
        }
        Ok(ExitCode::FAILURE)
    })
}
