//! Incidents, for whoever was not there.

use upsert_api::{Incident, IncidentFilter, ListedIncident, Page, PageQuery, Visibility};
use upsert_core::IncidentId;
use upsert_store::IncidentRecord;

use crate::incidents::touched::touched;
use crate::problem::Refusal;
use crate::queries::page::{begins, shown_page};
use crate::queries::{Merchants, Queries};
use crate::view::incident::{listed_incident, whole_incident};

impl Queries {
    /// Incidents, newest first.
    ///
    /// # Errors
    /// 400 for a cursor that cannot be read.
    pub async fn list_incidents(
        &self,
        filter: &IncidentFilter,
        page: &PageQuery,
    ) -> Result<Page<ListedIncident>, Refusal> {
        let before = begins(page, IncidentId::from_uuid)?;
        let one_more = page.limit.saturating_add(1);
        let mut found = self.context.store.incidents(filter, before, one_more).await?;
        let goes_on = found.len() > page.limit;
        found.truncate(page.limit);
        let next = found.last().filter(|_| goes_on).map(|last| *last.id.as_uuid());
        Ok(shown_page(found.iter().map(listed_incident), next.as_ref()))
    }

    /// One incident. `merchants`: whose may be seen; none: all. `visibility`: how much of the vendor's words.
    ///
    /// # Errors
    /// 404.
    pub async fn get_incident(
        &self,
        merchants: Merchants<'_>,
        id: IncidentId,
        visibility: Visibility,
    ) -> Result<Incident, Refusal> {
        let incident = self.visible_incident(merchants, id).await?;
        let now = self.context.clock.now();
        let counted = match incident.touched() {
            Some(counted) => counted.clone(),
            None => touched(&self.context.store, &incident, now).await?,
        };
        let directory = self.context.directory_with(&incident.merchant).await?;
        let connection = directory.connection(&incident.merchant, &incident.connection);
        let vendor = connection.map_or(&*incident.connection, |connection| {
            connection.adapter.info().capabilities.title
        });
        Ok(visibility.show(whole_incident(&incident, counted, vendor)))
    }

    async fn visible_incident(&self, merchants: Merchants<'_>, id: IncidentId) -> Result<IncidentRecord, Refusal> {
        for merchant in self.context.merchants_of(id.mark(), merchants).await? {
            if let Some(incident) = self.context.store.incident(&merchant, id).await? {
                return Ok(incident);
            }
        }
        Err(Refusal::not_found("incident"))
    }
}
