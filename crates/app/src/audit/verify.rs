//! Walking through the chain: the first entry that does not fit.

use upsert_api::{AuditFault, AuditMisfit};
use upsert_store::{AuditHead, AuditRecord, AuditStretch};

use crate::audit::chain::{Chain, hex};

/// An entry, by its number and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) number: u64,
    pub(crate) hash: [u8; 32],
}

/// How far a walk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The last entry that fits; number 0: none was looked at.
    pub(crate) last: Mark,
    /// Whether an entry was keyed, so that all after it have to be.
    pub(crate) is_keyed: bool,
}

impl Position {
    pub(crate) const START: Self = Self {
        last: Mark {
            number: 0,
            hash: [0; 32],
        },
        is_keyed: false,
    };
}

/// What became of a part of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Walked {
    pub(crate) checked: u64,
    pub(crate) keyed: u64,
    pub(crate) misfit: Option<AuditMisfit>,
    /// Where it goes on; none: it is over.
    pub(crate) next: Option<Position>,
}

fn misfit(number: u64, code: AuditFault, detail: impl Into<String>) -> AuditMisfit {
    AuditMisfit {
        number,
        code,
        detail: detail.into(),
    }
}

/// "entry 3 is", "entries 3 to 5 are".
fn spelled(first: u64, last: u64) -> String {
    if first == last {
        format!("entry {first} is")
    } else {
        format!("entries {first} to {last} are")
    }
}

/// Goes on with a walk through these entries, which were asked for after its position, at most `most`.
pub(crate) fn walk(chain: &Chain, from: Position, stretch: &AuditStretch, most: usize, noted: Option<Mark>) -> Walked {
    let mut walk = Walk {
        chain,
        at: from,
        noted,
        checked: 0,
        keyed: 0,
    };
    let is_over = stretch.entries.len() < most;
    let misfit = walk.through(stretch, is_over).err();
    Walked {
        checked: walk.checked,
        keyed: walk.keyed,
        next: (misfit.is_none() && !is_over).then_some(walk.at),
        misfit,
    }
}

struct Walk<'a> {
    chain: &'a Chain,
    at: Position,
    /// What somebody noted elsewhere.
    noted: Option<Mark>,
    checked: u64,
    keyed: u64,
}

impl Walk<'_> {
    fn through(&mut self, stretch: &AuditStretch, is_over: bool) -> Result<(), AuditMisfit> {
        let Some(head) = &stretch.head else {
            return self.without_head(&stretch.entries);
        };
        self.judge_head(head)?;
        self.begin_after_what_was_forgotten(head, &stretch.entries)?;
        for entry in &stretch.entries {
            self.judge(entry, head)?;
        }
        if is_over { self.end(head) } else { Ok(()) }
    }

    /// Nothing tells where the chain ends.
    fn without_head(&self, entries: &[AuditRecord]) -> Result<(), AuditMisfit> {
        let first = entries.first().map(|entry| entry.number);
        if let Some(number) = first.or(Some(self.at.last.number).filter(|number| *number > 0)) {
            let detail = "what tells where the chain ends is missing";
            return Err(misfit(number, AuditFault::HeadChanged, detail));
        }
        match self.noted {
            Some(noted) => Err(misfit(noted.number, AuditFault::Missing, "there is no entry at all")),
            None => Ok(()),
        }
    }

    fn judge_head(&self, head: &AuditHead) -> Result<(), AuditMisfit> {
        match self.chain.seal_of(head) {
            None => Err(misfit(
                head.number,
                AuditFault::UnknownKey,
                unknown_key(head.key.as_deref()),
            )),
            Some(seal) if seal != head.seal => {
                let detail = "what tells where the chain ends and begins was changed";
                Err(misfit(head.number, AuditFault::HeadChanged, detail))
            }
            Some(_) => Ok(()),
        }
    }

    fn begin_after_what_was_forgotten(&mut self, head: &AuditHead, entries: &[AuditRecord]) -> Result<(), AuditMisfit> {
        let begin = Mark {
            number: head.forgotten,
            hash: head.forgotten_hash,
        };
        if self.at.last.number < begin.number {
            if let Some(entry) = entries.iter().find(|entry| entry.number <= begin.number) {
                let detail = "it stands before the beginning of the chain, where entries were forgotten";
                return Err(misfit(entry.number, AuditFault::Outside, detail));
            }
            if let Some(noted) = self.noted.filter(|noted| noted.number < begin.number) {
                let detail = "it was forgotten, since it was older than entries are kept: note a newer one";
                return Err(misfit(noted.number, AuditFault::NotedDiffers, detail));
            }
            self.at.last = begin;
            self.compare_with_noted()?;
        }
        Ok(())
    }

    fn judge(&mut self, entry: &AuditRecord, head: &AuditHead) -> Result<(), AuditMisfit> {
        let (number, last) = (entry.number, self.at.last);
        let wrong = |code, detail: String| Err(misfit(number, code, detail));
        if number > head.number {
            return wrong(
                AuditFault::Outside,
                format!("the chain ends with entry {}", head.number),
            );
        }
        let next = last.number + 1;
        if number != next {
            let detail = format!("{} missing", spelled(next, number.saturating_sub(1).max(next)));
            return Err(misfit(next, AuditFault::Missing, detail));
        }
        match self.chain.hash_of(entry) {
            None => return wrong(AuditFault::UnknownKey, unknown_key(entry.key.as_deref())),
            Some(hash) if hash != entry.hash => {
                return wrong(AuditFault::Changed, "it is not what its hash was made of".to_owned());
            }
            Some(_) => {}
        }
        if entry.before != last.hash {
            let detail = format!("it does not follow entry {} as that stands there", last.number);
            return wrong(AuditFault::Unconnected, detail);
        }
        if entry.key.is_none() && self.at.is_keyed {
            let detail = "it is not keyed, though entries before it are: it was written without an encryption key";
            return wrong(AuditFault::Unkeyed, detail.to_owned());
        }
        self.at = Position {
            last: Mark {
                number,
                hash: entry.hash,
            },
            is_keyed: entry.key.is_some(),
        };
        self.checked += 1;
        self.keyed += u64::from(entry.key.is_some());
        self.compare_with_noted()
    }

    fn compare_with_noted(&self) -> Result<(), AuditMisfit> {
        let last = self.at.last;
        match self
            .noted
            .filter(|noted| noted.number == last.number && noted.hash != last.hash)
        {
            Some(noted) => {
                let detail = format!("its hash is {}, not the one that was noted", hex(&last.hash));
                Err(misfit(noted.number, AuditFault::NotedDiffers, detail))
            }
            None => Ok(()),
        }
    }

    fn end(&self, head: &AuditHead) -> Result<(), AuditMisfit> {
        let last = self.at.last;
        if last.number < head.number {
            let detail = format!("{} missing: the end was cut off", spelled(last.number + 1, head.number));
            return Err(misfit(last.number + 1, AuditFault::Missing, detail));
        }
        if last.hash != head.hash {
            let detail = "it is not the one with which the chain ended";
            return Err(misfit(last.number, AuditFault::HeadChanged, detail));
        }
        if head.key.is_none() && self.at.is_keyed {
            let detail = "where the chain ends is not keyed, though entries are";
            return Err(misfit(head.number, AuditFault::Unkeyed, detail));
        }
        match self.noted.filter(|noted| noted.number > head.number) {
            Some(noted) => {
                let detail = format!(
                    "it was noted, and the chain ends with entry {}: the end was cut off",
                    head.number
                );
                Err(misfit(noted.number, AuditFault::Missing, detail))
            }
            None => Ok(()),
        }
    }
}

fn unknown_key(key: Option<&str>) -> String {
    let key = key.unwrap_or_default();
    format!("nobody can tell: it is keyed with the encryption key `{key}`, which is not configured")
}

#[cfg(test)]
mod tests;
