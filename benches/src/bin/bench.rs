//! `upsert-bench`: measures the gateway beside what users would otherwise pick, in one run; prints tables, and writes
//! `docs/performance.md` where it is told to.
#![expect(clippy::print_stdout, reason = "a tool that prints")]

use std::path::Path;

use anyhow::Context as _;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use upsert_benches::cases::named;
use upsert_benches::children::Children;
use upsert_benches::customers::Numbers;
use upsert_benches::document::{self, Page};
use upsert_benches::drive::Pace;
use upsert_benches::goals::Figures;
use upsert_benches::machine;
use upsert_benches::measure::Run;
use upsert_benches::options::{Chapter, Options, Plan, StoreKind};
use upsert_benches::pinning::Pinning;
use upsert_benches::programs::Program;
use upsert_benches::report;
use upsert_benches::scenes::{Stage, faults, frontier, growth, imports, overload, starts, store_alone, stores};
use upsert_benches::sheet::Sheet;

/// Connections of the open loops.
const OPEN: usize = 64;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Whichever way this ends, the children are killed when they are dropped.
    tokio::select! {
        outcome = run(options) => outcome,
        _ = terminate.recv() => anyhow::bail!("told to stop"),
        _ = interrupt.recv() => anyhow::bail!("told to stop"),
    }
}

async fn run(options: Options) -> anyhow::Result<()> {
    let programs = std::env::current_exe()?;
    let programs = programs.parent().context("this program lies in no folder")?;
    let folder = options.folder.as_deref().unwrap_or(programs);
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(folder)?;
    // A database has as much to do as the gateway, and there are several of those.
    let pinning = if options.no_pinning || options.store == StoreKind::Postgres {
        Pinning::None
    } else {
        Pinning::begin()
    };
    let mut children = Children::begin(programs, folder.path(), pinning).await?;
    let is_about_all = options.store == StoreKind::Sqlite;
    if is_about_all && (options.wants(Chapter::Loads) || options.wants(Chapter::Frontier)) {
        children.add(&Program::ALL, folder.path()).await?;
    }
    let mut book = Book::new(&options, pinning, programs);
    let stage = Stage {
        children: &children,
        folder: folder.path(),
        numbers: Numbers::default(),
    };
    match options.store {
        StoreKind::Sqlite => {
            book.measure(&options, &stage).await?;
            book.add("summary", book.figures.sheet());
        }
        StoreKind::Postgres => book.compare_stores(&options.plan(), &stage).await?,
    }
    children.stop().await;
    anyhow::ensure!(
        book.wrong.is_empty(),
        "this was wrong, and nothing is written:\n{}",
        book.wrong.join("\n")
    );
    if let Some(file) = &options.page() {
        std::fs::write(file, book.page.markdown()).with_context(|| format!("{} cannot be written", file.display()))?;
        println!("{} is written", file.display());
    }
    Ok(())
}

/// What a run has found so far.
struct Book {
    page: Page,
    figures: Figures,
    wrong: Vec<String>,
}

impl Book {
    fn new(options: &Options, pinning: Pinning, programs: &Path) -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let template = match options.store {
            StoreKind::Sqlite => document::SQLITE,
            StoreKind::Postgres => document::POSTGRESQL,
        };
        let page = Page {
            template,
            command: ["scripts/bench".to_owned()]
                .into_iter()
                .chain(words)
                .collect::<Vec<_>>()
                .join(" "),
            pinning: match pinning {
                Pinning::TwoCores => "Load and vendor had core 0, the program under test core 1.".to_owned(),
                Pinning::None => "The kernel put the programs on whichever core it liked.".to_owned(),
            },
            machine: machine::described(programs),
            chapters: Vec::new(),
        };
        for (name, value) in &page.machine {
            println!("{name}: {value}");
        }
        let length = if options.short { "A short look. " } else { "" };
        println!("{length}{} Only ratios within one table mean anything.\n", page.pinning);
        Self {
            page,
            figures: Figures::default(),
            wrong: Vec::new(),
        }
    }

    fn add(&mut self, place: &'static str, sheet: Sheet) {
        println!("{}", sheet.markdown());
        self.page.chapters.push((place, vec![sheet]));
    }

    async fn compare_stores(&mut self, plan: &Plan, stage: &Stage<'_>) -> anyhow::Result<()> {
        let connections: Vec<usize> = plan.connections.iter().copied().filter(|count| *count > 1).collect();
        for sheet in stores::play(stage, &connections, plan.loads).await? {
            self.add("stores", sheet);
        }
        let programs = &stage.children.launcher.programs;
        let sheet = store_alone::play(programs, stage.folder, plan.store_seconds, "").await?;
        self.add("store", sheet);
        Ok(())
    }

    async fn measure(&mut self, options: &Options, stage: &Stage<'_>) -> anyhow::Result<()> {
        let plan = options.plan();
        if options.wants(Chapter::Loads) {
            self.loads(&options.case, stage, &plan).await?;
        }
        if options.wants(Chapter::Start) {
            self.figures.starts = starts::play(stage, plan.starts).await?;
            self.add("starts", starts::sheet(&self.figures.starts, plan.starts));
        }
        if options.wants(Chapter::Import) {
            let imported = imports::play(stage, plan.imports).await?;
            self.add("imports", imports::sheet(&imported, plan.imports));
            self.figures.imported = Some(imported);
        }
        if options.wants(Chapter::Store) {
            let programs = &stage.children.launcher.programs;
            self.add(
                "store",
                store_alone::play(programs, stage.folder, plan.store_seconds, "SQLite").await?,
            );
        }
        if options.wants(Chapter::Frontier) {
            self.frontier(stage, &plan).await?;
        }
        if options.wants(Chapter::Overload) {
            let (sheet, wrong) = overload::play(stage, &plan.overload).await?;
            self.add("overload", sheet);
            self.wrong.extend(wrong);
        }
        if options.wants(Chapter::Growth) {
            let growth = growth::play(stage, &plan.growth, |sheet| self.add("growth", sheet)).await?;
            self.figures.growth = growth;
        }
        Ok(())
    }

    async fn loads(&mut self, part: &str, stage: &Stage<'_>, plan: &Plan) -> anyhow::Result<()> {
        let run = Run {
            children: stage.children,
            cases: named(part),
            extent: plan.loads,
            folder: stage.folder,
            numbers: stage.numbers.clone(),
        };
        run.prepare().await?;
        let closed = plan.connections.iter().map(|connections| (*connections, Pace::Closed));
        let open = plan.rates.iter().map(|per_second| {
            (
                OPEN,
                Pace::Open {
                    per_second: *per_second,
                },
            )
        });
        for (connections, pace) in closed.chain(open) {
            let section = run.section(connections, pace).await?;
            self.add("loads", report::section(&section));
            let failed = section
                .cases
                .iter()
                .filter(|measured| stage.children.get(measured.case.program).is_ok());
            let failed =
                failed.filter_map(|measured| Some(format!("{}: {}", measured.case.name, measured.missing.as_ref()?)));
            self.wrong.extend(failed);
            self.figures.sections.push(section);
        }
        Ok(())
    }

    async fn frontier(&mut self, stage: &Stage<'_>, plan: &Plan) -> anyhow::Result<()> {
        let climbs = frontier::play(stage, plan.frontier).await?;
        self.add("frontier", frontier::sheet(&climbs, plan.frontier));
        self.wrong.extend(frontier::wrong(&climbs));
        let (sheet, wrong) = faults::play(stage, &plan.faulty_rates, plan.faulty_time).await?;
        // It stands between the two in the page.
        self.add("overload", sheet);
        self.wrong.extend(wrong);
        Ok(())
    }
}
