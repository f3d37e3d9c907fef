//! Which vendors there are. This is the only file of the code that names them.

use upsert_provider_add_update::AddUpdate;
use upsert_provider_april::April;
use upsert_provider_kit::Registry;
use upsert_provider_rotor::Rotor;

/// Every provider. A new vendor is a crate of its own, a line in this crate's `Cargo.toml`, and one line here.
pub fn registry() -> Registry {
    Registry::new().with::<Rotor>().with::<AddUpdate>().with::<April>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendor_is_there_under_its_name() {
        let registry = registry();
        let names: Vec<&str> = registry.describe().map(|provider| provider.kind).collect();
        assert_eq!(names, ["add-update", "april", "rotor"]);
    }
}
