//! Which file of a crate may know which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use super::root;

/// In `app` a folder knows those before it, and none after it.
const APP: [&str; 16] = [
    "problem",
    "strict_json",
    "directory",
    "runtime",
    "audit",
    "context",
    "sessions",
    "planning",
    "view",
    "outbox",
    "incidents",
    "delivery",
    "upsert",
    "inbox",
    "queries",
    "operations",
];

/// One file of a crate, without its tests.
pub(super) struct Source {
    /// The modules that lead to it: `delivery::claim`.
    module: Vec<String>,
    pub(super) path: PathBuf,
    pub(super) syntax: syn::File,
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

fn sources(folder: &Path) -> Vec<Source> {
    fn walk(folder: &Path, module: &[String], found: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if name == "tests" {
                continue;
            }
            if path.is_dir() {
                let inner: Vec<String> = module.iter().cloned().chain([name]).collect();
                walk(&path, &inner, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
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
pub(super) fn crates() -> Vec<(String, Vec<Source>)> {
    let mut all: Vec<PathBuf> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
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
    /// By what each is called on: the type of `self`, or the name of a field or a variable.
    methods: BTreeSet<(String, String)>,
    /// Whose methods are looked at.
    own: Option<String>,
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

    fn visit_item_impl(&mut self, block: &'s syn::ItemImpl) {
        let before = self.own.replace(name_of(&block.self_ty).unwrap_or_default());
        visit::visit_item_impl(self, block);
        self.own = before;
    }

    fn visit_expr_method_call(&mut self, call: &'s syn::ExprMethodCall) {
        let on = match &*call.receiver {
            syn::Expr::Path(path) if path.path.is_ident("self") => self.own.clone(),
            syn::Expr::Path(path) => path.path.get_ident().map(|name| type_called(&name.to_string())),
            syn::Expr::Field(field) => match &field.member {
                syn::Member::Named(name) => Some(type_called(&name.to_string())),
                syn::Member::Unnamed(_) => None,
            },
            _ => None,
        };
        self.methods.extend(on.map(|on| (on, call.method.to_string())));
        visit::visit_expr_method_call(self, call);
    }
}

fn name_of(of: &syn::Type) -> Option<String> {
    match of {
        syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// The type that a variable or a field of this name has here: `deliveries` is `Deliveries`.
fn type_called(name: &str) -> String {
    let word = |word: &str| -> String {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect())
            .unwrap_or_default()
    };
    name.split('_').map(word).collect()
}

/// By type and method: the file that has it, of those types that have methods in more than one file. Whoever calls it knows
/// that file, though no import says so.
fn methods_of_spread_types(sources: &[Source]) -> BTreeMap<(String, String), usize> {
    let mut methods = BTreeMap::new();
    let mut files: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (file, source) in sources.iter().enumerate() {
        for item in &source.syntax.items {
            let syn::Item::Impl(block) = item else { continue };
            let (None, Some(of)) = (&block.trait_, name_of(&block.self_ty)) else {
                continue;
            };
            files.entry(of.clone()).or_default().insert(file);
            for item in &block.items {
                if let syn::ImplItem::Fn(function) = item {
                    methods.insert((of.clone(), function.sig.ident.to_string()), file);
                }
            }
        }
    }
    methods.retain(|(of, _), _| files[of].len() > 1);
    methods
}

/// The types with methods in more than one file that have some in this one: `wing` is one of them.
fn spread_types_in(file: usize, methods: &BTreeMap<(String, String), usize>) -> BTreeSet<&String> {
    methods
        .iter()
        .filter(|(_, other)| **other == file)
        .map(|((of, _), _)| of)
        .collect()
}

/// Which file knows which.
fn arrows(sources: &[Source]) -> Vec<BTreeSet<usize>> {
    let modules: BTreeMap<&[String], usize> = sources
        .iter()
        .enumerate()
        .map(|(file, source)| (source.module.as_slice(), file))
        .collect();
    let methods = methods_of_spread_types(sources);
    let knows = |file: usize, source: &Source| {
        let mut named = Named {
            of: source.module.clone(),
            ..Named::default()
        };
        named.visit_file(&source.syntax);
        let by_path = named.paths.iter().filter_map(|path| {
            // The longest part of it that is a file; what is only the crate's root is its list of modules.
            (1..=path.len())
                .rev()
                .find_map(|length| modules.get(&path[..length]).copied())
        });
        let wings = spread_types_in(file, &methods);
        let by_method = named.methods.iter().flat_map(|(on, name)| {
            let of = if on == "Wing" {
                wings.iter().map(|of| (*of).clone()).collect()
            } else {
                vec![on.clone()]
            };
            of.into_iter()
                .filter_map(|of| methods.get(&(of, name.clone())).copied())
                .collect::<Vec<usize>>()
        });
        by_path
            .chain(by_method)
            .filter(|other| *other != file)
            .collect::<BTreeSet<usize>>()
    };
    sources
        .iter()
        .enumerate()
        .map(|(file, source)| knows(file, source))
        .collect()
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
        (0..arrows.len())
            .filter(|other| reached[file].contains(other) && reached[*other].contains(&file))
            .collect()
    };
    (0..arrows.len())
        .map(circle)
        .filter(|circle| circle.len() > 2)
        .collect()
}

#[test]
fn no_crate_has_a_circle_of_more_than_two_files() {
    for (name, sources) in crates() {
        let arrows = arrows(&sources);
        let shown = |circle: Vec<usize>| -> Vec<String> {
            circle.into_iter().map(|file| sources[file].module.join("::")).collect()
        };
        let circles: Vec<Vec<String>> = circles(&arrows).into_iter().map(shown).collect();
        assert_eq!(circles, Vec::<Vec<String>>::new(), "{name}");
        let known: usize = arrows.iter().map(BTreeSet::len).sum();
        assert!(
            sources.len() < 4 || known >= sources.len() / 2,
            "{name}: hardly any arrow is seen"
        );
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
            source(
                "a",
                "use crate::b::c::D; pub struct T; impl T { pub fn first(&self) {} }",
            ),
            source("b::c", "pub struct D; fn f() { super::super::e::g() }"),
            source("e", third),
        ];
        circles(&arrows(&sources)).len()
    };
    assert_eq!(through("pub fn g() {}"), 0);
    assert_eq!(through("use crate::{a::T}; pub fn g() {}"), 1);
    assert_eq!(through("pub fn g() { crate::a::h() }"), 1);
    assert_eq!(
        through("use x::T; impl T { pub fn other(&self) { self.first() } } pub fn g() {}"),
        1
    );
    assert_eq!(
        through("impl T { pub fn other(&self) {} } pub fn g(s: &S) { s.t.first() }"),
        1
    );
    assert_eq!(through("pub fn g(other: &S) { other.first() }"), 0);
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
            Some(folder) => APP
                .iter()
                .position(|name| *name == folder)
                .unwrap_or_else(|| panic!("{folder} has no rank")),
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
