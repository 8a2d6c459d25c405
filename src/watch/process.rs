//! The process itself, from Linux's `/proc`, under the names that Prometheus' own clients give; elsewhere they stay 0.

use super::registrar::{Registrar, Seconds};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::atomic::{AtomicU64, Ordering};

/// Ticks a second in `/proc`: USER_HZ, 100 on every architecture that Rust runs Linux on, whatever the kernel's own clock.
const TICKS: f64 = 100.0;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// What `/proc/self/stat` says: seconds of processor time, threads, and the start in seconds since the machine's.
struct Stat {
    cpu: f64,
    threads: i64,
    started: f64,
}

impl Stat {
    /// Reads the line. The program's name stands in brackets and may hold anything, so what counts comes after the last.
    fn read(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |place: usize| fields.get(place)?.parse::<u32>().ok();
        // Fields 14, 15, 20 and 22 of proc(5); the third is the first here. The start may be later than u32 holds.
        let cpu = f64::from(number(11)?) + f64::from(number(12)?);
        let started = fields.get(19)?.parse::<f64>().ok()?;
        Some(Self { cpu: cpu / TICKS, threads: i64::from(number(17)?), started: started / TICKS })
    }
}

/// A number in a file of `/proc` whose lines are `Name: number unit`.
fn line_of(text: &str, name: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim_start_matches(':').split_whitespace().find_map(|word| word.parse().ok())
}

/// Registers the meters of the process, and gives what sets them.
pub(super) fn look(registrar: &mut Registrar<'_>) -> Box<dyn Fn() + Send + Sync> {
    let cpu: Counter<f64, AtomicU64> =
        registrar.keep("process_cpu_seconds", "Processor time, of user and system", Counter::default());
    let memory = registrar.gauge("process_resident_memory_bytes", "Memory that is resident");
    let threads = registrar.gauge("process_threads", "Threads");
    let files = registrar.gauge("process_open_fds", "Files and sockets that are open");
    let most_files = registrar.gauge("process_max_fds", "Files and sockets that may be open");
    let started: Seconds = registrar.keep("process_start_time_seconds", "When the process started", Seconds::default());
    let build: Family<Build, Gauge> =
        registrar.keep("clinic_build_info", "The version of the program; always 1", Family::default());
    build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
    Box::new(move || {
        let read = |file: &str| std::fs::read_to_string(file).ok();
        if let Some(stat) = read("/proc/self/stat").as_deref().and_then(Stat::read) {
            cpu.inner().store(stat.cpu.to_bits(), Ordering::Relaxed);
            threads.set(stat.threads);
            let boot = read("/proc/stat").as_deref().and_then(|text| line_of(text, "btime"));
            if let Some(boot) = boot.and_then(|boot| u32::try_from(boot).ok()) {
                started.set(f64::from(boot) + stat.started);
            }
        }
        if let Some(kib) = read("/proc/self/status").as_deref().and_then(|text| line_of(text, "VmRSS")) {
            memory.set(kib.saturating_mul(1024));
        }
        if let Ok(folder) = std::fs::read_dir("/proc/self/fd") {
            // One of them reads this folder.
            files.set(i64::try_from(folder.count()).unwrap_or(i64::MAX).saturating_sub(1));
        }
        if let Some(most) = read("/proc/self/limits").as_deref().and_then(|text| line_of(text, "Max open files")) {
            most_files.set(most);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Stat, line_of};

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let line = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 4200 1000 300 18446744073709551615";
        let stat = Stat::read(line).expect("a process");
        assert_eq!((stat.cpu, stat.threads, stat.started), (2.0, 9, 42.0));
        assert!(Stat::read("7 (short) S 1").is_none() && Stat::read("").is_none());
    }

    #[test]
    fn numbers_of_proc_are_found_by_their_name() {
        assert_eq!(line_of("VmPeak:\t  9 kB\nVmRSS:\t    1234 kB\n", "VmRSS"), Some(1234));
        assert_eq!(
            line_of("Max open files            1024                 4096                 files\n", "Max open files"),
            Some(1024)
        );
        assert_eq!(line_of("cpu 1 2\nbtime 1700000000\n", "btime"), Some(1_700_000_000));
        assert_eq!(line_of("Max open files   unlimited unlimited files\n", "Max open files"), None);
    }
}
