//! What vendors hold.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Customer;

/// A vendor's record in our words.
#[derive(Debug, Serialize, ToSchema)]
pub struct VendorCustomer {
    /// The vendor's id; null where the record has none that can be understood.
    pub provider_customer_id: Option<String>,
    /// What could be read.
    pub customer: Customer,
    /// Fields that the vendor takes but does not show, or not so that they can be understood.
    pub unreadable: Vec<Unreadable>,
    /// What has no home in our words, in the vendor's own members.
    #[schema(value_type = Object, additional_properties = true)]
    pub vendor_fields: Map<String, Value>,
    /// Our customer that is linked to it.
    pub linked_customer_id: Option<String>,
}

/// A field that cannot be read.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unreadable {
    /// JSON Pointer of our field; `/provider_customer_id` for the vendor's id, empty for the whole record.
    pub pointer: String,
    /// What the vendor shows in its place; null: nothing.
    pub value: Value,
}

/// A page of a vendor's records.
#[derive(Debug, Serialize, ToSchema)]
pub struct VendorCustomerPage {
    /// In the vendor's order.
    pub data: Vec<VendorCustomer>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
    /// What the page says beside its records, such as their total, in the vendor's own members.
    #[schema(value_type = Object, additional_properties = true)]
    pub vendor_fields: Map<String, Value>,
}
