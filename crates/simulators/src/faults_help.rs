//! How a vendor is made to fail, for whoever stands at a terminal.

/// The request, and every effect; shown by `--help`.
pub const FAULTS_HELP: &str = r#"A vendor is made to fail at its own address, from now on or for so many requests:
  curl -X PUT http://127.0.0.1:4101/__sim/faults \
    -d '[{"effect": {"kind": "answer", "status": 503}, "times": 2}]'
  curl -X DELETE http://127.0.0.1:4101/__sim/faults

Beside "effect" may stand "times" (else for ever), "probability" (0 to 1) and
"only": {"method": "POST", "path": "/customers"} (the path is a part of it). Effects:
  {"kind": "answer", "status": 429, "headers": {"retry-after": "2"}}
                                             another answer; "body" too; with
                                             "when": "after_write" it is written first
  {"kind": "delay", "millis": 2000}          the answer comes so much later
  {"kind": "hang"}                           no answer ever; "when" as above
  {"kind": "cut", "at": "after_write"}       the connection is closed: before_reading,
                                             before_write, after_write or mid_answer
  {"kind": "drip", "every_millis": 50}       the answer comes byte by byte
  {"kind": "garbage"}                        200 with what is no JSON; it is written
  {"kind": "empty_object"}                   200 with {}; it is written
  {"kind": "html"}                           200 with a page of a proxy; it is written
  {"kind": "huge", "bytes": 20000000}        200 with so much; it is written
  {"kind": "redirect", "location": "http://127.0.0.1:9/"}
                                             307 to there; nothing is written

What it was sent and what it holds: GET /__sim/journal, GET /__sim/records.
As new: POST /__sim/reset."#;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::FAULTS_HELP;
    use crate::effects::Effect;
    use crate::faults::Fault;

    /// What begins like an effect in a text, read as one.
    fn effects(text: &str) -> Vec<Effect> {
        let starts = text.match_indices(r#"{"kind""#);
        starts
            .map(|(start, _)| {
                let mut read = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Effect>();
                read.next().unwrap().unwrap()
            })
            .collect()
    }

    fn kinds(text: &str) -> Vec<String> {
        let kinds = effects(text).into_iter().map(|effect| {
            let effect = serde_json::to_value(effect).unwrap();
            effect["kind"].as_str().unwrap().to_owned()
        });
        let mut kinds: Vec<String> = kinds.collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    #[test]
    fn the_help_and_the_page_of_the_demo_show_every_effect_as_it_is_taken() {
        // An unknown kind is answered with those that are known.
        let known = serde_json::from_str::<Effect>(r#"{"kind": "?"}"#)
            .unwrap_err()
            .to_string();
        let (_, known) = known.split_once("expected one of ").unwrap();
        let known = known.split(" at line").next().unwrap().split(", ");
        let mut known: Vec<String> = known.map(|name| name.trim_matches('`').to_owned()).collect();
        known.sort();
        assert_eq!(kinds(FAULTS_HELP), known);
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/demo.md");
        assert_eq!(kinds(&std::fs::read_to_string(page).unwrap()), known);
    }

    #[test]
    fn the_request_of_the_help_is_one() {
        let (_, body) = FAULTS_HELP.split_once("-d '").unwrap();
        let faults: Vec<Fault> = serde_json::from_str(body.split('\'').next().unwrap()).unwrap();
        assert_eq!(faults[0].times, Some(2));
    }

    #[test]
    fn the_help_fits_a_terminal() {
        for line in FAULTS_HELP.lines() {
            assert!(line.chars().count() <= 90, "{line}");
        }
    }
}
