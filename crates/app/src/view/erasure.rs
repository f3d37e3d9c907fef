//! The certificate of an erasure, from what is kept of it.

use serde_json::{Map, Value as Json};

use upsert_api::{ErasedVendor, Erasure};
use upsert_sealing::SigningKey;
use upsert_store::{ErasureRecord, RecordId};

/// Whether the vendors' ids of their records are shown, as far as they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// To whoever erases.
    Shown,
    /// To everybody else.
    Left,
}

/// As it is shown. It is signed as it is shown, where there is a key, and once it is true: nothing of the person is left.
pub(crate) fn certificate(erasure: &ErasureRecord, ids: Ids, key: Option<&SigningKey>) -> Erasure {
    let shown_id = |id: &RecordId| (ids == Ids::Shown).then(|| id.0.clone());
    let vendors = erasure.vendors.iter().map(|vendor| ErasedVendor {
        connection: vendor.connection.clone(),
        provider_customer_id: vendor.id.as_ref().and_then(shown_id),
        provider_customer_id_hash: vendor.record.clone(),
        left: vendor.left,
    });
    let mut shown = Erasure {
        erasure_id: erasure.id,
        at: erasure.at,
        by: erasure.by.clone(),
        customer_id: erasure.id.customer(),
        vendors: vendors.collect(),
        signature: None,
        public_key: key.map(SigningKey::public_key),
    };
    let key = key.filter(|_| erasure.ended_at().is_some());
    shown.signature = key.map(|key| key.sign(signed_text(&shown).as_bytes()));
    shown
}

/// What is signed: all but the signature, as canonical JSON (RFC 8785; there are no numbers in it, and names are ASCII).
fn signed_text(shown: &Erasure) -> String {
    let mut whole = serde_json::to_value(shown).unwrap_or_default();
    if let Some(members) = whole.as_object_mut() {
        members.remove("signature");
    }
    sorted(whole).to_string()
}

fn sorted(value: Json) -> Json {
    match value {
        Json::Object(members) => {
            let mut members: Vec<(String, Json)> = members.into_iter().collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            let members = members.into_iter().map(|(name, value)| (name, sorted(value)));
            Json::Object(members.collect::<Map<_, _>>())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(sorted).collect()),
        leaf => leaf,
    }
}

#[cfg(test)]
mod tests {
    use upsert_sealing::is_signed_by;
    use upsert_store::{ErasedRecord, Left};
    use upsert_testkit::records::{customer_id, noon};

    use super::*;

    #[test]
    fn a_certificate_is_signed_as_it_is_shown() {
        let mut erasure = ErasureRecord::new(customer_id(1), "acme", "crm \"sync\"", noon());
        erasure.vendors = vec![ErasedRecord {
            connection: "rotor".to_owned(),
            record: Some("0a".to_owned()),
            id: Some(RecordId("r-1".to_owned())),
            left: Left::Record,
        }];
        let key = SigningKey::of_base64("TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=").unwrap();
        let open = certificate(&erasure, Ids::Shown, Some(&key));
        assert_eq!(open.signature, None, "something of the person may be left");
        erasure.end(noon());
        // As whoever erases recalls it.
        erasure.vendors[0].id = Some(RecordId("r-1".to_owned()));
        let shown = certificate(&erasure, Ids::Shown, Some(&key));
        let text = signed_text(&shown);
        let id = shown.erasure_id;
        let said = format!(
            r#"{{"at":"2026-11-20T12:00:00Z","by":"crm \"sync\"","customer_id":"{}","erasure_id":"{id}","public_key":"{}","vendors":[{{"connection":"rotor","left":"record","provider_customer_id":"r-1","provider_customer_id_hash":"0a"}}]}}"#,
            customer_id(1),
            key.public_key()
        );
        assert_eq!(text, said);
        assert!(is_signed_by(
            &key.public_key(),
            text.as_bytes(),
            shown.signature.as_deref().unwrap()
        ));
        let kept = certificate(&erasure, Ids::Left, Some(&key));
        assert_eq!(kept.vendors[0].provider_customer_id, None);
        assert_ne!(kept.signature, shown.signature, "each is signed as it is shown");
        let unsigned = certificate(&erasure, Ids::Left, None);
        assert_eq!((unsigned.signature, unsigned.public_key), (None, None));
    }

    #[test]
    fn a_record_that_is_noted_late_stands_in_the_order_of_the_connections() {
        let mut erasure = ErasureRecord::new(customer_id(1), "acme", "ann", noon());
        for (connection, record) in [("b", "1"), ("c", "2"), ("a", "3"), ("b", "4"), ("b", "1")] {
            erasure.note_record(connection, record.to_owned(), RecordId(format!("id-{record}")));
        }
        let shown = |erasure: &ErasureRecord| -> Vec<(String, Option<String>)> {
            let vendors = certificate(erasure, Ids::Shown, None).vendors.into_iter();
            vendors
                .map(|vendor| (vendor.connection, vendor.provider_customer_id))
                .collect()
        };
        let of = |connection: &str, id: &str| (connection.to_owned(), Some(id.to_owned()));
        assert_eq!(
            shown(&erasure),
            [of("a", "id-3"), of("b", "id-1"), of("b", "id-4"), of("c", "id-2")]
        );
        erasure.end(noon());
        erasure.note_record("d", "5".to_owned(), RecordId("id-5".to_owned()));
        assert!(!erasure.has_ids(), "nothing is kept once it has ended");
    }
}
