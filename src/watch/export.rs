//! How traces leave: OTLP over HTTP, in protobuf, sent by the program's own runtime.

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use std::pin::Pin;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long a batch may take on its way.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends batches. The exporter's own thread has no runtime: it waits for a task of the program's.
#[derive(Debug)]
pub(super) struct Sender {
    client: reqwest::Client,
    runtime: Handle,
}

impl Sender {
    /// One that sends from this runtime; follows no redirect, since a batch is for nobody else.
    pub(super) fn new(runtime: Handle) -> Result<Self, String> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(|error| format!("traces can't be sent: {error}"))?;
        Ok(Self { client, runtime })
    }
}

async fn send(client: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let answer = client.execute(request.try_into()?).await?;
    // What a collector says beside its status is not read: it may be of any length.
    Ok(Response::builder().status(answer.status()).body(Bytes::new())?)
}

impl HttpClient for Sender {
    // As the macro async_trait writes it, which the trait was made with.
    fn send_bytes<'s, 'a>(
        &'s self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>
    where
        's: 'a,
        Self: 'a,
    {
        let sent = self.runtime.spawn(send(self.client.clone(), request));
        Box::pin(async move { sent.await? })
    }
}
