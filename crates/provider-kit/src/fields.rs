//! Rows of the table of fields.

use upsert_core::{Field, FieldMap};

/// A field that the vendor takes and shows.
pub const fn shown(field: Field, vendor_field: &'static str) -> FieldMap {
    FieldMap {
        field,
        vendor_field,
        required: false,
        soft_limit: None,
        readable: true,
    }
}

/// One that it asks for too.
pub const fn required(field: Field, vendor_field: &'static str) -> FieldMap {
    FieldMap {
        required: true,
        ..shown(field, vendor_field)
    }
}

/// One that it takes and never shows.
pub const fn hidden(field: Field, vendor_field: &'static str) -> FieldMap {
    FieldMap {
        readable: false,
        ..shown(field, vendor_field)
    }
}

/// The same, of which it may keep only so many characters.
pub const fn up_to(chars: usize, map: &FieldMap) -> FieldMap {
    FieldMap {
        soft_limit: Some(chars),
        ..*map
    }
}
