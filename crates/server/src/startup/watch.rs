//! Noticing that the configuration's files have changed. Polling sees what notifications of the file system miss:
//! mounts of containers, folders that are swapped by a link.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How the files look from outside: which there are, how long, and from when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Look(BTreeMap<PathBuf, Option<(u64, SystemTime)>>);

impl Look {
    /// Looks at `gateway.toml`, everything in `merchants/`, and the secrets' files. It blocks.
    pub(crate) fn at(folder: &Path, secret_files: &[PathBuf]) -> Self {
        let merchants = fs::read_dir(folder.join("merchants")).into_iter().flatten();
        let merchants = merchants.filter_map(|entry| Some(entry.ok()?.path()));
        let all = merchants
            .chain([folder.join("gateway.toml")])
            .chain(secret_files.iter().cloned());
        Self(
            all.map(|path| {
                let seen = fs::metadata(&path)
                    .ok()
                    .and_then(|metadata| Some((metadata.len(), metadata.modified().ok()?)));
                (path, seen)
            })
            .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_changed_added_or_gone_looks_different() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        let look = || Look::at(folder.path(), std::slice::from_ref(&secret));
        let mut looks = vec![look()];
        fs::write(folder.path().join("gateway.toml"), "").unwrap();
        looks.push(look());
        fs::write(folder.path().join("gateway.toml"), "[server]").unwrap();
        looks.push(look());
        fs::create_dir(folder.path().join("merchants")).unwrap();
        fs::write(folder.path().join("merchants/acme.toml"), "").unwrap();
        looks.push(look());
        fs::write(&secret, "s").unwrap();
        looks.push(look());
        fs::remove_file(folder.path().join("merchants/acme.toml")).unwrap();
        looks.push(look());
        for pair in looks.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
        assert_eq!(look(), look());
    }
}
