//! How far a long command has come: a bar on a terminal, nothing else than its result anywhere else.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// A bar; hidden where nobody watches.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Of so many things, rows or bytes.
    pub(super) fn of(total: u64, template: &str) -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(total) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("█▌ "));
        }
        Self { bar }
    }

    /// Rows of a chain.
    pub(super) fn rows() -> Self {
        Self::of(0, "{msg} [{bar:30}] {human_pos}/{human_len} rows, {per_sec}, {eta} left")
    }

    /// Bytes of a file.
    pub(super) fn bytes(total: u64) -> Self {
        Self::of(total, "{msg} [{bar:30}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left")
    }

    /// What is under way.
    pub(super) fn say(&self, what: impl AsRef<str>) {
        self.bar.set_message(crate::characters::shown(what.as_ref()).into_owned());
    }

    /// So far, of so many.
    pub(super) fn at(&self, done: u64, total: u64) {
        if done == 0 {
            self.bar.reset_eta();
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
