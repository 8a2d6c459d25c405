//! The command line.

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Stack size of each thread. A query is resolved by functions that call each other once for each level of nesting. The
/// HTTP server creates the worker threads and takes their stack size from the environment. Pages that are never touched
/// cost nothing.
const STACK: &str = "33554432";

/// Restarts this program in place (same process id) with a stack large enough for deep queries. If that fails, it
/// continues as it is.
#[cfg(unix)]
fn make_room() {
    use std::os::unix::process::CommandExt;
    if std::env::var_os("RUST_MIN_STACK").is_some() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_else(|| program.clone().into_os_string());
        // Returns only on failure.
        let _ = std::process::Command::new(program).arg0(name).args(arguments).env("RUST_MIN_STACK", STACK).exec();
    }
}

#[cfg(not(unix))]
fn make_room() {}

fn main() -> ExitCode {
    make_room();
    clinic::run(clinic::config::CommandLine::parse())
}
