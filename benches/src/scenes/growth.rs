//! How the gateway does as what it keeps grows: customers, merchants, deliveries that wait. Each size has a gateway and a
//! store of its own, and they take turns; ratios are to the smallest.

mod customers;
mod ground;
mod merchants;
mod tables;
mod waiting;

use std::fmt;
use std::time::Duration;

use crate::drive::{Load, Pace};
use crate::samples::Medians;
use crate::scenes::Stage;
use crate::sheet::Sheet;

/// Requests in flight.
const IN_FLIGHT: usize = 64;

/// How far everything grows.
#[derive(Debug, Clone)]
pub struct Extent {
    /// Customers of one merchant.
    pub customers: Vec<u64>,
    /// Merchants.
    pub merchants: Vec<u64>,
    /// Deliveries that wait at one connection.
    pub waiting: Vec<u64>,
    /// Starts of each size; the table shows medians.
    pub starts: usize,
    /// Rounds of each case.
    pub rounds: usize,
    /// Length of a round at the most.
    pub time: Duration,
    /// Requests of a round at the most: each new customer is one more in the store.
    pub most: u64,
}

impl Extent {
    const fn load(&self) -> Load {
        Load {
            connections: IN_FLIGHT,
            pace: Pace::Closed,
            time: self.time,
            most: self.most,
            tolerant: false,
        }
    }
}

/// What one size gave.
#[derive(Debug, Clone)]
pub struct Grown {
    /// How many.
    pub size: u64,
    /// Milliseconds from a start to the first answer.
    pub started: f64,
    /// Seconds from then until it has nothing left to do by itself; none: it never has.
    pub quiet: Option<f64>,
    /// Its share of one core while nobody asks anything.
    pub busy_at_rest: f64,
    /// Bytes in RAM then.
    pub at_rest: f64,
    /// Bytes of the store's file.
    pub file: u64,
    /// New customers.
    pub new: Medians,
    /// Known customers with one field changed.
    pub changed: Option<Medians>,
    /// What waited, let go.
    pub released: Option<Released>,
}

/// How fast what waited is brought to the vendor.
#[derive(Debug, Clone, Copy)]
pub struct Released {
    /// Deliveries a second.
    pub rate: f64,
    /// CPU time of the gateway a delivery, in microseconds.
    pub cpu: f64,
}

/// All that has grown, each from the smallest to the greatest.
#[derive(Debug, Default)]
pub struct Growth {
    /// Customers.
    pub customers: Vec<Grown>,
    /// Merchants.
    pub merchants: Vec<Grown>,
    /// Deliveries that wait.
    pub waiting: Vec<Grown>,
    /// The most customers and the most merchants at once: milliseconds to the first answer.
    pub all_at_once: Option<f64>,
}

impl Growth {
    /// What a figure is at this size in multiples of what it is at the smallest.
    pub fn ratio(grown: &[Grown], size: u64, figure: impl Fn(&Grown) -> f64) -> Option<f64> {
        let at = grown.iter().find(|grown| grown.size == size)?;
        Some(figure(at) / figure(grown.first()?))
    }
}

/// Plays it; `show` is given the tables of each part when it is over.
///
/// # Errors
/// A gateway does not start or answers wrongly, or the disk has no room.
pub async fn play(stage: &Stage<'_>, extent: &Extent, mut show: impl FnMut(Sheet)) -> anyhow::Result<Growth> {
    let mut growth = Growth::default();
    let files = stage.folder.join("files-of-merchants");
    growth.merchants = merchants::play(stage, extent, &files).await?;
    show(tables::merchants(&growth.merchants, extent));
    (growth.customers, growth.all_at_once) = customers::play(stage, extent, Some(&files)).await?;
    tables::customers(&growth, extent).into_iter().for_each(&mut show);
    growth.waiting = waiting::play(stage, extent).await?;
    tables::waiting(&growth.waiting, extent).into_iter().for_each(&mut show);
    Ok(growth)
}

/// A size as people write it.
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    pub(crate) use super::tables::tests::grown;
    use super::*;

    #[test]
    fn sizes_have_their_thousands_apart() {
        let sizes = [1, 999, 1_000, 100_000, 10_000_000].map(|size| Size(size).to_string());
        assert_eq!(sizes, ["1", "999", "1,000", "100,000", "10,000,000"]);
    }
}
