//! What vendors hold.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use upsert_core::{CustomerId, Unreadable};

/// A vendor's record in our words. (No `Debug`, here and below: it is about a person.)
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VendorCustomer {
    /// The vendor's id; null where the record has none that can be understood.
    pub provider_customer_id: Option<String>,
    /// What could be read; what could not is not there.
    #[schema(value_type = crate::Customer)]
    pub customer: upsert_core::Customer,
    /// Fields that the vendor takes but does not show, or not so that they can be understood. Their pointers are of our
    /// fields; `/provider_customer_id` for the vendor's id, empty for the whole record.
    pub unreadable: Vec<Unreadable>,
    /// What has no home in our words, in the vendor's own members.
    #[schema(value_type = Object, additional_properties = true)]
    pub vendor_fields: Map<String, Json>,
    /// Our customer that is linked to it.
    pub linked_customer_id: Option<CustomerId>,
}

/// A page of a vendor's records.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VendorCustomerPage {
    /// In the vendor's order.
    pub data: Vec<VendorCustomer>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// What the page says beside its records, such as their total, in the vendor's own members.
    #[schema(value_type = Object, additional_properties = true)]
    pub vendor_fields: Map<String, Json>,
}
