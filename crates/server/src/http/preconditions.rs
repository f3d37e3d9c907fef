//! What a caller says of the thing that is there: `If-Match` and `If-None-Match`.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use actix_web::{FromRequest, HttpRequest};
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::{IntoParams, PartialSchema as _};

use upsert_app::MerchantExpected;

use crate::http::problem::Problem;

/// What has to be so.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Preconditions(pub(crate) MerchantExpected);

impl FromRequest for Preconditions {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request.headers()))
    }
}

fn read(headers: &HeaderMap) -> Result<Preconditions, Problem> {
    let expected = match (only(headers, &IF_MATCH)?, only(headers, &IF_NONE_MATCH)?) {
        (None, None) => MerchantExpected::Anything,
        (None, Some("*")) => MerchantExpected::Nothing,
        (Some(tag), None) => {
            let generation = tag
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .unwrap_or(tag);
            match generation.parse() {
                Ok(generation) => MerchantExpected::Generation(generation),
                Err(_) => {
                    return Err(Problem::invalid_header(
                        "If-Match",
                        "takes one generation, such as \"3\"",
                    ));
                }
            }
        }
        (None, Some(_)) => return Err(Problem::invalid_header("If-None-Match", "takes `*` alone")),
        (Some(_), Some(_)) => return Err(Problem::invalid_header("If-Match", "stands beside If-None-Match")),
    };
    Ok(Preconditions(expected))
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut all = headers.get_all(name);
    let Some(first) = all.next() else { return Ok(None) };
    let text = first.to_str().ok().filter(|_| all.next().is_none());
    let text = text.ok_or_else(|| Problem::invalid_header(name.as_str(), "is given more than once, or is no text"))?;
    Ok(Some(text.trim()))
}

impl IntoParams for Preconditions {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameter = |name: &str, says: &str| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .schema(Some(String::schema()))
                .description(Some(says))
                .build()
        };
        vec![
            parameter("If-Match", "Only if it has this generation, such as `\"3\"`"),
            parameter("If-None-Match", "`*`: only if it is not there"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn read_of(pairs: &[(HeaderName, &'static str)]) -> Option<MerchantExpected> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        read(&headers).ok().map(|read| read.0)
    }

    #[test]
    fn a_generation_is_expected_or_nothing_or_anything() {
        use MerchantExpected::{Anything, Generation, Nothing};
        assert_eq!(read_of(&[]), Some(Anything));
        assert_eq!(read_of(&[(IF_MATCH, "\"3\"")]), Some(Generation(3)));
        assert_eq!(read_of(&[(IF_MATCH, "3")]), Some(Generation(3)));
        assert_eq!(read_of(&[(IF_NONE_MATCH, "*")]), Some(Nothing));
        for bad in [
            &[(IF_MATCH, "*")][..],
            &[(IF_MATCH, "W/\"3\"")],
            &[(IF_MATCH, "\"3\", \"4\"")],
            &[(IF_MATCH, "\"3\""), (IF_MATCH, "\"4\"")],
            &[(IF_NONE_MATCH, "\"3\"")],
            &[(IF_MATCH, "\"3\""), (IF_NONE_MATCH, "*")],
        ] {
            assert_eq!(read_of(bad), None, "{bad:?}");
        }
    }
}
