//! What a caller says a reading is for: `Audit-As: export`.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpRequest};
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::{IntoParams, PartialSchema as _};

use crate::http::problem::Problem;

const HEADER: &str = "Audit-As";
const NAME: HeaderName = HeaderName::from_static("audit-as");

/// Whether the audit trail is to tell that this begins an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AuditAs {
    pub(crate) is_export: bool,
}

impl FromRequest for AuditAs {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request.headers()))
    }
}

/// What is misspelt is refused: it would leave no trace.
fn read(headers: &HeaderMap) -> Result<AuditAs, Problem> {
    let mut is_export = false;
    for value in headers.get_all(NAME) {
        if value.as_bytes().trim_ascii() != b"export" {
            return Err(Problem::invalid_header(HEADER, "takes `export` alone"));
        }
        is_export = true;
    }
    Ok(AuditAs { is_export })
}

impl IntoParams for AuditAs {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let says = "`export`: the audit trail tells that customers are exported; to be sent with the first page";
        let parameter = ParameterBuilder::new()
            .name(HEADER)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .schema(Some(String::schema()))
            .description(Some(says));
        vec![parameter.build()]
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn an_export_says_so_and_what_is_misspelt_is_refused() {
        for (values, wanted) in [
            (&[][..], Some(false)),
            (&["export"], Some(true)),
            (&[" export "], Some(true)),
            (&["exports"], None),
            (&["Export"], None),
            (&[""], None),
            (&["export", "x"], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(NAME, HeaderValue::from_static(value));
            }
            let read = read(&headers).ok().map(|audit_as| audit_as.is_export);
            assert_eq!(read, wanted, "{values:?}");
        }
    }
}
