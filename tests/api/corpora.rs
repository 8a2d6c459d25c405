//! Every input that the fuzz targets start from, and every one that once broke something, on each run of the tests.

use std::path::Path;
use std::time::{Duration, Instant};

/// As the program gives its threads.
const STACK: usize = 32 << 20;

#[test]
fn no_kept_input_breaks_what_reads_it() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut unknown: Vec<_> =
        std::fs::read_dir(&corpora).expect("corpora").map(|it| it.expect("one").file_name()).collect();
    for (name, target) in clinic::fuzzing::TARGETS {
        unknown.retain(|folder| folder != name);
        let inputs = std::fs::read_dir(corpora.join(name)).expect("a corpus").map(|it| it.expect("an input").path());
        let mut count = 0;
        for input in inputs {
            let bytes = std::fs::read(&input).expect("bytes");
            let begun = Instant::now();
            let run = std::thread::Builder::new().stack_size(STACK).spawn(move || target(&bytes)).expect("a thread");
            assert!(run.join().is_ok(), "{name}: {}", input.display());
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{name}: {} took {:?}",
                input.display(),
                begun.elapsed()
            );
            count += 1;
        }
        assert!(count >= 8, "{name} has {count} inputs");
    }
    assert!(unknown.is_empty(), "corpora of no target: {unknown:?}");
}
