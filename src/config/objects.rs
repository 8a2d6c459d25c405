//! Where photos and checkpoints are.

use super::Secret;
use clap::Args;

/// Where photos' bytes are, and how links to them are signed.
#[derive(Debug, Clone, Args)]
pub struct ObjectSettings {
    /// Where photos are kept: a folder, or s3://bucket/prefix; the folder objects in the data folder when absent
    #[arg(long, env = "CLINIC_OBJECT_STORE", value_name = "FOLDER|URL")]
    pub object_store: Option<String>,

    /// Address of the S3 service, such as `https://minio.example.com:9000`; AWS when absent
    #[arg(long, env = "CLINIC_S3_ENDPOINT", value_name = "URL")]
    pub s3_endpoint: Option<String>,

    /// Region of the S3 service
    #[arg(long, env = "CLINIC_S3_REGION", default_value = "us-east-1", value_name = "REGION")]
    pub s3_region: String,

    /// Access key for S3; the machine's role is used when absent
    #[arg(long, env = "CLINIC_S3_ACCESS_KEY_ID", value_name = "KEY")]
    pub s3_access_key_id: Option<String>,

    /// Secret of that access key
    #[arg(long, env = "CLINIC_S3_SECRET_ACCESS_KEY", hide_env_values = true, value_name = "SECRET")]
    pub s3_secret_access_key: Option<Secret>,

    /// Key that signs links to photos, at least 32 characters; when absent, one is kept in the photos' folder, or with
    /// S3 generated at each start
    #[arg(long, env = "CLINIC_LINK_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub link_secret: Option<Secret>,

    /// Address by which clients reach the service, such as `https://clinic.example.com`: links to photos start with it
    /// (they are paths when it is absent), and cookies are accepted there (when it is absent, at the address the
    /// service listens on)
    #[arg(long, env = "CLINIC_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
}

/// Where checkpoints of the evidence are.
#[derive(Debug, Clone, Args)]
pub struct CheckpointSettings {
    /// Where signed checkpoints are kept: a folder, or s3://bucket/prefix with the S3 settings of photos; the folder
    /// checkpoints in the data folder when absent
    #[arg(long, alias = "checkpoints", env = "CLINIC_CHECKPOINT_STORE", value_name = "FOLDER|URL")]
    pub checkpoint_store: Option<String>,
}

impl ObjectSettings {
    /// Settings that contradict each other, with those of checkpoints, which may use the same S3.
    pub fn check_with(&self, checkpoints: &CheckpointSettings) -> Result<(), String> {
        let store = checkpoints.checkpoint_store.as_deref();
        if store.is_some_and(|it| it.contains("://") && !it.starts_with("s3://") && !it.starts_with("file://")) {
            return Err("--checkpoint-store is a folder, or s3://bucket/prefix".to_owned());
        }
        if store.is_some_and(|it| it.starts_with("s3://")) {
            let s3_is_used =
                Self { s3_endpoint: None, s3_access_key_id: None, s3_secret_access_key: None, ..self.clone() };
            if self.s3_access_key_id.is_some() != self.s3_secret_access_key.is_some() {
                return Err("--s3-access-key-id and --s3-secret-access-key go together".to_owned());
            }
            return s3_is_used.check();
        }
        self.check()
    }

    /// Settings that contradict each other, as one line.
    pub fn check(&self) -> Result<(), String> {
        if self.s3_access_key_id.is_some() != self.s3_secret_access_key.is_some() {
            return Err("--s3-access-key-id and --s3-secret-access-key go together".to_owned());
        }
        let is_s3 = self.object_store.as_deref().is_some_and(|address| address.starts_with("s3://"));
        if !is_s3 && (self.s3_endpoint.is_some() || self.s3_access_key_id.is_some()) {
            return Err("--s3-endpoint and --s3-access-key-id go with --object-store s3://bucket".to_owned());
        }
        if self.object_store.as_deref().is_some_and(|address| {
            address.contains("://") && !address.starts_with("s3://") && !address.starts_with("file://")
        }) {
            return Err("--object-store is a folder, or s3://bucket/prefix".to_owned());
        }
        match &self.public_url {
            Some(url) if !url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) => {
                Err(format!("--public-url: {url:?} is not an address such as https://clinic.example.com"))
            }
            _ => Ok(()),
        }
    }
}
