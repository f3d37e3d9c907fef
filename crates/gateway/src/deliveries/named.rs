//! Replay and discard of deliveries that are named.

use std::process::ExitCode;

use serde_json::Value as Json;
use upsert_api::{ListedDelivery, UpsertAnswer};
use upsert_core::DeliveryId;

use super::DoArguments;
use crate::api::Api;
use crate::deed::Deed;
use crate::each::each;

pub(super) async fn run(deed: Deed, arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    each(&arguments.ids, arguments.json, async |id| act(&api, deed, id).await).await
}

/// What the gateway said, and the same for people.
async fn act(api: &Api<'_>, deed: Deed, id: &DeliveryId) -> anyhow::Result<(Json, String)> {
    let path = format!("v1/deliveries/{id}/{}", deed.verb());
    Ok(match deed {
        Deed::Replay => {
            let answer = api.post::<UpsertAnswer>(&path).await?;
            let by = answer.value;
            (answer.raw, format!("{id} replayed by {}: {}", by.upsert_id, by.state))
        }
        Deed::Discard => {
            let answer = api.post::<ListedDelivery>(&path).await?;
            (answer.raw, format!("{id} discarded"))
        }
    })
}
