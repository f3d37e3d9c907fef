//! One request of somebody who has signed in, as the door hands it on.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse};
use tokio::time::{Duration, sleep};

use upsert_api::{ProblemCode, Visibility};
use upsert_app::{Gateway, Merchant, Notice, Refusal, SessionId};
use upsert_settings::{BasePath, Scope, is_name};

use crate::error::PageError;
use crate::live::snapshots::Snapshot;
use crate::mount;
use crate::render::{Frame, Section};
use crate::state::{Dashboard, Principal};

/// How often what goes on by itself asks whether its key still opens the door. That reads no store.
const LOOK_AT_KEY: Duration = Duration::from_millis(500);

/// Who asks, and the dashboard that is asked.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) dashboard: Data<Dashboard>,
    pub(crate) principal: Principal,
    pub(crate) id: SessionId,
    /// Under which path its browser sees the dashboard.
    pub(crate) base: BasePath,
    /// What the next page is to tell.
    notice: Option<Notice>,
    /// Whether a page has taken it to tell it.
    is_told: Arc<AtomicBool>,
}

impl Session {
    /// Of this session, if it has not ended and its key is still valid. `is_looked_at`: whether a person did this.
    ///
    /// # Errors
    /// 503: the store does not answer.
    pub(crate) async fn of(
        dashboard: Data<Dashboard>,
        id: SessionId,
        is_looked_at: bool,
    ) -> Result<Option<Self>, PageError> {
        let parts = &dashboard.parts;
        let found = dashboard.lookups.find(&parts.gateway, &id, is_looked_at).await?;
        let Some(found) = found else {
            return Ok(None);
        };
        let principal = parts.keys.still_open(&found.key_hash);
        let Some(principal) = principal.filter(|principal| principal.may(Scope::OpsRead)) else {
            return Ok(None);
        };
        if is_looked_at && found.notice.is_some() {
            // Something was done a moment ago, maybe at another replica: the page shows what came of it.
            let followed = parts.gateway.operations.follow_others().await;
            followed.map_err(|_| PageError::store_is_away())?;
            dashboard.snapshots.forget().await;
        }
        Ok(Some(Self {
            principal,
            id,
            base: BasePath::default(),
            notice: found.notice,
            is_told: Arc::default(),
            dashboard,
        }))
    }

    /// The same with what its key may do now, for what goes on by itself.
    ///
    /// # Errors
    /// 503: the store does not answer.
    pub(crate) async fn renewed(&self) -> Result<Option<Self>, PageError> {
        let renewed = Self::of(self.dashboard.clone(), self.id, false).await?;
        let base = self.base.clone();
        Ok(renewed.map(|renewed| Self { base, ..renewed }))
    }

    /// The same with its key as the configuration in force has it; none: it opens nothing any more.
    pub(crate) fn with_its_key(&self) -> Option<Self> {
        let principal = self.dashboard.parts.keys.still_open(&self.principal.key_hash)?;
        principal.may(Scope::OpsRead).then(|| Self {
            principal,
            ..self.clone()
        })
    }

    /// Whether its key may still operate what it could when the request came: what takes its time asks again.
    ///
    /// # Errors
    /// 401: it is gone or has expired; 403: it may not any more, or speaks for fewer merchants.
    pub(crate) fn still_may_operate(&self) -> Result<(), Refusal> {
        let refused = |code, detail| Err(Refusal::new(code, detail));
        let Some(now) = self.dashboard.parts.keys.still_open(&self.principal.key_hash) else {
            return refused(ProblemCode::Unauthenticated, "the API key was removed, or has expired");
        };
        if !now.may(Scope::OpsWrite) {
            return refused(ProblemCode::ScopeMissing, "the key lacks the scope `ops:write`");
        }
        let covers = match self.principal.in_sight() {
            None => now.in_sight().is_none(),
            Some(before) => before.iter().all(|merchant| now.covers(merchant)),
        };
        if !covers {
            let detail = "the key may not speak for all of these merchants any more";
            return refused(ProblemCode::MerchantForbidden, detail);
        }
        Ok(())
    }

    /// Waits until its key opens nothing any more.
    pub(crate) async fn is_shut_out(&self) {
        while self.with_its_key().is_some() {
            sleep(LOOK_AT_KEY).await;
        }
    }

    /// The use cases.
    pub(crate) fn gateway(&self) -> &Gateway {
        &self.dashboard.parts.gateway
    }

    /// How everything is now.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn snapshot(&self) -> Result<Arc<Snapshot>, PageError> {
        self.dashboard.snapshots.fresh(self.gateway()).await
    }

    /// # Errors
    /// 403: the key lacks the scope.
    pub(crate) fn needs(&self, scope: Scope) -> Result<(), PageError> {
        if self.principal.may(scope) {
            Ok(())
        } else {
            Err(PageError::lacks(scope))
        }
    }

    /// Whether names, addresses and the vendors' words about them may be shown; they are masked otherwise.
    pub(crate) fn sees_people(&self) -> bool {
        self.principal.may(Scope::CustomersRead)
    }

    /// What of customers its pages show.
    pub(crate) fn visibility(&self) -> Visibility {
        Visibility::of(self.sees_people())
    }

    /// Whether there are buttons.
    pub(crate) fn may_operate(&self) -> bool {
        self.principal.may(Scope::OpsWrite)
    }

    /// The merchant, if it exists for this key.
    ///
    /// # Errors
    /// 404.
    pub(crate) async fn merchant(&self, id: &str) -> Result<Arc<Merchant>, PageError> {
        if !self.principal.covers(id) || !is_name(id) {
            return Err(PageError::not_found("merchant"));
        }
        self.gateway().load_merchant(id).await?;
        let known = self.gateway().directory().get(id);
        known.ok_or_else(|| PageError::not_found("merchant"))
    }

    /// The merchants that exist for this key, by id; at most `most`.
    pub(crate) fn merchants(&self, most: usize) -> Vec<String> {
        let directory = self.gateway().directory();
        let seen = directory.iter().filter(|merchant| self.principal.covers(&merchant.id));
        let mut ids: Vec<String> = seen.map(|merchant| merchant.id.clone()).collect();
        ids.sort();
        ids.truncate(most);
        ids
    }

    /// What stands around a page; takes the notice that is to be told.
    pub(crate) fn frame(&self, section: Section, title: impl Into<String>) -> Frame {
        self.is_told.store(true, Ordering::Relaxed);
        Frame {
            notice: self.notice.clone(),
            ..self.quiet_frame(section, title)
        }
    }

    /// Where the page has told its notice, no other one is to.
    pub(crate) async fn tell_no_more(&self) {
        let told = self.notice.clone().filter(|_| self.is_told.load(Ordering::Relaxed));
        let Some(notice) = told else { return };
        if let Err(error) = self.gateway().sessions.told(self.id, notice).await {
            tracing::warn!(%error, "the next page tells again what this one has told");
        }
    }

    /// The same for what a page asks for by itself: what is to be told stays for whoever looks.
    pub(crate) fn quiet_frame(&self, section: Section, title: impl Into<String>) -> Frame {
        Frame {
            section,
            title: title.into(),
            principal: self.principal.name.clone(),
            may_operate: self.may_operate(),
            sees_people: self.sees_people(),
            notice: None,
        }
    }

    /// Does what an operator asks for, and tells what became of it on the page that is gone back to.
    ///
    /// # Errors
    /// See [`Session::done`].
    pub(crate) async fn operate(
        &self,
        back_to: &str,
        deed: impl Future<Output = Result<String, PageError>>,
    ) -> Result<HttpResponse, PageError> {
        self.act(Scope::OpsWrite, back_to, deed).await
    }

    /// The same, for what needs this scope.
    ///
    /// # Errors
    /// See [`Session::done`].
    pub(crate) async fn act(
        &self,
        scope: Scope,
        back_to: &str,
        deed: impl Future<Output = Result<String, PageError>>,
    ) -> Result<HttpResponse, PageError> {
        let result = match self.needs(scope) {
            Ok(()) => deed.await,
            Err(refused) => Err(refused),
        };
        // What pages show next is read anew.
        self.dashboard.snapshots.forget().await;
        self.done(back_to, result).await
    }

    /// What became of an action, on the page that is gone back to.
    ///
    /// # Errors
    /// 503: the store does not answer, so no other page could tell it; this one does.
    pub(crate) async fn done(
        &self,
        back_to: &str,
        result: Result<String, PageError>,
    ) -> Result<HttpResponse, PageError> {
        let is_problem = result.is_err();
        let text = result.unwrap_or_else(|refused| refused.sentence());
        let notice = Notice { is_problem, text };
        if self.gateway().sessions.tell(self.id, notice.clone()).await.is_err() {
            let mut away = PageError::store_is_away();
            away.says.insert(0, notice.text);
            return Err(away);
        }
        Ok(see_other(back_to))
    }
}

/// Back to a page by GET.
pub(crate) fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, local(path)))
        .finish()
}

/// A path of ours, whatever a form says.
pub(crate) fn local(path: &str) -> &str {
    let is_ours = path == "/ops" || path.starts_with("/ops/") || path.starts_with("/ops?");
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours && is_plain { path } else { "/ops" }
}

impl FromRequest for Session {
    type Error = PageError;
    type Future = Ready<Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = request.extensions().get::<Self>().cloned();
        let session = session.map(|session| Self {
            base: mount::of(request),
            ..session
        });
        // The door stands before every page that asks for this.
        ready(session.ok_or_else(|| PageError::new(actix_web::http::StatusCode::UNAUTHORIZED, "sign in first")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_never_leads_out_of_the_dashboard() {
        for (path, leads_to) in [
            ("/ops", "/ops"),
            ("/ops/deliveries?state=failed", "/ops/deliveries?state=failed"),
            ("/opsy", "/ops"),
            ("//evil.example/ops", "/ops"),
            ("https://evil.example", "/ops"),
            ("/ops/\\evil.example", "/ops"),
            ("/ops/a\r\nx: y", "/ops"),
            ("", "/ops"),
        ] {
            assert_eq!(local(path), leads_to);
        }
    }
}
