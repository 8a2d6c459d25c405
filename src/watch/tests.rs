use super::*;
use std::time::Duration;

/// What Prometheus calls the meters: name, kind.
fn told(text: &str) -> Vec<(&str, &str)> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
}

#[test]
fn meters_are_told_with_their_kinds_and_values() {
    let watch = Watch::default();
    let asked = watch.operations.ask(watch.operations.name("patients"), "query");
    assert_eq!(watch.operations.answered(&asked, Some("FORBIDDEN"), &["FORBIDDEN"]), "FORBIDDEN");
    assert_eq!(watch.operations.answered(&asked, None, &[]), "ok");
    watch.operations.gate(Err("QUERY_TOO_LARGE"), Duration::from_micros(3));
    watch.writes.committed([("patient", "create")].into_iter(), Duration::from_millis(1));
    watch.pool("requests").stands(16, 3, 2, 0);
    let text = watch.text().expect("text");
    for line in [
        "clinic_operations_total{operation=\"patients\",kind=\"query\",code=\"FORBIDDEN\"} 1",
        "clinic_operations_total{operation=\"patients\",kind=\"query\",code=\"ok\"} 1",
        "clinic_operation_duration_seconds_count{operation=\"patients\",kind=\"query\"} 2",
        "clinic_gate_refusals_total{code=\"QUERY_TOO_LARGE\"} 1",
        "clinic_ledger_entries_total{kind=\"patient\",action=\"create\"} 1",
        "clinic_pool_connections_idle{pool=\"requests\"} 2",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    let kinds = told(&text);
    assert!(kinds.len() > 20 && kinds.iter().all(|(_, kind)| ["counter", "gauge", "histogram"].contains(kind)));
    assert!(kinds.iter().all(|(name, kind)| name.ends_with("_total") == (*kind == "counter")), "{kinds:?}");
}

#[test]
fn names_are_bounded() {
    let operations = &Watch::default().operations;
    let first = operations.name("first");
    for n in 0..10_000 {
        operations.name(&format!("operation{n}"));
    }
    assert_eq!(&*operations.name("operation9999"), "other");
    assert_eq!((operations.name("first"), &*operations.name("operation7")), (first, "operation7"));
    let fresh = Watch::default();
    assert_eq!(&*fresh.operations.name(&"long".repeat(100)), "other");
    assert_eq!(&*fresh.operations.name(""), "other");
}

#[test]
fn a_request_is_counted_however_it_ends() {
    let watch = Watch::default();
    let known = ["/graphql"];
    watch.requests.begin(Some("/graphql"), "POST", &known).answered(200);
    drop(watch.requests.begin(Some("/graphql"), "POST", &known));
    watch.requests.begin(Some("/Zoë"), "BREW", &known).answered(404);
    let under_way = watch.requests.begin(None, "GET", &known);
    let text = watch.text().expect("text");
    for line in [
        "clinic_http_requests_total{route=\"/graphql\",method=\"POST\",status=\"200\"} 1",
        "clinic_http_requests_total{route=\"/graphql\",method=\"POST\",status=\"499\"} 1",
        "clinic_http_requests_total{route=\"other\",method=\"other\",status=\"404\"} 1",
        "clinic_http_requests_under_way 1",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    drop(under_way);
}

#[test]
fn services_of_one_process_count_apart() {
    let (one, other) = (Watch::default(), Watch::default());
    one.door.alone();
    one.at_each_look({
        let waits = one.pool("requests");
        move || waits.stands(1, 1, 1, 7)
    });
    assert!(one.text().expect("text").contains("clinic_pool_waiting{pool=\"requests\"} 7"));
    assert!(one.text().expect("text").contains("clinic_rate_limit_unshared_total 1"));
    assert!(other.text().expect("text").contains("clinic_rate_limit_unshared_total 0"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_tells_of_itself() {
    let text = Watch::default().text().expect("text");
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds", "process_threads"] {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<f64>().ok());
        assert!(value.is_some_and(|value| value > 0.0), "{name}: {value:?}");
    }
}
