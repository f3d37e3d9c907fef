//! `GET /ops/plan` and `POST` there: what an upsert would do at each connection. Stores and sends nothing.

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;
use url::form_urlencoded;

use upsert_api::Plan;
use upsert_app::{Refusal, read_json};
use upsert_core::{Handling, Repeat};
use upsert_settings::Scope;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::links;
use crate::pages::merchant_field::MerchantField;
use crate::query::read;
use crate::render::{Frame, Section, filters, page_with};
use crate::words;

/// A customer that most vendors can take.
const EXAMPLE: &str = r#"{
  "reference": "CUST-123",
  "given_name": "John",
  "family_name": "Doe",
  "email": "john.doe@example.com",
  "phone": "+12025550123",
  "addresses": {
    "billing": {
      "line1": "1 Main St",
      "city": "Springfield",
      "state": "IL",
      "postal_code": "62701",
      "country": "US"
    }
  },
  "notes": "Ring twice.",
  "tags": ["vip"],
  "metadata": { "plan": "gold" }
}"#;

/// The form, as it was typed. (No `Debug`: it is about a person.)
#[derive(Default)]
struct Typed {
    merchant: String,
    body: String,
    lenient: bool,
    fresh: bool,
}

#[derive(Template)]
#[template(path = "plan.html")]
struct PlanPage {
    frame: Frame,
    may_plan: bool,
    merchants: MerchantField,
    typed: Typed,
    example: &'static str,
    result: Outcome,
}

enum Outcome {
    Nothing,
    Planned { merchant: String, plan: Box<Plan> },
    Refused { merchant: String, refusal: Refusal },
}

/// The form.
#[get("/plan")]
pub(crate) async fn show(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let sent = read(&request)?;
    let body = sent.get("example").map_or_else(String::new, |_| EXAMPLE.to_owned());
    let typed = Typed {
        merchant: sent.given("merchant").unwrap_or_default(),
        body,
        ..Typed::default()
    };
    answer(&session, typed, Outcome::Nothing)
}

/// The plan, beside the form as it was typed.
#[post("/plan")]
pub(crate) async fn make(session: Session, sent: Bytes) -> Result<HttpResponse, PageError> {
    session.needs(Scope::CustomersWrite)?;
    let typed = Typed::read(&sent);
    let known = session.merchant(&typed.merchant).await?;
    let planned = match read_json(typed.body.as_bytes()) {
        Ok(body) => {
            let upserts = &session.gateway().upserts;
            let visibility = session.visibility();
            upserts
                .plan(&known, &body, typed.handling(), typed.fresh, visibility)
                .await
        }
        Err(refusal) => Err(refusal),
    };
    let merchant = known.id.clone();
    let outcome = match planned {
        Ok(plan) => Outcome::Planned {
            merchant,
            plan: Box::new(plan),
        },
        Err(refusal) => Outcome::Refused { merchant, refusal },
    };
    answer(&session, typed, outcome)
}

fn answer(session: &Session, typed: Typed, result: Outcome) -> Result<HttpResponse, PageError> {
    let status = match &result {
        Outcome::Refused { refusal, .. } => StatusCode::from_u16(refusal.code.status()).unwrap_or_default(),
        _ => StatusCode::OK,
    };
    let plan = PlanPage {
        frame: session.frame(Section::Plan, "Plan"),
        may_plan: session.principal.may(Scope::CustomersWrite),
        merchants: MerchantField::new(session, &typed.merchant, None),
        typed,
        example: EXAMPLE,
        result,
    };
    page_with(status, &plan)
}

impl Typed {
    /// Of a posted form. It is read by hand, since a whole body with its quotes escaped is longer than forms may be.
    fn read(sent: &[u8]) -> Self {
        let mut typed = Self::default();
        for (name, value) in form_urlencoded::parse(sent) {
            match name.as_ref() {
                "merchant" => value.trim().clone_into(&mut typed.merchant),
                "body" => typed.body = value.into_owned(),
                "lenient" => typed.lenient = true,
                "fresh" => typed.fresh = true,
                _ => {}
            }
        }
        typed
    }

    fn handling(&self) -> Handling {
        if self.lenient {
            Handling::Lenient
        } else {
            Handling::Strict
        }
    }
}
