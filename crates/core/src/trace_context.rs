//! W3C Trace Context of attempts of which nobody records a span.

use crate::ids::DeliveryId;

/// Odd, and its multiples lie far apart: two attempts of one delivery are never the same span.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The `traceparent` of one attempt (its number is from 1): a part of the trace of `request`, a `traceparent` too, or else
/// of a trace of its own, which has the delivery's id. It is always the same for one attempt and another for every other,
/// so that a call in a vendor's log is found again although nothing is kept.
pub fn traceparent_of_attempt(request: Option<&str>, delivery: DeliveryId, attempt: u32) -> String {
    let (high, low) = delivery.as_uuid().as_u64_pair();
    // All zeros would be no span.
    let span = (high ^ low).wrapping_add(STEP.wrapping_mul(attempt.into())).max(1);
    match request.and_then(trace_and_sampled) {
        Some((trace, is_sampled)) => format!("00-{trace}-{span:016x}-{:02x}", u8::from(is_sampled)),
        // Nobody has decided to keep it.
        None => format!("00-{high:016x}{low:016x}-{span:016x}-00"),
    }
}

/// Of a valid `traceparent`: its trace, and whether it is recorded somewhere.
fn trace_and_sampled(traceparent: &str) -> Option<(&str, bool)> {
    let mut parts = traceparent.split('-').skip(1);
    let (trace, _span, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some((trace, flags & 1 == 1))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::*;

    const REQUEST: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn delivery(low: u128) -> DeliveryId {
        DeliveryId::from_uuid(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 | low))
    }

    fn parts(traceparent: &str) -> Vec<&str> {
        traceparent.split('-').collect()
    }

    #[test]
    fn an_attempt_is_a_span_of_its_own_in_its_requests_trace_and_sampled_as_that_is() {
        let of = |request: &str| traceparent_of_attempt(Some(request), delivery(7), 1);
        let sampled = of(REQUEST);
        let [version, trace, span, flags] = parts(&sampled)[..] else {
            panic!("{sampled}")
        };
        assert_eq!(
            (version, trace, flags),
            ("00", "4bf92f3577b34da6a3ce929d0e0e4736", "01")
        );
        assert_eq!(span.len(), 16);
        assert_ne!(
            span, "00f067aa0ba902b7",
            "the vendor is called by the gateway, not by the caller"
        );
        assert_eq!(parts(&of(&REQUEST.replace("-01", "-00")))[3], "00");
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-more";
        assert_eq!(of(later), sampled, "of a later version what is known here is taken");
    }

    #[test]
    fn without_a_request_the_trace_has_the_deliverys_id() {
        let own = traceparent_of_attempt(None, delivery(7), 3);
        assert_eq!(parts(&own)[1], "01920000000070008000000000000007");
        assert_eq!(parts(&own)[3], "00");
        assert_eq!(own, traceparent_of_attempt(None, delivery(7), 3), "always the same");
    }

    #[test]
    fn no_two_attempts_are_one_span_even_in_one_trace() {
        let attempts = (0..200).flat_map(|low| (1..=50).map(move |number| (delivery(low), number)));
        let spans: HashSet<String> = attempts
            .map(|(delivery, number)| traceparent_of_attempt(Some(REQUEST), delivery, number))
            .collect();
        assert_eq!(spans.len(), 200 * 50);
    }
}
