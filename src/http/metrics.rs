//! `/metrics`, for Prometheus, on an address of its own: what is counted is nobody's data, and still nobody's business
//! outside. It asks for no token, so whoever reaches that address may read it.

use crate::watch::{MEDIA_TYPE, Watch};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::middleware::Compress;
use actix_web::{App, HttpResponse, HttpServer, dev, web};
use std::net::TcpListener;
use std::sync::Arc;

/// Who scrapes comes with one connection or two.
const CONNECTIONS: usize = 32;

/// A server of `/metrics` and of nothing else, with one thread.
pub fn serve(watch: &Arc<Watch>, listener: TcpListener) -> std::io::Result<dev::Server> {
    let watch = web::Data::from(Arc::clone(watch));
    let server = HttpServer::new(move || {
        let metrics = web::resource("/metrics").route(web::get().to(text)).route(web::head().to(text));
        App::new().app_data(watch.clone()).wrap(Compress::default()).service(metrics)
    });
    Ok(server.workers(1).max_connections(CONNECTIONS).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

async fn text(watch: web::Data<Watch>) -> HttpResponse {
    match watch.text() {
        Ok(text) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, MEDIA_TYPE))
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(text),
        Err(error) => {
            tracing::error!(%error, "the metrics can't be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}
