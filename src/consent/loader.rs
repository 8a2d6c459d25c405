//! Drawn signatures, batched.

use super::store;
use crate::error::SharedError;
use crate::operation::{Batch, Running};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;
use uuid::Uuid;

/// Looks up the drawn signature of a consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SignatureOf(Uuid);

impl Loader<SignatureOf> for Batch {
    type Value = String;
    type Error = SharedError;

    async fn load(&self, keys: &[SignatureOf]) -> Result<HashMap<SignatureOf, String>, SharedError> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let images = store::signatures(&mut *self.0.reader().await?, &ids).await?;
        let urls = images.into_iter().map(|(id, media_type, bytes)| {
            (SignatureOf(id), format!("data:{media_type};base64,{}", STANDARD.encode(bytes)))
        });
        Ok(urls.collect())
    }
}

/// The drawn signature of a consent as a `data:` URL, batched with its siblings.
pub async fn signature(ctx: &Context<'_>, consent: Uuid) -> Option<Result<String>> {
    ctx.load(SignatureOf(consent)).await.map_err(Into::into).transpose()
}
