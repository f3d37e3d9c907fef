//! A configuration folder of a test's own.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use upsert_settings::{Environment, Problem, Secrets, Settings};

/// A folder that is gone after the test, and the environment it is read in.
pub(crate) struct Folder {
    dir: TempDir,
    pub(crate) environment: Vec<(String, String)>,
}

impl Folder {
    /// With this `gateway.toml`.
    pub(crate) fn new(gateway: &str) -> Self {
        let folder = Self {
            dir: TempDir::new().unwrap(),
            environment: Vec::new(),
        };
        folder.write("gateway.toml", gateway);
        folder
    }

    /// With an empty `gateway.toml` and this one merchant.
    pub(crate) fn with_merchant(merchant: &str) -> Self {
        let folder = Self::new("");
        folder.write("merchants/acme.toml", merchant);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn load(&self) -> Result<Settings, Vec<Problem>> {
        self.load_with(Secrets::Resolve)
    }

    pub(crate) fn load_with(&self, secrets: Secrets) -> Result<Settings, Vec<Problem>> {
        Settings::load(self.path(), &Environment::from_iter(self.environment.clone()), secrets)
    }

    /// The problems as printed, the folder being called `config`.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.problems_or(drop).expect_err("there are problems")
    }

    /// The same, or this of the settings.
    pub(crate) fn problems_or<T>(&self, of: impl FnOnce(Settings) -> T) -> Result<T, Vec<String>> {
        let folder = self.path().display().to_string();
        let printed = |problem: &Problem| problem.to_string().replace(&folder, "config");
        self.load()
            .map(of)
            .map_err(|problems| problems.iter().map(printed).collect())
    }
}
