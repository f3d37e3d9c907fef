//! Faults on demand: how often, with which odds and for which requests something goes wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::effects::Effect;

/// Which requests a fault is for: those that meet every member that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Only {
    /// The HTTP method, such as `POST`.
    #[serde(default)]
    pub method: Option<String>,
    /// A part of path and query.
    #[serde(default)]
    pub path: Option<String>,
}

/// One fault with its count and odds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub effect: Effect,
    /// How often; without it, for ever.
    #[serde(default)]
    pub times: Option<u32>,
    /// 0 to 1: how likely it strikes a matching request (default 1). One it spares does not count.
    #[serde(default = "certain")]
    pub probability: f64,
    /// Which requests (default all).
    #[serde(default)]
    pub only: Only,
}

fn certain() -> f64 {
    1.0
}

impl Fault {
    /// Strikes every request until it is cleared.
    pub fn always(effect: Effect) -> Self {
        Self {
            effect,
            times: None,
            probability: certain(),
            only: Only::default(),
        }
    }

    /// Strikes the next so many requests.
    pub fn times(times: u32, effect: Effect) -> Self {
        Self {
            times: Some(times),
            ..Self::always(effect)
        }
    }

    /// Strikes the next request.
    pub fn once(effect: Effect) -> Self {
        Self::times(1, effect)
    }

    /// With these odds, 0 to 1.
    #[must_use]
    pub fn probability(self, probability: f64) -> Self {
        Self { probability, ..self }
    }

    /// For requests with this method and this part of path and query.
    #[must_use]
    pub fn only(self, method: &str, path: &str) -> Self {
        Self {
            only: Only {
                method: Some(method.to_owned()),
                path: Some(path.to_owned()),
            },
            ..self
        }
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.times != Some(0)
            && self
                .only
                .method
                .as_deref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.only.path.as_deref().is_none_or(|part| path.contains(part))
    }
}

/// The faults of one simulator, in order: of several that match a request the first strikes, delays all of them.
pub struct Faults {
    armed: AtomicBool,
    plan: Mutex<Plan>,
}

struct Plan {
    faults: Vec<Fault>,
    dice: StdRng,
}

/// What was drawn for one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) delay: Duration,
    pub(crate) effect: Option<Effect>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        let plan = Plan {
            faults: Vec::new(),
            dice: StdRng::seed_from_u64(seed),
        };
        Self {
            armed: AtomicBool::new(false),
            plan: Mutex::new(plan),
        }
    }

    /// Puts these in place of all.
    pub fn set(&self, faults: Vec<Fault>) {
        let mut plan = self.plan();
        plan.faults = faults;
        self.armed.store(!plan.faults.is_empty(), Ordering::Release);
    }

    /// Adds one behind the others.
    pub fn add(&self, fault: Fault) {
        self.plan().faults.push(fault);
        self.armed.store(true, Ordering::Release);
    }

    /// Takes all away. The dice go on where they are.
    pub fn clear(&self) {
        self.set(Vec::new());
    }

    /// What is still to come: used-up faults are gone, `times` is what is left.
    pub fn list(&self) -> Vec<Fault> {
        self.plan().faults.clone()
    }

    /// Draws for a request.
    pub(crate) fn draw(&self, method: &str, path: &str) -> Drawn {
        let mut drawn = Drawn::default();
        // A request under load pays one load for faults that nobody asked for.
        if !self.armed.load(Ordering::Acquire) {
            return drawn;
        }
        let Plan { faults, dice } = &mut *self.plan();
        for fault in faults.iter_mut().filter(|fault| fault.matches(method, path)) {
            let delays = matches!(fault.effect, Effect::Delay { .. });
            if (drawn.effect.is_some() && !delays) || !dice.random_bool(fault.probability.clamp(0.0, 1.0)) {
                continue;
            }
            fault.times = fault.times.map(|left| left - 1);
            match &fault.effect {
                Effect::Delay { millis } => drawn.delay += Duration::from_millis(*millis),
                effect => drawn.effect = Some(effect.clone()),
            }
        }
        faults.retain(|fault| fault.times != Some(0));
        drawn
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::{Drawn, Fault, Faults};
    use crate::effects::{Answer, Cut, Effect};

    #[test]
    fn the_first_matching_fault_strikes_and_delays_add_up() {
        let faults = Faults::new(1);
        faults.set(vec![
            Fault::once(Effect::Delay { millis: 5 }),
            Fault::once(Effect::Cut { at: Cut::AfterWrite }).only("GET", "/customers"),
            Fault::once(Effect::Answer(Answer::new(503))),
            Fault::once(Effect::Garbage),
            Fault::once(Effect::Delay { millis: 7 }),
        ]);
        let first = faults.draw("POST", "/customers");
        assert_eq!(first.effect, Some(Effect::Answer(Answer::new(503))));
        assert_eq!(first.delay.as_millis(), 12);
        assert_eq!(faults.draw("POST", "/customers").effect, Some(Effect::Garbage));
        assert_eq!(faults.draw("POST", "/customers"), Drawn::default());
        assert_eq!(faults.list().len(), 1, "the cut still waits for its GET");
    }

    #[test]
    fn the_same_seed_throws_the_same_dice() {
        let throw = |seed| {
            let faults = Faults::new(seed);
            faults.add(Fault::always(Effect::Garbage).probability(0.3));
            (0..200)
                .map(|_| faults.draw("POST", "/").effect.is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(throw(7), throw(7));
        assert_ne!(throw(7), throw(8));
        let hits = throw(7).into_iter().filter(|hit| *hit).count();
        assert!((30..=90).contains(&hits), "{hits} of 200 at 0.3");
    }

    #[test]
    fn an_unknown_member_of_a_fault_is_refused() {
        let refused = |text: &str| serde_json::from_str::<Fault>(text).is_err();
        assert!(refused(r#"{"effect":{"kind":"garbage"},"time":2}"#));
        assert!(refused(r#"{"effect":{"kind":"answer","status":500,"retry":1}}"#));
        assert!(!refused(r#"{"effect":{"kind":"answer","status":500},"times":2}"#));
    }
}
