//! What vendors hold.

use serde::Serialize;
use utoipa::ToSchema;

use super::Customer;

/// A vendor's record in our words.
#[derive(Debug, Serialize, ToSchema)]
pub struct VendorCustomer {
    /// The vendor's id.
    pub provider_customer_id: String,
    /// What could be read.
    pub customer: Customer,
    /// Pointers of fields that the vendor takes but does not show, or not so that they can be understood.
    pub unreadable: Vec<String>,
    /// Our customer that is linked to it.
    pub linked_customer_id: Option<String>,
}

/// A page of a vendor's records.
#[derive(Debug, Serialize, ToSchema)]
pub struct VendorCustomerPage {
    /// In the vendor's order.
    pub data: Vec<VendorCustomer>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}
