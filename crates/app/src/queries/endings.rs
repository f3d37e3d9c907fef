//! How deliveries have ended since the start.

use crate::queries::Queries;
use crate::runtime::counters::Endings;

impl Queries {
    /// How many deliveries have ended how since the start, by merchant and connection. Those without any are left out.
    pub fn endings(&self) -> Vec<(String, String, Endings)> {
        self.context.counters.endings()
    }
}
