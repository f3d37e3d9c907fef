//! Reading the folder: every file, every problem, then one value or none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::{fs, io};

use crate::environment::{Environment, Secrets};
use crate::keys::hex_digest;
use crate::layers::{Overrides, layered};
use crate::merchant::{self, Merchant};
use crate::problems::{Location, Problem};
use crate::section::{Reading, Spot};
use crate::settings::{self, Settings};
use crate::tree::{Node, parse};

impl Settings {
    /// Reads and checks the whole configuration in `dir`: `gateway.toml` under the environment's overrides, and each
    /// `merchants/*.toml` (a missing `merchants` folder means none; names that start with a dot are passed over).
    ///
    /// # Errors
    /// Every problem there is, by file and line. It blocks on the file system.
    pub fn load(dir: &Path, environment: &Environment, secrets: Secrets) -> Result<Self, Vec<Problem>> {
        let reading = Reading::new(environment, secrets, dir);
        let files = Files::find(&reading);
        let settings = files.as_ref().and_then(|files| read(&reading, files));
        let mut problems = reading.problems.into_inner();
        let warnings = reading.warnings.into_inner();
        // A great many merchants may share one.
        let mut secret_files = reading.secret_files.into_inner();
        secret_files.sort_unstable();
        secret_files.dedup();
        match (settings, files) {
            (Some(settings), Some(files)) if problems.is_empty() => Ok(Self {
                fingerprint: files.fingerprint(),
                files: files.all.into_iter().map(|file| file.path).collect(),
                secret_files,
                warnings,
                ..settings
            }),
            (_, files) => {
                // In the order of the environment, the files and their lines.
                let names: Vec<Arc<str>> = files.map_or(Vec::new(), |files| {
                    files.all.into_iter().map(|file| file.name).collect()
                });
                let order = |problem: &Problem| names.iter().position(|name| **name == *problem.file);
                problems.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.cmp(b)));
                Err(problems)
            }
        }
    }
}

/// One file as it was read.
struct Source {
    path: PathBuf,
    name: Arc<str>,
    /// `None`: it could not be read, which has been reported.
    text: Option<String>,
}

/// `gateway.toml` first, then the merchants' files by name.
struct Files {
    all: Vec<Source>,
}

impl Files {
    fn find(reading: &Reading<'_>) -> Option<Self> {
        let dir = reading.folder;
        if !dir.is_dir() {
            return refuse(
                reading,
                dir,
                "there is no such folder",
                "make it with a gateway.toml in it, or name another with --config",
            );
        }
        let gateway = dir.join("gateway.toml");
        if !gateway.exists() {
            return refuse(
                reading,
                &gateway,
                "there is no such file",
                "an empty one will do: every setting has a default",
            );
        }
        let mut paths = vec![gateway];
        match merchant_files(&dir.join("merchants")) {
            Ok(merchants) => paths.extend(merchants),
            Err(error) => {
                return refuse(
                    reading,
                    &dir.join("merchants"),
                    &format!("cannot be listed: {error}"),
                    "make it readable for this user",
                );
            }
        }
        let text = |path: PathBuf| Source {
            name: path.display().to_string().into(),
            text: text_of(reading, &path),
            path,
        };
        Some(Self {
            all: paths.into_iter().map(text).collect(),
        })
    }

    fn fingerprint(&self) -> String {
        hex_digest(self.all.iter().flat_map(|file| {
            let name = file.path.file_name().unwrap_or_default().as_encoded_bytes();
            [name, file.text.as_deref().unwrap_or_default().as_bytes()]
        }))
    }
}

fn refuse<T>(reading: &Reading<'_>, path: &Path, message: &str, hint: &str) -> Option<T> {
    reading.report(Problem::new(&Location::whole(path.display().to_string()), "", message).hint(hint));
    None
}

fn merchant_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn text_of(reading: &Reading<'_>, path: &Path) -> Option<String> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            return refuse(
                reading,
                path,
                &format!("cannot be read: {error}"),
                "make it readable for this user",
            );
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = before.split(|byte| *byte == b'\n').count();
            let column = before.rsplit(|byte| *byte == b'\n').next().map_or(0, <[u8]>::len) + 1;
            let at = Location {
                file: path.display().to_string().into(),
                line,
                column,
            };
            reading.report(Problem::new(&at, "", "not UTF-8").hint("save the file as UTF-8"));
            None
        }
    }
}

fn read(reading: &Reading<'_>, files: &Files) -> Option<Settings> {
    let (gateway, merchants) = files.all.split_first()?;
    let documents: Vec<Option<Rc<Node>>> = merchants
        .iter()
        .map(|file| document(reading, file, Overrides::Nothing))
        .collect();
    let merchants = read_merchants(reading, &documents);
    // The ids that documents give, whether or not the rest of them is right.
    let ids: Option<Vec<&str>> = documents
        .iter()
        .map(|document| document.as_ref()?.get("id")?.text())
        .collect();
    let document = document(reading, gateway, Overrides::Environment)?;
    let section = Spot::root(reading, &document).section(settings::MEMBERS)?;
    Settings::read(&section, ids.as_deref(), merchants)
}

/// A file as it counts. Every file is read so.
fn document(reading: &Reading<'_>, file: &Source, overrides: Overrides) -> Option<Rc<Node>> {
    let text = file.text.as_deref()?;
    match parse(&file.name, text) {
        Ok(document) => layered(text, &document, overrides, reading),
        Err(problems) => {
            reading.problems.borrow_mut().extend(problems);
            None
        }
    }
}

fn read_merchants(reading: &Reading<'_>, documents: &[Option<Rc<Node>>]) -> Option<BTreeMap<String, Merchant>> {
    let mut merchants: BTreeMap<String, Merchant> = BTreeMap::new();
    let mut whole = true;
    for document in documents {
        let merchant = document.as_ref().and_then(|document| {
            let section = Spot::root(reading, document).section(merchant::MEMBERS)?;
            Merchant::read(&section, document)
        });
        let Some(merchant) = merchant else {
            whole = false;
            continue;
        };
        if let Some(earlier) = merchants.get(&merchant.id) {
            let message = format!("there is another merchant `{}`", merchant.id);
            reading
                .report(Problem::new(&merchant.location, "id", message).hint(format!("first at {}", earlier.location)));
        } else {
            merchants.insert(merchant.id.clone(), merchant);
        }
    }
    whole.then_some(merchants)
}
