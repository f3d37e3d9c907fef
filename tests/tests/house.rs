//! The shape of each crate from within: which file may know which, and how long files and functions may be.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// Files that are longer than [`LONGEST_FILE`], each with why. A file that has become shorter has to leave the list.
const LONG_FILES: &[(&str, &str)] = &[
    ("crates/app/src/delivery/claim.rs", "one claim, from the look at the lane to the attempt that is durable"),
    ("crates/app/src/delivery/record.rs", "one result, with everything that it teaches the lane"),
    ("crates/app/src/planning/plan.rs", "one plan: what differs, what is refused, what is warned of"),
    ("crates/app/src/upsert/draft.rs", "one changeset, drawn up row by row"),
    ("crates/store-sql/src/sqlite.rs", "the whole trait of the store, a call each"),
    ("crates/store/src/records.rs", "every record; to be split by aggregate"),
];
const LONGEST_FILE: usize = 400;

/// Functions that are longer than [`LONGEST_FUNCTION`], each with why.
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[];
const LONGEST_FUNCTION: usize = 50;

/// In `app` a folder knows those before it, and none after it.
const APP: [&str; 13] = [
    "strict_json", "problem", "directory", "runtime", "context", "planning", "view", "outbox", "delivery", "upsert",
    "inbox", "queries", "operations",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// One file of a crate, without its tests.
struct Source {
    /// The modules that lead to it: `delivery::claim`.
    module: Vec<String>,
    path: PathBuf,
    syntax: syn::File,
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

fn sources(folder: &Path) -> Vec<Source> {
    fn walk(folder: &Path, module: &[String], found: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                let inner: Vec<String> = module.iter().cloned().chain([name]).collect();
                walk(&path, &inner, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests" {
                let is_root = module.is_empty() && (name == "lib" || name == "main");
                let own = (!is_root).then_some(name);
                let mut syntax = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
                syntax.items.retain(|item| match item {
                    syn::Item::Mod(inner) => !is_for_tests(&inner.attrs),
                    syn::Item::Impl(inner) => !is_for_tests(&inner.attrs),
                    syn::Item::Fn(inner) => !is_for_tests(&inner.attrs),
                    syn::Item::Use(inner) => !is_for_tests(&inner.attrs),
                    _ => true,
                });
                let module = module.iter().cloned().chain(own).collect();
                found.push(Source { module, path, syntax });
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, &[], &mut found);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// Every crate of the program, and the chaos run.
fn crates() -> Vec<(String, Vec<Source>)> {
    let mut all: Vec<PathBuf> = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.push(root().join("chaos"));
    all.sort();
    let named = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, sources(&path.join("src")))
    };
    all.into_iter().map(named).collect()
}

/// What a file names of its own crate: paths that begin with `crate` or `super`, wherever they stand, and methods.
#[derive(Default)]
struct Named {
    /// The modules that the file is in.
    of: Vec<String>,
    paths: BTreeSet<Vec<String>>,
    methods: BTreeSet<String>,
}

impl Named {
    fn add(&mut self, path: &[String]) {
        let ups = path.iter().take_while(|part| *part == "super").count();
        match path.first().map(String::as_str) {
            Some("crate") => drop(self.paths.insert(path[1..].to_vec())),
            Some("super") if ups <= self.of.len() => {
                let above = &self.of[..self.of.len() - ups];
                self.paths.insert(above.iter().chain(&path[ups..]).cloned().collect());
            }
            _ => {}
        }
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| -> Vec<String> { before.iter().cloned().chain([name.to_string()]).collect() };
        match tree {
            syn::UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.add(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.add(before),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(before, item)),
        }
    }
}

impl<'s> Visit<'s> for Named {
    fn visit_item_use(&mut self, item: &'s syn::ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'s syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&parts);
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'s syn::ExprMethodCall) {
        self.methods.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }
}

/// By method: the one file that has it, of those types that have methods in more than one file. Whoever calls it knows that
/// file, though no import says so.
fn methods_of_spread_types(sources: &[Source]) -> BTreeMap<String, usize> {
    let mut by_type: BTreeMap<String, BTreeMap<usize, Vec<String>>> = BTreeMap::new();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for (file, source) in sources.iter().enumerate() {
        for item in &source.syntax.items {
            let syn::Item::Impl(block) = item else { continue };
            let names = block.items.iter().filter_map(|item| match item {
                syn::ImplItem::Fn(function) => Some(function.sig.ident.to_string()),
                _ => None,
            });
            let names: Vec<String> = names.collect();
            for name in &names {
                *count.entry(name.clone()).or_default() += 1;
            }
            if let (None, syn::Type::Path(of)) = (&block.trait_, &*block.self_ty) {
                let of = of.path.segments.last().unwrap().ident.to_string();
                by_type.entry(of).or_default().entry(file).or_default().extend(names);
            }
        }
    }
    let spread = by_type.into_values().filter(|files| files.len() > 1).flatten();
    let methods = spread.flat_map(|(file, names)| names.into_iter().map(move |name| (name, file)));
    // A name that several types have says nothing of which one is meant.
    methods.filter(|(name, _)| count[name] == 1).collect()
}

/// Which file knows which.
fn arrows(sources: &[Source]) -> Vec<BTreeSet<usize>> {
    let modules: BTreeMap<&[String], usize> =
        sources.iter().enumerate().map(|(file, source)| (source.module.as_slice(), file)).collect();
    let methods = methods_of_spread_types(sources);
    let knows = |file: usize, source: &Source| {
        let mut named = Named { of: source.module.clone(), ..Named::default() };
        named.visit_file(&source.syntax);
        let by_path = named.paths.iter().filter_map(|path| {
            // The longest part of it that is a file; what is only the crate's root is its list of modules.
            (1..=path.len()).rev().find_map(|length| modules.get(&path[..length]).copied())
        });
        let by_method = named.methods.iter().filter_map(|name| methods.get(name).copied());
        by_path.chain(by_method).filter(|other| *other != file).collect::<BTreeSet<usize>>()
    };
    sources.iter().enumerate().map(|(file, source)| knows(file, source)).collect()
}

/// Everything that is reached from a file.
fn reached(from: usize, arrows: &[BTreeSet<usize>]) -> BTreeSet<usize> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        for other in &arrows[file] {
            if seen.insert(*other) {
                next.push(*other);
            }
        }
    }
    seen
}

/// Files that reach each other, where there are more than two.
fn circles(arrows: &[BTreeSet<usize>]) -> BTreeSet<Vec<usize>> {
    let reached: Vec<BTreeSet<usize>> = (0..arrows.len()).map(|file| reached(file, arrows)).collect();
    let circle = |file: usize| -> Vec<usize> {
        (0..arrows.len()).filter(|other| reached[file].contains(other) && reached[*other].contains(&file)).collect()
    };
    (0..arrows.len()).map(circle).filter(|circle| circle.len() > 2).collect()
}

#[test]
fn no_crate_has_a_circle_of_more_than_two_files() {
    for (name, sources) in crates() {
        let arrows = arrows(&sources);
        let shown = |file: &usize| sources[*file].module.join("::");
        for circle in circles(&arrows) {
            let files: Vec<String> = circle.iter().map(shown).collect();
            panic!("{name} has a circle: {}", files.join(", "));
        }
        let known: usize = arrows.iter().map(BTreeSet::len).sum();
        assert!(sources.len() < 4 || known >= sources.len() / 2, "{name}: hardly any arrow is seen");
    }
}

#[test]
fn a_circle_is_seen_through_imports_paths_and_methods() {
    let source = |module: &str, text: &str| Source {
        module: module.split("::").map(str::to_owned).collect(),
        path: PathBuf::new(),
        syntax: syn::parse_file(text).unwrap(),
    };
    let through = |third: &str| {
        let sources = [
            source("a", "use crate::b::c::D; pub struct T; impl T { pub fn first(&self) {} }"),
            source("b::c", "pub struct D; fn f() { super::super::e::g() }"),
            source("e", third),
        ];
        circles(&arrows(&sources)).len()
    };
    assert_eq!(through("pub fn g() {}"), 0);
    assert_eq!(through("use crate::{a::T}; pub fn g() {}"), 1);
    assert_eq!(through("pub fn g() { crate::a::h() }"), 1);
    assert_eq!(through("use x::T; impl T { pub fn other(&self) { self.first() } } pub fn g() {}"), 1);
    assert_eq!(through("#[cfg(test)] mod tests { use crate::a::T; } pub fn g() {}"), 1, "as long as nobody takes it out");
}

#[test]
fn a_folder_of_the_use_cases_knows_only_those_before_it() {
    let all = crates();
    let (_, sources) = all.iter().find(|(name, _)| name == "app").unwrap();
    let rank = |file: usize| {
        let folder = sources[file].module.first().map(String::as_str);
        match folder {
            None => APP.len() + 1,
            Some("gateway") => APP.len(),
            Some(folder) => APP.iter().position(|name| *name == folder).unwrap_or_else(|| panic!("{folder} has no rank")),
        }
    };
    let mut seen = 0;
    for (file, knows) in arrows(sources).iter().enumerate() {
        for other in knows {
            let shown = |file: usize| sources[file].module.join("::");
            assert!(rank(*other) <= rank(file), "{} knows {}", shown(file), shown(*other));
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} arrows are seen");
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn files_are_short_but_for_those_that_are_named() {
    let mut long = BTreeSet::new();
    for (_, sources) in crates() {
        for source in sources {
            let text = fs::read_to_string(&source.path).unwrap();
            let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
            if lines > LONGEST_FILE && !relative(&source.path).contains("testkit") {
                long.insert(relative(&source.path));
            }
        }
    }
    let named: BTreeSet<String> = LONG_FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(long, named, "files of more than {LONGEST_FILE} lines");
}

/// Functions with their length, from the line of their name to that of their last brace.
struct Lengths(Vec<(String, usize)>);

impl Lengths {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line - signature.span().start().line + 1;
        self.0.push((signature.ident.to_string(), lines));
    }
}

impl<'s> Visit<'s> for Lengths {
    fn visit_item_fn(&mut self, function: &'s syn::ItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'s syn::ImplItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'s syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.add(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[test]
fn functions_are_short_but_for_those_that_are_named() {
    let mut long = BTreeSet::new();
    let mut all = 0;
    for (name, sources) in crates() {
        // Suites of contracts are tests.
        for source in sources.iter().filter(|_| name != "testkit") {
            let mut lengths = Lengths(Vec::new());
            lengths.visit_file(&source.syntax);
            all += lengths.0.len();
            let too_long = lengths.0.into_iter().filter(|(_, lines)| *lines > LONGEST_FUNCTION);
            long.extend(too_long.map(|(function, _)| (relative(&source.path), function)));
        }
    }
    assert!(all > 2_000, "{all} functions are seen");
    let named = LONG_FUNCTIONS.iter().map(|(path, function, _)| ((*path).to_owned(), (*function).to_owned()));
    assert_eq!(long, named.collect(), "functions of more than {LONGEST_FUNCTION} lines");
}
