//! `upsert-bench-durable`: the bare handler made durable by hand, a transaction each: the customer and what is to be sent
//! are committed before the call, its end after it. As safe on the disk as the gateway (`synchronous = FULL`), without group
//! commit, and without anything that would ever repeat a call.

use std::sync::Arc;

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Context as _;
use clap::Parser as _;
use parking_lot::Mutex;
use rusqlite::Connection;
use serde_json::{Value as Json, json};
use upsert_benches::by_hand::{AddUpdate, Arguments, Customer, Vendor, succeeded};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE customer (reference TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE outbox (id INTEGER PRIMARY KEY, reference TEXT NOT NULL, body TEXT NOT NULL, answer TEXT);
";

type Store = Arc<Mutex<Connection>>;

async fn upsert(store: web::Data<Store>, vendor: web::Data<Vendor>, customer: web::Json<Customer>) -> HttpResponse {
    match durably(store.get_ref(), &vendor, &customer).await {
        Ok(record) => HttpResponse::Ok().json(succeeded(&customer, &record)),
        Err(error) => HttpResponse::BadGateway().json(json!({ "detail": error.to_string() })),
    }
}

async fn durably(store: &Store, vendor: &Vendor, customer: &Customer) -> anyhow::Result<Json> {
    let (reference, body) = (
        customer.reference.clone(),
        serde_json::to_string(&AddUpdate::from(customer))?,
    );
    let before = Arc::clone(store);
    let id = web::block(move || intend(&mut before.lock(), &reference, &body)).await??;
    let record = vendor.call(customer).await?;
    let (after, answer) = (Arc::clone(store), record.to_string());
    web::block(move || note(&after.lock(), id, &answer)).await??;
    Ok(record)
}

fn intend(store: &mut Connection, reference: &str, body: &str) -> rusqlite::Result<i64> {
    let transaction = store.transaction()?;
    transaction
        .prepare_cached("INSERT INTO customer VALUES (?1, ?2) ON CONFLICT DO UPDATE SET body = excluded.body")?
        .execute((reference, body))?;
    transaction
        .prepare_cached("INSERT INTO outbox (reference, body) VALUES (?1, ?2)")?
        .execute((reference, body))?;
    let id = transaction.last_insert_rowid();
    transaction.commit()?;
    Ok(id)
}

fn note(store: &Connection, id: i64, answer: &str) -> rusqlite::Result<usize> {
    store
        .prepare_cached("UPDATE outbox SET answer = ?2 WHERE id = ?1")?
        .execute((id, answer))
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let store = Connection::open(&arguments.store).context("--store names a file")?;
    store.execute_batch(SCHEMA)?;
    let store: web::Data<Store> = web::Data::new(Arc::new(Mutex::new(store)));
    let vendor = web::Data::new(Vendor::new(&arguments)?);
    let app = move || {
        App::new()
            .app_data(store.clone())
            .app_data(vendor.clone())
            .route("/livez", web::get().to(HttpResponse::Ok))
            .route("/v1/customers", web::post().to(upsert))
    };
    HttpServer::new(app).bind(arguments.listen)?.run().await?;
    Ok(())
}
