//! How uploads of photos are taken.

use clap::Args;

/// How much an upload may hold, and how slow it may be.
#[derive(Debug, Clone, Args)]
pub struct UploadSettings {
    /// Bytes a second that an upload must bring, over each ten seconds; 0: no least
    #[arg(long, env = "CLINIC_UPLOAD_LEAST_RATE", default_value_t = 16 * 1024, value_name = "BYTES")]
    pub upload_least_rate: u64,

    /// Memory for unpacking photos, over all uploads, in MiB; a photo that takes more is refused
    #[arg(long, env = "CLINIC_PHOTO_MEMORY", default_value_t = 384, value_name = "MIB", value_parser = clap::value_parser!(u32).range(64..=65_536))]
    pub photo_memory: u32,
}
