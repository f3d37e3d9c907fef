//! The retry budget.

use tokio::time::advance;

use upsert_policy::RetryBudget;

use crate::scripted::secs;

fn taken(budget: &RetryBudget) -> u32 {
    (0..1_000).map(|_| u32::from(budget.take())).sum()
}

#[tokio::test(start_paused = true)]
async fn retries_are_a_fifth_of_the_calls_and_three_more() {
    let budget = RetryBudget::default();
    assert_eq!(taken(&budget), 3);
    (0..100).for_each(|_| budget.called());
    assert_eq!(taken(&budget), 20);
    assert!(!budget.take());
}

#[tokio::test(start_paused = true)]
async fn the_budget_comes_back_with_the_next_window() {
    let budget = RetryBudget::default();
    (0..50).for_each(|_| budget.called());
    assert_eq!(taken(&budget), 13);
    advance(secs(11)).await;
    assert_eq!(taken(&budget), 3, "the calls of the last window widen it no more");
}
