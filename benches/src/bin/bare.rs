//! `upsert-bench-bare`: the yardstick M. One call to add-update for each request and nothing else, by hand
//! ([`upsert_benches::by_hand`]). No store.

use actix_web::{App, HttpResponse, HttpServer, web};
use clap::Parser as _;
use serde_json::json;
use upsert_benches::by_hand::{Arguments, Customer, Vendor, succeeded};

async fn upsert(vendor: web::Data<Vendor>, customer: web::Json<Customer>) -> HttpResponse {
    match vendor.call(&customer).await {
        Ok(record) => HttpResponse::Ok().json(succeeded(&customer, &record)),
        Err(error) => HttpResponse::BadGateway().json(json!({ "detail": error.to_string() })),
    }
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let vendor = web::Data::new(Vendor::new(&arguments)?);
    let app = move || {
        App::new()
            .app_data(vendor.clone())
            .route("/livez", web::get().to(HttpResponse::Ok))
            .route("/v1/customers", web::post().to(upsert))
    };
    HttpServer::new(app).bind(arguments.listen)?.run().await?;
    Ok(())
}
