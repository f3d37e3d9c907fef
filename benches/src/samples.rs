//! What a round gave, and what several rounds give together.

/// What one round of one case gave.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Requests that were answered.
    pub requests: f64,
    /// Requests a second.
    pub rate: f64,
    /// Latencies in microseconds: the median, and what 99 in 100 keep.
    pub p50: f64,
    /// See `p50`.
    pub p99: f64,
    /// CPU time of the program, in microseconds.
    pub cpu: f64,
    /// Its share of one core.
    pub busy: f64,
    /// Share of one core that the generator and the vendor took.
    pub load_busy: f64,
    /// Memory of the program at the end of the round, in bytes.
    pub memory: f64,
}

/// Medians over the rounds.
#[derive(Debug, Clone, Copy)]
pub struct Medians {
    /// Requests a second.
    pub rate: f64,
    /// Microseconds.
    pub p50: f64,
    /// Microseconds.
    pub p99: f64,
    /// CPU time a request in microseconds: no median but that of all rounds together, since the kernel counts in hundredths
    /// of a second and a round at a low rate uses few of them.
    pub cpu: f64,
    /// Share of one core.
    pub busy: f64,
    /// Share of one core that the load took.
    pub load_busy: f64,
    /// Bytes.
    pub memory: f64,
}

impl Medians {
    /// None without a round.
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let of = |value: fn(&Sample) -> f64| median(samples.iter().map(value).collect());
        let total = |value: fn(&Sample) -> f64| samples.iter().map(value).sum::<f64>();
        (!samples.is_empty()).then(|| Self {
            rate: of(|sample| sample.rate),
            p50: of(|sample| sample.p50),
            p99: of(|sample| sample.p99),
            cpu: total(|sample| sample.cpu) / total(|sample| sample.requests),
            busy: of(|sample| sample.busy),
            load_busy: of(|sample| sample.load_busy),
            memory: of(|sample| sample.memory),
        })
    }
}

/// The middle one; of an even number the lower of the two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(f64::NAN)
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds far below 2^53")]
pub fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
pub(crate) fn sample(rate: f64, cpu: f64) -> Sample {
    Sample {
        requests: 1.0,
        rate,
        p50: 1_000.0,
        p99: 2_000.0,
        cpu,
        busy: 1.0,
        load_busy: 0.5,
        memory: 1e7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn cpu_is_that_of_all_rounds_together() {
        let none = sample(400.0, 0.0);
        let tick = Sample {
            requests: 3.0,
            ..sample(400.0, 10_000.0)
        };
        let medians = Medians::of(&[none, tick]).unwrap();
        assert!((medians.cpu - 2_500.0).abs() < f64::EPSILON);
        assert!(Medians::of(&[]).is_none());
    }
}
