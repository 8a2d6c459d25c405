//! How far a fill has come: a bar on a terminal, else a line now and then.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long it is quiet between two lines.
const QUIET: Duration = Duration::from_secs(15);

/// The progress of a fill.
pub(super) struct Progress {
    bar: ProgressBar,
    /// When the last line was written; none on a terminal.
    said: Option<Mutex<Instant>>,
    total: u32,
}

impl Progress {
    /// From so many patients to so many.
    pub(super) fn start(from: u32, total: u32) -> Self {
        let terminal = std::io::stderr().is_terminal() && total - from > 100;
        let bar = if terminal { ProgressBar::new(u64::from(total)) } else { ProgressBar::hidden() };
        let template = "demo clinic {bar:40} {pos}/{len} patients, {per_sec}, ready in {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_position(u64::from(from));
        bar.reset_eta();
        Self { bar, said: (!terminal).then(|| Mutex::new(Instant::now())), total }
    }

    /// So many patients are there.
    pub(super) fn reach(&self, patients: u32) {
        self.bar.set_position(u64::from(patients));
        let Some(mut said) = self.said.as_ref().and_then(|said| said.lock().ok()) else { return };
        if said.elapsed() < QUIET {
            return;
        }
        *said = Instant::now();
        told(patients, self.total);
    }

    /// All are there.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn told(patients: u32, total: u32) {
    // The demo command writes no log; the service does.
    if tracing::enabled!(tracing::Level::INFO) {
        tracing::info!(patients, of = total, "filling the demo clinic");
    } else {
        #[allow(clippy::print_stderr)] // numbers alone
        {
            eprintln!("demo clinic: {patients} of {total} patients");
        }
    }
}

/// Says what is done with a large clinic once its rows are there; it takes minutes.
pub(super) fn then(what: &'static str) {
    if tracing::enabled!(tracing::Level::INFO) {
        tracing::info!("demo clinic: {what}");
    } else {
        #[allow(clippy::print_stderr)] // the program's own words
        {
            eprintln!("demo clinic: {what}");
        }
    }
}
