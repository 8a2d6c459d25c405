//! Bytes that are not rows: an object store, a folder of this machine or anything that speaks S3. And the signed
//! addresses under which clients bring and fetch them.

mod link;

pub use link::{Holder, Links, Pass, Reading, Reason, Use};

use crate::config::ObjectSettings;
use crate::error::{Error, Result};
use crate::keys;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, PutMode, RetryConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Where bytes lie until their record says they are kept. A sweep takes away what stays here.
const INCOMING: &str = "incoming";

/// An object store.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Key,
    /// The folder, for a local one.
    folder: Option<PathBuf>,
}

fn fault(doing: &str, error: &object_store::Error) -> Error {
    Error::Internal(format!("the object store fails at {doing}: {error}"))
}

impl Objects {
    /// The store of the settings. A local folder is made; an S3 is not asked for anything yet.
    pub fn open(settings: &ObjectSettings, data_dir: &Path) -> std::result::Result<Self, String> {
        Self::open_at(settings.object_store.as_deref(), "--object-store", settings, &data_dir.join("objects"))
    }

    /// The store at an address: a folder, or an S3 reached by the settings; none, the folder.
    pub fn open_at(
        address: Option<&str>,
        flag: &str,
        settings: &ObjectSettings,
        folder: &Path,
    ) -> std::result::Result<Self, String> {
        match address {
            Some(address) if address.starts_with("s3://") => Self::s3(address, flag, settings),
            Some(address) => Self::local(Path::new(address.strip_prefix("file://").unwrap_or(address)), flag),
            None => Self::local(folder, flag),
        }
    }

    /// A store that is this folder.
    pub fn open_folder(folder: &Path) -> std::result::Result<Self, String> {
        Self::local(folder, "--object-store")
    }

    fn local(folder: &Path, flag: &str) -> std::result::Result<Self, String> {
        let plain = |error: &dyn std::fmt::Display| {
            format!("the folder {} can't be used ({error}): choose another with {flag}", folder.display())
        };
        std::fs::create_dir_all(folder).map_err(|error| plain(&error))?;
        keys::close_to_others(folder).map_err(|error| plain(&error))?;
        let folder = folder.canonicalize().map_err(|error| plain(&error))?;
        let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| plain(&error))?;
        Ok(Self { store: Arc::new(store.with_fsync(true)), prefix: Key::default(), folder: Some(folder) })
    }

    fn s3(address: &str, flag: &str, settings: &ObjectSettings) -> std::result::Result<Self, String> {
        let url = url::Url::parse(address).map_err(|_| format!("{flag}: {address:?} is not s3://bucket/prefix"))?;
        let bucket = url.host_str().filter(|bucket| !bucket.is_empty());
        let bucket = bucket.ok_or_else(|| format!("{flag}: {address:?} names no bucket: write s3://bucket"))?;
        let client =
            ClientOptions::new().with_timeout(Duration::from_secs(30)).with_connect_timeout(Duration::from_secs(5));
        let retry = RetryConfig { max_retries: 3, retry_timeout: Duration::from_secs(20), ..RetryConfig::default() };
        let mut builder =
            AmazonS3Builder::new().with_bucket_name(bucket).with_retry(retry).with_region(&settings.s3_region);
        let plain_http = settings.s3_endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        builder = builder.with_client_options(client.with_allow_http(plain_http));
        if let Some(endpoint) = &settings.s3_endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let (Some(id), Some(secret)) = (&settings.s3_access_key_id, &settings.s3_secret_access_key) {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose());
        }
        let store = builder.build().map_err(|error| format!("{flag}: {error}"))?;
        let prefix = Key::parse(url.path().trim_matches('/')).map_err(|error| format!("{flag}: {error}"))?;
        Ok(Self { store: Arc::new(store), prefix, folder: None })
    }

    /// The folder, for a local store.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    fn key(&self, name: &str) -> Key {
        self.prefix.parts().chain(Key::from(name).parts()).collect()
    }

    /// Whether the store answers, for the log at the start.
    pub async fn answers(&self) -> Result<()> {
        self.store
            .list(Some(&self.key(INCOMING)))
            .next()
            .await
            .transpose()
            .map_err(|error| fault("listing", &error))?;
        Ok(())
    }

    /// Writes bytes where they lie until their record is written: the name to `keep` or `remove` them by.
    pub async fn bring(&self, name: &str, bytes: Bytes) -> Result<Incoming> {
        let key = format!("{INCOMING}/{name}-{}", crate::ids::new_id());
        let incoming = Incoming { objects: self.clone(), key: Some(key.clone()) };
        // One request, whole or not at all: a process that dies leaves no half of a multipart upload to pay for.
        self.store.put(&self.key(&key), bytes.into()).await.map_err(|error| fault("writing", &error))?;
        Ok(incoming)
    }

    /// Reads an object: its size and its bytes, as they come.
    pub async fn read(&self, name: &str) -> Result<(u64, BoxStream<'static, std::io::Result<Bytes>>)> {
        let found = self.store.get(&self.key(name)).await.map_err(|error| fault("reading", &error))?;
        let size = found.meta.size;
        Ok((size, found.into_stream().map_err(std::io::Error::other).boxed()))
    }

    /// A whole object; none if it is not there.
    pub async fn whole(&self, name: &str) -> Result<Option<Bytes>> {
        match self.store.get(&self.key(name)).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(|error| fault("reading", &error))?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(fault("reading", &error)),
        }
    }

    /// Whether an object is there.
    pub async fn has(&self, name: &str) -> Result<bool> {
        match self.store.head(&self.key(name)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(fault("looking", &error)),
        }
    }

    /// Writes an object that is not there yet; whether it was written. One that is there stays as it is.
    pub async fn add(&self, name: &str, bytes: Bytes) -> Result<bool> {
        let key = self.key(name);
        match self.store.put_opts(&key, bytes.clone().into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            // An S3 without conditional writes: names are never used twice anyway.
            Err(object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }) => {
                self.store.put(&key, bytes.into()).await.map_err(|error| fault("writing", &error))?;
                Ok(true)
            }
            Err(error) => Err(fault("writing", &error)),
        }
    }

    /// The names of the objects under a folder of the store, in order; those after one, if it is given.
    pub async fn names(&self, under: &str, after: Option<&str>) -> Result<Vec<String>> {
        let under = self.key(under);
        let listed = match after {
            Some(after) => self.store.list_with_offset(Some(&under), &self.key(after)),
            None => self.store.list(Some(&under)),
        };
        let skip = if self.prefix.as_ref().is_empty() { 0 } else { self.prefix.as_ref().len() + 1 };
        let mut names: Vec<String> = listed
            .map_ok(|object| object.location.as_ref().get(skip..).unwrap_or_default().to_owned())
            .try_collect()
            .await
            .map_err(|error| fault("listing", &error))?;
        names.sort_unstable();
        Ok(names)
    }

    /// Takes an object away; one that is not there is no fault.
    pub async fn remove(&self, name: &str) -> Result<()> {
        match self.store.delete(&self.key(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(fault("removing", &error)),
        }
    }

    /// Takes away what was brought longer ago than this and was never kept: uploads that a crash cut. How many.
    pub async fn sweep(&self, older_than: TimeDelta) -> Result<usize> {
        let before = Utc::now() - older_than;
        let listed: Vec<_> = self
            .store
            .list(Some(&self.key(INCOMING)))
            .try_filter(|object| futures::future::ready(object.last_modified < before))
            .map_ok(|object| object.location)
            .try_collect()
            .await
            .map_err(|error| fault("listing", &error))?;
        let mut gone = listed.len();
        for key in listed {
            self.store.delete(&key).await.map_err(|error| fault("removing", &error))?;
        }
        if let Some(folder) = &self.folder {
            gone += sweep_half_written(&folder.join(INCOMING), before);
        }
        Ok(gone)
    }
}

/// What a local store was writing when the process died: files it does not list itself.
fn sweep_half_written(folder: &Path, before: DateTime<Utc>) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let old = entries.flatten().filter(|entry| {
        let changed = entry.metadata().and_then(|about| about.modified());
        entry.file_name().to_string_lossy().contains('#') && changed.is_ok_and(|at| DateTime::<Utc>::from(at) < before)
    });
    old.filter(|entry| std::fs::remove_file(entry.path()).is_ok()).count()
}

/// The folder is for the service alone.
/// Bytes that were brought and are not kept yet. Dropped, they are taken away.
pub struct Incoming {
    objects: Objects,
    key: Option<String>,
}

impl Incoming {
    /// Moves the bytes to their lasting name, over what was there.
    pub async fn keep(mut self, name: &str) -> Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        let (from, to) = (self.objects.key(key), self.objects.key(name));
        self.objects.store.rename(&from, &to).await.map_err(|error| fault("keeping", &error))?;
        self.key = None;
        Ok(())
    }

    /// Takes the bytes away, and waits for it.
    pub async fn remove(mut self) {
        if let Some(key) = self.key.take()
            && let Err(error) = self.objects.remove(&key).await
        {
            tracing::warn!(?error, "an upload that was not kept waits for the sweep");
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let (Some(key), Ok(runtime)) = (self.key.take(), tokio::runtime::Handle::try_current()) {
            let objects = self.objects.clone();
            runtime.spawn(async move { objects.remove(&key).await });
        }
    }
}
