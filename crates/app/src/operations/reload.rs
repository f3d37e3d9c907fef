//! Taking over another configuration.

use std::sync::Arc;

use crate::directory::merchant::Directory;
use crate::operations::Operations;
use crate::runtime::metrics;
use crate::runtime::wakeups::Reach;

impl Operations {
    /// Replaces the merchants at once; requests that are under way keep what they had. Pauses by the vendor are lifted
    /// where credentials or configuration changed.
    pub fn replace_directory(&self, directory: Directory) {
        metrics::begin_at_zero(&directory);
        let before = self.context.directory.swap(Arc::new(directory));
        self.retire_what_is_gone(&before);
        self.release_new_connections(&before);
        let wing = self.clone();
        self.context.spawn(async move {
            if let Err(error) = wing.deliveries.load_connections().await {
                tracing::error!(%error, "pauses could not be looked through after a reload");
            }
        });
    }

    /// What was removed or configured anew sends nothing more. A merchant in the store that a file stands in front of from now
    /// on is built anew once the file is gone.
    fn retire_what_is_gone(&self, before: &Directory) {
        let directory = self.context.directory();
        for merchant in before.iter() {
            merchant.retire(directory.get(&merchant.id).as_deref());
            if directory.is_in_file(&merchant.id) && !before.is_in_file(&merchant.id) {
                directory.stored().forget(&merchant.id);
            }
            if before.is_in_file(&merchant.id) && !directory.is_in_file(&merchant.id) {
                self.look_for_it_in_the_store(merchant.id.clone());
            }
        }
    }

    /// No file has it any more: the store may.
    fn look_for_it_in_the_store(&self, id: String) {
        let wing = self.clone();
        self.context.spawn(async move { wing.uncover(&id).await });
    }

    /// What waited for a connection that was not configured has somewhere to go now.
    fn release_new_connections(&self, before: &Directory) {
        for merchant in self.context.directory().iter() {
            let earlier = before.get(&merchant.id);
            let is_new = |name: &str| {
                earlier
                    .as_ref()
                    .is_none_or(|earlier| earlier.connection(name).is_none())
            };
            let connections = merchant.connections.iter();
            for connection in connections.filter(|connection| is_new(&connection.name)) {
                self.context.wake_connection(&merchant.id, &connection.name, Reach::All);
            }
        }
    }
}
