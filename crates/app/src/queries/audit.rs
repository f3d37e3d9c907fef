//! Who did what when, as operators see it; and whether anything of it was changed.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};

use upsert_api::{AuditCheck, AuditEntry, AuditFilter, AuditMark, Page, PageQuery};
use upsert_core::Problem;
use upsert_store::AuditRecord;

use crate::audit::chain::hex;
use crate::audit::verify::{Mark, Position, walk};
use crate::problem::Refusal;
use crate::queries::Queries;
use crate::queries::page::{bad_cursor, gather};

/// Entries that are read at once.
const AT_ONCE: usize = 1_000;

/// Parts of the chain that one request walks through.
const PARTS: usize = 10;

impl Queries {
    /// Entries that match, newest first.
    ///
    /// # Errors
    /// 400 for a cursor that cannot be read.
    pub async fn list_audit(&self, filter: &AuditFilter, page: &PageQuery) -> Result<Page<AuditEntry>, Refusal> {
        let below = page.cursor.as_deref().map(number_of).transpose()?;
        let store = &self.context.store;
        let read = |below, most| async move {
            let page = store.audit_entries(filter, below, most).await?;
            Ok::<_, Refusal>((page.entries, page.next))
        };
        let (entries, next) = gather(page.limit, below, read).await?;
        Ok(Page {
            data: entries.into_iter().map(shown).collect(),
            next_cursor: next.map(|number| BASE64URL_NOPAD.encode(&number.to_be_bytes())),
        })
    }

    /// Walks through a part of the chain: from its beginning, or on from where the walk before ended. `noted`: an entry that
    /// somebody has noted elsewhere, such as `42:9f3c…`.
    ///
    /// # Errors
    /// 400 for what cannot be read.
    pub async fn verify_audit(&self, cursor: Option<&str>, noted: Option<&str>) -> Result<AuditCheck, Refusal> {
        let mut at = cursor.map(position_of).transpose()?.unwrap_or(Position::START);
        let noted = noted.map(mark_of).transpose()?;
        let mut check = AuditCheck {
            fits: true,
            misfit: None,
            checked: 0,
            keyed: 0,
            forgotten: 0,
            head: None,
            next_cursor: None,
        };
        for part in 1..=PARTS {
            let stretch = self.context.store.audit_after(at.last.number, AT_ONCE).await?;
            let walked = walk(self.context.audit.chain(), at, &stretch, AT_ONCE, noted);
            check.checked += walked.checked;
            check.keyed += walked.keyed;
            if let Some(head) = &stretch.head {
                check.forgotten = head.forgotten;
                check.head = Some(AuditMark {
                    number: head.number,
                    hash: hex(&head.hash),
                });
            }
            check.fits = walked.misfit.is_none();
            check.misfit = walked.misfit;
            match walked.next {
                Some(next) if part == PARTS => check.next_cursor = Some(cursor_of(next)),
                Some(next) => at = next,
                None => break,
            }
        }
        Ok(check)
    }
}

/// A detail that is no JSON any more was changed by somebody: it is shown as the text that it is.
fn shown(entry: AuditRecord) -> AuditEntry {
    let detail = entry.detail.map(|text| match serde_json::from_str(&text) {
        Ok(detail) => detail,
        Err(_) => text.into(),
    });
    AuditEntry {
        number: entry.number,
        at: entry.at,
        by: entry.by,
        action: entry.action,
        subject: entry.subject,
        merchant_id: entry.merchant,
        detail,
    }
}

fn number_of(cursor: &str) -> Result<u64, Refusal> {
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.map(u64::from_be_bytes).ok_or_else(bad_cursor)
}

/// Number, hash, and whether an entry was keyed. Whoever makes one up deceives nobody else.
fn cursor_of(at: Position) -> String {
    let mut bytes = at.last.number.to_be_bytes().to_vec();
    bytes.extend(at.last.hash);
    bytes.push(u8::from(at.is_keyed));
    BASE64URL_NOPAD.encode(&bytes)
}

fn position_of(cursor: &str) -> Result<Position, Refusal> {
    let read = || {
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
        let (number, rest) = bytes.split_first_chunk::<8>()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let [flag] = rest else { return None };
        Some(Position {
            last: Mark {
                number: u64::from_be_bytes(*number),
                hash: *hash,
            },
            is_keyed: *flag != 0,
        })
    };
    read().ok_or_else(bad_cursor)
}

fn mark_of(text: &str) -> Result<Mark, Refusal> {
    let read = || {
        let (number, hash) = text.trim().split_once(':')?;
        let hash = HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).ok()?;
        Some(Mark {
            number: number.parse().ok().filter(|number| *number > 0)?,
            hash: hash.try_into().ok()?,
        })
    };
    read().ok_or_else(|| {
        let detail = "is not the number of an entry, a colon and its hash of 64 hexadecimal digits";
        Refusal::invalid_query(vec![Problem::new("noted", "invalid_value", detail)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_goes_on_where_its_cursor_says_and_nothing_else_is_a_cursor() {
        let at = Position {
            last: Mark {
                number: 12_345,
                hash: [7; 32],
            },
            is_keyed: true,
        };
        let cursor = cursor_of(at);
        assert_eq!(position_of(&cursor).unwrap(), at);
        for wrong in ["", "next", &cursor[1..], &format!("{cursor}AA")] {
            assert_eq!(position_of(wrong).unwrap_err().code.status(), 400, "{wrong}");
            assert_eq!(number_of(wrong).unwrap_err().code.status(), 400, "{wrong}");
        }
    }

    #[test]
    fn what_was_noted_is_a_number_and_a_hash() {
        let hash = "9F".repeat(32);
        let mark = mark_of(&format!(" 42:{hash}\n")).unwrap();
        assert_eq!((mark.number, mark.hash), (42, [0x9F; 32]));
        for wrong in [
            "",
            "42",
            "42:",
            &format!("0:{hash}"),
            &format!("x:{hash}"),
            &format!("42:{hash}00"),
        ] {
            let refusal = mark_of(wrong).unwrap_err();
            assert_eq!(refusal.errors[0].pointer, "noted", "{wrong}");
        }
    }
}
