//! One question to the gateway, asked again while it has no time for it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};
use upsert_api::{Connection, Page, Plan, Problem, ProblemCode};

use crate::import::refused::Refused;
use crate::import::target::Target;

/// Without an answer in so long it gives up.
const PATIENCE: Duration = Duration::from_secs(600);
/// Where the gateway does not say how long to wait.
const USUAL_WAIT: Duration = Duration::from_secs(1);

/// What the gateway said of a row.
pub(super) enum Said {
    /// The plan.
    Plan(Box<Plan>),
    /// Why there is none; of a row that cannot be sent too.
    Refused(Refused),
}

pub(super) struct Ask<'a> {
    target: &'a Target,
    client: Client,
    /// `Prefer`, if anything is preferred.
    prefer: Option<&'static str>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(target: &'a Target, client: Client, prefer: Option<&'static str>) -> Self {
        Self { target, client, prefer }
    }

    /// What would become of a row.
    ///
    /// # Errors
    /// What holds for every row: the key, the merchant, or what is there is no gateway.
    pub(super) async fn plan(&self, body: String) -> anyhow::Result<Said> {
        let body = Bytes::from(body);
        let (status, answer) = self
            .answer(|| {
                let mut request = self.target.request(&self.client, Method::POST, "v1/customers/plan")?;
                if let Some(prefer) = self.prefer {
                    request = request.header("prefer", prefer);
                }
                Ok(request.header(CONTENT_TYPE, "application/json").body(body.clone()))
            })
            .await?;
        if status.is_success() {
            return Ok(Said::Plan(self.read(status, &answer)?));
        }
        let problem: Problem = self.read(status, &answer)?;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.refusal(status, &problem)),
            _ if problem.code == ProblemCode::MerchantRequired => Err(self.refusal(status, &problem)),
            _ => Ok(Said::Refused(Refused::by_gateway(&problem, &[]))),
        }
    }

    /// `GET /v1/connections`; none where the key may not see them.
    pub(super) async fn connections(&self) -> anyhow::Result<Option<Vec<Connection>>> {
        let (status, answer) = self
            .answer(|| self.target.request(&self.client, Method::GET, "v1/connections"))
            .await?;
        match status {
            StatusCode::OK => Ok(Some(self.read::<Page<Connection>>(status, &answer)?.data)),
            StatusCode::FORBIDDEN => Ok(None),
            _ => Err(self.refusal(status, &self.read(status, &answer)?)),
        }
    }

    fn read<T: DeserializeOwned>(&self, status: StatusCode, answer: &str) -> anyhow::Result<T> {
        let strange = || format!("{} answers {status}, not as the gateway does", self.target.url);
        serde_json::from_str(answer).with_context(strange)
    }

    fn refusal(&self, status: StatusCode, Problem { code, detail, .. }: &Problem) -> anyhow::Error {
        anyhow::anyhow!("{} answers {status}: {code} {detail}", self.target.url)
    }

    /// The answer, when there is one that says something about the question.
    async fn answer(
        &self,
        request: impl Fn() -> anyhow::Result<RequestBuilder>,
    ) -> anyhow::Result<(StatusCode, String)> {
        let began = Instant::now();
        loop {
            let wait = match request()?.send().await {
                Ok(response) if !is_for_later(response.status()) => {
                    let status = response.status();
                    match response.text().await {
                        Ok(text) => return Ok((status, text)),
                        Err(_) => USUAL_WAIT,
                    }
                }
                Ok(response) => wait_of(&response),
                Err(error) if error.is_builder() => return Err(error.without_url().into()),
                Err(_) => USUAL_WAIT,
            };
            if began.elapsed() + wait > PATIENCE {
                bail!("{} has not answered for {} s", self.target.url, PATIENCE.as_secs());
            }
            sleep(wait).await;
        }
    }
}

fn is_for_later(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

fn wait_of(response: &Response) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER);
    let seconds = seconds.and_then(|text| text.to_str().ok()?.trim().parse().ok());
    seconds.map_or(USUAL_WAIT, Duration::from_secs)
}
