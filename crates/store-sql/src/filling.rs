//! A page that is being filled, row by row, from where the last one ended.

/// A page of `T`, by ids `I`.
pub(crate) struct Filling<I, T> {
    pub(crate) entries: Vec<T>,
    most: usize,
    most_looked_at: usize,
    looked_at: usize,
    last: Option<I>,
    last_entry: Option<I>,
    next: Option<I>,
}

impl<I: Copy, T> Filling<I, T> {
    /// Of so many entries, for which so many rows are looked at, but never fewer than there may be entries.
    pub(crate) fn new(most: usize, most_looked_at: usize) -> Self {
        Self {
            entries: Vec::new(),
            most,
            most_looked_at: most_looked_at.max(most),
            looked_at: 0,
            last: None,
            last_entry: None,
            next: None,
        }
    }

    /// The next one that was looked at, where it is wanted. Whether to go on.
    pub(crate) fn take(&mut self, id: I, found: Option<T>) -> bool {
        if found.is_some() && self.entries.len() == self.most {
            self.next = self.last_entry;
            return false;
        }
        if self.looked_at == self.most_looked_at {
            self.next = self.last;
            return false;
        }
        self.looked_at += 1;
        self.last = Some(id);
        if found.is_some() {
            self.last_entry = self.last;
        }
        self.entries.extend(found);
        true
    }

    /// The entries, and after which id the next page begins; none: nothing that is wanted is left.
    pub(crate) fn done(self) -> (Vec<T>, Option<I>) {
        (self.entries, self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found of ten ids by looking at four a page, and where the next page begins.
    fn page(wanted: &[u128], most: usize, before: Option<u128>) -> (Vec<u128>, Option<u128>) {
        let mut filling = Filling::new(most, 4);
        for id in (1..before.unwrap_or(11)).rev() {
            if !filling.take(id, Some(id).filter(|id| wanted.contains(id))) {
                break;
            }
        }
        filling.done()
    }

    #[test]
    fn a_page_ends_when_it_is_full_when_enough_was_looked_at_or_with_the_last_id() {
        assert_eq!(page(&[9, 8, 7], 2, None), (vec![9, 8], Some(8)));
        assert_eq!(
            page(&[9, 3], 2, None),
            (vec![9], Some(7)),
            "it goes on where nobody looked"
        );
        assert_eq!(page(&[3], 1, None), (vec![], Some(7)));
        assert_eq!(page(&[3], 1, Some(7)), (vec![3], Some(3)));
        assert_eq!(page(&[3], 1, Some(3)), (vec![], None));
        assert_eq!(page(&[3, 2], 1, Some(7)), (vec![3], Some(3)));
        assert_eq!(
            page(&[], 9, None),
            (vec![], Some(2)),
            "as many as may be on the page are looked at"
        );
        assert_eq!(
            page(&[3, 2], 2, Some(4)),
            (vec![3, 2], None),
            "a full page with nothing below it is the last"
        );
    }
}
