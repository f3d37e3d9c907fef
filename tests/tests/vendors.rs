//! What the simulated vendors can be made to do in a world: rewrite, be edited, tell the gateway of it.

use std::time::Duration;

use serde_json::json;
use upsert_simulators::{HookTime, Rewrite, Rewrites, Told, Vendor};
use upsert_tests::World;

const SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSBzaW11bGF0b3JzIHRlc3Rz";

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_rewrites_is_edited_and_tells_a_source_that_nobody_has_set_up() {
    let world = World::start().await;
    let wallet = world.vendor(Vendor::AddUpdate);
    let mut hook = world.hook("nobody", SECRET);
    hook.when = HookTime::BeforeAnswer;
    wallet.tell(vec![hook]);
    wallet.rewrites(Rewrites::of([("firstName", Rewrite::Upper)]));

    let body = json!({
        "reference": "ann", "given_name": "Ann", "family_name": "Lee", "email": "ann@x.example", "phone": "2025550123"
    });
    let answered = world.upsert(&body).await;
    assert!(answered.status < 300, "{}", answered.text);
    let id = wallet.id_of(|record| record.fields["firstName"] == "ANN");
    assert_eq!(wallet.edits(&id, &json!({"firstName": "Anna"})).version, 2);

    world.all_told(Duration::from_secs(10)).await;
    let journal = wallet.hooks().journal();
    assert_eq!(journal.iter().map(|it| it.version).collect::<Vec<_>>(), [1, 2]);
    assert!(journal.iter().all(|it| it.told == Told::Refused), "{journal:?}");
}
