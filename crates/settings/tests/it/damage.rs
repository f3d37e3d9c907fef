//! A damaged configuration is refused or read, and never brings the gateway down.

use proptest::collection::vec;
use proptest::prelude::*;
use upsert_settings::Secrets;

use crate::folder::Folder;

const GATEWAY: &str = include_str!("../../../../config/gateway.toml");
const MERCHANT: &str = include_str!("everything.toml");

fn damaged(text: &str, flips: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (at, with) in flips {
        let at = at % bytes.len();
        bytes[at] = *with;
    }
    bytes
}

/// Bytes that mean something to TOML turn up as often as all others together.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), prop::sample::select(b"[]{}=\"'.,#\n0e-_:/ ".to_vec())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_flipped_byte_panics(
        gateway in vec((any::<usize>(), byte()), 0..3),
        merchant in vec((any::<usize>(), byte()), 1..6),
    ) {
        let folder = Folder::new("").env("SECRET", "canary");
        folder.write("gateway.toml", damaged(GATEWAY, &gateway));
        folder.write("merchants/acme.toml", damaged(MERCHANT, &merchant));
        for secrets in [Secrets::Resolve, Secrets::Skip] {
            match folder.load_with(secrets) {
                Ok(settings) => prop_assert!(!settings.effective().is_null()),
                Err(problems) => {
                    prop_assert!(!problems.is_empty());
                    for problem in problems {
                        prop_assert!(!problem.to_string().contains("canary"));
                    }
                }
            }
        }
    }

    #[test]
    fn no_override_panics(name in "[A-Z_\\[\\].0-9]{0,24}", value in "\\PC{0,24}") {
        let folder = Folder::new("").env(&format!("UPSERT_GATEWAY__{name}"), &value);
        let _either = folder.load();
    }
}
