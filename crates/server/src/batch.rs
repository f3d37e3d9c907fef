//! Many upserts in one request, streamed both ways. The answer is what drives it: while the client does not read, no
//! line is taken up; while the window is full, nothing of the body is read. So memory does not grow with the lines.

pub(crate) mod lines;
mod one;
mod reading;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::web::{Bytes, Data};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;

use upsert_app::{LineOrder, Merchant, ProblemCode, Refusal, Turn};
use upsert_settings::Scope;

use crate::keyring::Key;
use crate::lifecycle::Answering;
use crate::observe::shutting_down;
use crate::served::Served;
use crate::state::State;
use lines::{Cut, Lines};
use one::{One, refused};
use reading::read;

/// Lines in progress: enough to fill the store's group commits, and few enough that one batch holds some megabytes.
const WINDOW: usize = 64;

/// A client that sends no whole line for so long, while nothing of it is in progress, has gone.
const IDLE: Duration = Duration::from_secs(300);

/// What holds for every line.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) respond_async: bool,
    pub(crate) force: bool,
    pub(crate) traceparent: Option<String>,
    pub(crate) request_id: String,
}

/// Whose lines they are, by one configuration.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) key: Arc<Key>,
    pub(crate) served: Arc<Served>,
    pub(crate) merchant: Arc<Merchant>,
}

type Working = Pin<Box<dyn Future<Output = (Turn, Bytes)>>>;

/// A batch that is being answered.
pub(crate) struct Batch {
    state: Data<State>,
    grant: Grant,
    wanted: Wanted,
    lines: Lines<Payload>,
    limit: usize,
    order: LineOrder,
    working: FuturesUnordered<Working>,
    reading: bool,
    _answering: Answering,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} lines in progress)", self.working.len())
    }
}

impl Batch {
    pub(crate) fn new(state: Data<State>, grant: Grant, wanted: Wanted, body: Payload) -> Self {
        let limit = grant.served.body_limit;
        Self {
            _answering: state.lifecycle.answering(),
            state,
            grant,
            wanted,
            lines: Lines::new(body, limit),
            limit,
            order: LineOrder::default(),
            working: FuturesUnordered::new(),
            reading: true,
        }
    }

    /// The next line of the answer, in order of completion.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            let (is_idle, has_room) = (self.working.is_empty(), self.working.len() < WINDOW);
            tokio::select! {
                biased;
                Some((turn, written)) = self.working.next() => {
                    self.order.ended(&turn);
                    return Some(written);
                }
                () = self.state.lifecycle.stops(), if self.reading => return Some(self.end(&shutting_down())),
                line = self.lines.next(), if self.reading && has_room => match line {
                    Some((number, line)) => {
                        if let Err(refusal) = self.take_up(number, line) {
                            return Some(refused(number, &refusal, &self.wanted.request_id));
                        }
                    }
                    None => self.reading = false,
                },
                () = sleep(IDLE), if self.reading && is_idle => {
                    let detail = "no further line came in time";
                    return Some(self.end(&Refusal::new(ProblemCode::RequestTimeout, detail)));
                }
                else => return None,
            }
        }
    }

    /// This line and all after it are not read; those in progress come to their end.
    fn end(&mut self, refusal: &Refusal) -> Bytes {
        self.reading = false;
        refused(self.lines.number(), refusal, &self.wanted.request_id)
    }

    fn take_up(&mut self, number: u64, line: Cut) -> Result<(), Refusal> {
        let asked = read(line, self.limit)?;
        self.renew_grant()?;
        let turn = self.order.queue(number, &asked.body, &self.grant.merchant);
        let one = One {
            number,
            state: self.state.clone(),
            grant: self.grant.clone(),
            wanted: self.wanted.clone(),
            turn,
        };
        self.working.push(Box::pin(one.done(asked)));
        Ok(())
    }

    /// A batch may run for hours: a key that was taken back, or a merchant that was configured anew, counts from the
    /// next line on.
    fn renew_grant(&mut self) -> Result<(), Refusal> {
        let served = self.state.served.load();
        if Arc::ptr_eq(&served, &self.grant.served) {
            return Ok(());
        }
        let is_gone = || Refusal::new(ProblemCode::Unauthenticated, "the API key is not known any more");
        let key = served.keys.same(&self.grant.key).ok_or_else(is_gone)?;
        if !key.may(Scope::CustomersWrite) {
            let detail = "the key lacks the scope `customers:write`";
            return Err(Refusal::new(ProblemCode::ScopeMissing, detail));
        }
        let merchant = served.directory.get(&self.grant.merchant.id);
        let Some(merchant) = merchant.filter(|merchant| key.reach.covers(&merchant.id)) else {
            let detail = "the key may not speak for this merchant";
            return Err(Refusal::new(ProblemCode::MerchantForbidden, detail));
        };
        self.grant = Grant {
            key: key.clone(),
            merchant: merchant.clone(),
            served: served.clone(),
        };
        Ok(())
    }
}
