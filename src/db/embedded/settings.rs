//! The settings passed to Postgres on its command line at each start, so that no file in the data folder has to be
//! edited.

use std::path::Path;

/// Each setting and its value. `socket_dir` is the only place it listens at.
pub(super) fn settings(socket_dir: &Path, durable: bool) -> Vec<(&'static str, String)> {
    let socket_dir = socket_dir.display().to_string().replace('"', "\"\"");
    let mut all = vec![("unix_socket_directories", format!("\"{socket_dir}\""))];
    let shared = [EVERYWHERE, if durable { DURABLE } else { FAST }];
    all.extend(shared.iter().copied().flatten().map(|(name, value)| (*name, (*value).to_owned())));
    all
}

const EVERYWHERE: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    // Only the number in the socket's file name: no port is opened.
    ("port", "5432"),
    ("unix_socket_permissions", "0700"),
    // A statement whose client has gone ends within a second, not at its time limit.
    ("client_connection_check_interval", "1s"),
    ("password_encryption", "scram-sha-256"),
    ("max_connections", "200"),
    ("timezone", "UTC"),
    // Short statements: compiling them costs more than it saves.
    ("jit", "off"),
    // Solid-state disks: a random page costs hardly more than the next one.
    ("random_page_cost", "1.1"),
    ("effective_cache_size", "1GB"),
    ("work_mem", "8MB"),
    // The log is about the server itself. An ERROR, and the details of any message, may quote a row, and a row belongs
    // to a patient, so neither is written. The service itself knows which statements failed.
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    ("log_line_prefix", "%m [%p] "),
    ("log_timezone", "UTC"),
    ("log_min_messages", "log"),
    ("log_error_verbosity", "terse"),
    ("log_statement", "none"),
    ("log_min_duration_statement", "-1"),
    ("log_min_error_statement", "panic"),
    ("log_parameter_max_length", "0"),
    ("log_parameter_max_length_on_error", "0"),
    ("log_checkpoints", "off"),
];

/// A clinic's record on a small machine (2 cores, 2 GB and up).
const DURABLE: &[(&str, &str)] = &[
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
    ("shared_buffers", "256MB"),
    ("maintenance_work_mem", "128MB"),
    ("wal_compression", "on"),
    ("min_wal_size", "256MB"),
    ("max_wal_size", "2GB"),
    ("checkpoint_timeout", "15min"),
];

/// Tests: a power cut may lose all of it.
const FAST: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("synchronous_commit", "off"),
    ("shared_buffers", "64MB"),
    ("max_wal_size", "2GB"),
    ("checkpoint_timeout", "1h"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    // A worker looking into a template database holds up its copies.
    ("autovacuum", "off"),
];
