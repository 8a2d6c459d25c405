//! Finding patients: search, filters, orders.

use crate::support::*;

/// What `patients` finds, as display names in the order they come.
async fn names(caller: &Caller, variables: Value) -> Vec<String> {
    let query = "query ($search: String, $filter: PatientFilter, $orderBy: PatientOrder) {
        patients(search: $search, filter: $filter, orderBy: $orderBy) { totalCount nodes { displayName } } }";
    let data = caller.graphql(query, variables).await.ok();
    let nodes = data["patients"]["nodes"].as_array().unwrap();
    assert_eq!(data["patients"]["totalCount"], nodes.len());
    nodes.iter().map(|node| node["displayName"].as_str().unwrap().to_owned()).collect()
}

async fn some_patients(anna: &SignedIn) {
    anna.patient_with("Anna", "Johnson", json!({"birthDate": "1990-05-17"})).await;
    anna.patient_with("Annabel", "Smith", json!({"preferredName": "Bella", "birthDate": "1975-01-02"})).await;
    let zoe = json!({"email": "zoe.ramirez@correo.example", "phone": "+34600123456", "chartNumber": "MAD-0815"});
    anna.patient_with("Zoë", "Ramírez", zoe).await;
    anna.patient_with("Jonas", "Müller-Østergård", json!({"birthDate": "2001-12-31"})).await;
    anna.patient_with("Máire", "O’Brien", json!({"birthDate": "1960-07-08"})).await;
    anna.patient_with("小龙", "李", json!({"birthDate": "1955-03-03"})).await;
}

const ANNA: &str = "Anna Johnson";
const BELLA: &str = "Bella Smith";
const ZOE: &str = "Zoë Ramírez";
const JONAS: &str = "Jonas Müller-Østergård";
const MAIRE: &str = "Máire O’Brien";
const LONG: &str = "小龙 李";

#[tokio::test(flavor = "multi_thread")]
async fn patients_are_found_by_what_the_front_desk_types() {
    let clinic = Clinic::start().await;
    some_patients(&clinic.practitioner()).await;
    let desk = clinic.front_desk();
    let found: &[(&str, &[&str])] = &[
        // part of a name, in any case and order
        ("john", &[ANNA]),
        ("hnso", &[ANNA]),
        ("SMITH", &[BELLA]),
        ("johnson anna", &[ANNA]),
        ("jo", &[ANNA, JONAS]),
        ("bella", &[BELLA]),
        ("小龙", &[LONG]),
        ("李", &[LONG]),
        // accents and punctuation
        ("ramirez", &[ZOE]),
        ("RAMÍREZ", &[ZOE]),
        ("Rami\u{301}rez", &[ZOE]),
        ("muller ostergard", &[JONAS]),
        ("zoe", &[ZOE]),
        ("obrien", &[MAIRE]),
        ("o'brien", &[MAIRE]),
        ("maire", &[MAIRE]),
        // a little misspelt
        ("jonson", &[ANNA]),
        ("johnsen", &[ANNA]),
        ("ramires", &[ZOE]),
        ("ostergaard", &[JONAS]),
        // phone, e-mail, chart number
        ("600123", &[ZOE]),
        ("600 123 456", &[ZOE]),
        ("+34 600 12 34 56", &[ZOE]),
        ("23456", &[ZOE]),
        ("correo", &[ZOE]),
        ("zoe.ramirez@correo.example", &[ZOE]),
        ("mad-0815", &[ZOE]),
        ("0815", &[ZOE]),
        // nothing
        ("peterson", &[]),
        ("xqzw", &[]),
        ("999888777", &[]),
    ];
    for (text, expected) in found {
        let mut got = names(&desk, json!({"search": text})).await;
        got.sort();
        assert_eq!(got, *expected, "{text}");
    }
    assert_eq!(names(&desk, json!({"search": "anna"})).await, [ANNA, BELLA], "the closest first");
    assert_eq!(names(&desk, json!({"search": "  "})).await.len(), 6, "a blank text is no search");
    for wrong in ["x".repeat(101), "-- %_ '".to_owned(), "…".to_owned()] {
        let answer =
            desk.graphql("query ($s: String) { patients(search: $s) { totalCount } }", json!({"s": wrong})).await;
        assert_eq!((answer.code(), answer.faults()), ("BAD_USER_INPUT", vec!["search"]), "{wrong}");
    }
    assert_eq!(names(&clinic.stranger(), json!({"search": "anna"})).await, [""; 0], "not another's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_follows_what_is_changed() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient_with("Greta", "Garbo", json!({"email": "g@hollywood.example"})).await;
    let patch = json!({"patch": {"legalName": {"given": "Greta", "family": "Gustafsson"}, "email": null}});
    anna.does("updatePatient", patient.edit_with(patch), "patient { id }").await.ok();
    for (text, count) in [("garbo", 0), ("hollywood", 0), ("gustafson", 1), ("greta", 1)] {
        assert_eq!(names(&anna, json!({"search": text})).await.len(), count, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    some_patients(&anna).await;
    let treated = anna.patient("Tina", "Treated").await;
    anna.session(&treated).await; // began two hours ago
    let gone = anna.patient("Gus", "Gone").await;
    let since = anna.graphql("query ($id: ID!) { patient(id: $id) { updatedAt } }", json!({"id": gone.id})).await.ok()
        ["patient"]["updatedAt"]
        .clone();
    anna.does("archivePatient", gone.edit_with(json!({"reason": "moved"})), "patient { id }").await.ok();
    let all = names(&anna, json!({})).await;
    assert_eq!(all.len(), 8, "active and archived ones");
    let cases = [
        (json!({"status": ["ARCHIVED"]}), vec!["Gus Gone"]),
        (json!({"status": ["ARCHIVED", "MERGED"]}), vec!["Gus Gone"]),
        (json!({"status": ["MERGED"]}), vec![]),
        (json!({"hasSessionSince": hours_ago(3)}), vec!["Tina Treated"]),
        (json!({"hasSessionSince": hours_ago(1)}), vec![]),
        (json!({"birthDate": "1975-01-02"}), vec![BELLA]),
        (json!({"birthDate": "1975-01-03"}), vec![]),
        (json!({"updatedSince": since}), vec!["Gus Gone"]),
        (json!({"updatedSince": since, "status": ["ACTIVE"]}), vec![]),
        (json!({"birthDate": "1990-05-17", "hasSessionSince": hours_ago(3)}), vec!["Tina Treated"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(names(&anna, json!({"filter": filter})).await, expected, "{filter}");
    }
    let both = json!({"search": "anna", "filter": {"birthDate": "1975-01-02"}});
    assert_eq!(names(&anna, both).await, [BELLA]);
    let query = "query ($f: PatientFilter) { patients(filter: $f) { totalCount } }";
    let answer = clinic.front_desk().graphql(query, json!({"f": {"hasSessionSince": hours_ago(3)}})).await;
    assert_eq!(answer.code(), "FORBIDDEN", "who was treated is clinical");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_comes_in_each_order() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    some_patients(&anna).await;
    let first = anna.graphql("{ patients(search: \"johnson\") { nodes { id version } } }", json!({})).await.ok();
    let johnson = Made::of(&first["patients"]["nodes"][0]);
    anna.does("updatePatient", johnson.edit_with(json!({"patch": {}})), "patient { id }").await.ok();
    let registered = [ANNA, BELLA, ZOE, JONAS, MAIRE, LONG];
    let orders = [
        ("NAME", [ANNA, JONAS, MAIRE, ZOE, BELLA, LONG]),
        ("CHART_NUMBER", [ZOE, ANNA, BELLA, JONAS, MAIRE, LONG]),
        ("BIRTH_DATE", [LONG, MAIRE, BELLA, ANNA, ZOE, JONAS]),
        ("CREATED_AT", registered),
        ("UPDATED_AT", [BELLA, ZOE, JONAS, MAIRE, LONG, ANNA]),
    ];
    for (field, mut expected) in orders {
        for direction in ["ASC", "DESC"] {
            let order = json!({"orderBy": {"field": field, "direction": direction}});
            assert_eq!(names(&anna, order).await, expected, "{field} {direction}");
            expected.reverse();
        }
    }
    let relevance = |search: Option<&str>, direction: &str| json!({"search": search, "orderBy": {"field": "RELEVANCE", "direction": direction}});
    let sorted = async |direction| names(&anna, relevance(Some("anna"), direction)).await;
    assert_eq!(
        (sorted("DESC").await, sorted("ASC").await),
        (vec![ANNA.to_owned(), BELLA.to_owned()], vec![BELLA.to_owned(), ANNA.to_owned()])
    );
    let query = "query ($search: String, $orderBy: PatientOrder) { patients(search: $search, orderBy: $orderBy) { totalCount } }";
    assert_eq!(anna.graphql(query, relevance(None, "DESC")).await.faults(), ["orderBy.field"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_a_patient_goes_with_the_patient() {
    let clinic = Clinic::start().await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let kept = async || sql.column("SELECT DISTINCT word FROM name_piece UNION SELECT word FROM patient_search").await;
    let before = kept().await;
    let greta = anna.patient_with("Greta", "Garbo", json!({"email": "g@hollywood.example"})).await;
    let hans = anna.patient("Hans", "Garbo").await;
    let patch = json!({"patch": {"legalName": {"given": "Greta", "family": "Gustafsson"}}});
    let greta = anna.make("updatePatient", "patient", greta.edit_with(patch)).await;
    let words = kept().await;
    assert!(words.contains(&"garbo".to_owned()), "another patient has the name: {words:?}");
    let patch = json!({"patch": {"legalName": {"given": "Hans", "family": "Moser"}}});
    let hans = anna.make("updatePatient", "patient", hans.edit_with(patch)).await;
    let words = kept().await;
    assert!(!words.iter().any(|it| it.contains("garbo")) && words.contains(&"moser".to_owned()), "{words:?}");
    let admin = clinic.admin();
    for patient in [greta, hans] {
        let input = crate::access::erasing(&admin, &patient).await;
        admin.does("erasePatient", input, "erasure { id }").await.ok();
    }
    assert_eq!(kept().await, before, "nothing tells of them");
}

/// Ids of whom a text finds, best first.
async fn found(caller: &Caller, text: &str) -> Vec<String> {
    let query = "query ($s: String) { patients(search: $s) { totalCount nodes { id } } }";
    let data = caller.graphql(query, json!({"s": text})).await.ok();
    let nodes = data["patients"]["nodes"].as_array().unwrap();
    nodes.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_the_world_are_found_as_people_type_them() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    // Given, family; texts that find them; texts that do not.
    let people: &[(&str, &str, &[&str], &[&str])] = &[
        ("Thị Hồng", "Trần", &["tran", "TRAN THI HONG", "Trần", "hong tran"], &["tranh xu", "tram dong"]),
        ("Ģirts", "Ķēniņš", &["girts", "kenins", "KENINS GIRTS"], &["kentucky"]),
        ("Ġorġ", "Żammit", &["gorg", "zammit"], &["zeppelin"]),
        ("Ọlá", "Ṣótúndé", &["ola", "sotunde"], &["olga"]),
        ("Γιώργος", "Παππάς", &["ΓΙΩΡΓΟΣ", "γιωργος", "παππας"], &["παπαδοπουλου"]),
        ("Götz", "Böhm", &["goetz", "gotz", "boehm", "Böhm Götz", "Goetz Boehm"], &["botham"]),
        ("Søren", "Ångström", &["soeren", "soren", "angstrom", "aangstroem"], &["soraya"]),
        ("小明", "王", &["王小明", "王", "小明", "小明 王"], &["王大", "明小"]),
        ("민수", "김", &["김민수", "민수"], &["박"]),
        ("Anil", "D’Sa", &["D‘Sa", "d sa", "dsa", "D'Sa"], &["da silva x"]),
        ("Sean", "O'Hara", &["ohara", "o hara", "O´Hara", "O`Hara"], &["omara q"]),
        ("می\u{200c}نا", "رضایی", &["مینا", "رضایی"], &["مريم"]),
        ("İbrahim", "Yıldız", &["ibrahim", "YILDIZ"], &["yolanda"]),
    ];
    for (given, family, by, not_by) in people {
        let patient = anna.patient(given, family).await;
        for text in *by {
            assert!(found(&anna, text).await.contains(&patient.id), "{given} {family} by {text}");
        }
        for text in *not_by {
            assert!(!found(&anna, text).await.contains(&patient.id), "{given} {family} by {text}");
        }
    }
    let names = anna.ask("{ patients(orderBy: {field: NAME}) { nodes { legalName { family } } } }").await;
    let names: Vec<&str> = names["patients"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["legalName"]["family"].as_str().unwrap())
        .collect();
    let latin: Vec<&str> = names
        .into_iter()
        .filter(|it| it.chars().next().is_some_and(|c| c < '\u{370}' || c > '\u{1e00}' && c < '\u{2000}'))
        .collect();
    assert_eq!(
        latin,
        ["Ångström", "Böhm", "D’Sa", "Ķēniņš", "O'Hara", "Ṣótúndé", "Trần", "Yıldız", "Żammit"],
        "without regard to accents"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_found_as_people_write_them() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    // What is kept; what finds it; what does not.
    let numbers: &[(&str, &[&str], &[&str])] = &[
        (
            "+33624917824",
            &[
                "+33 6 24 91 78 24",
                "06 24 91 78 24",
                "0624917824",
                "91 78 24",
                "0033 6 24 91 78 24",
                "06.24.91.78.24",
                "7824",
            ],
            &["06 24 91 78 25", "824"],
        ),
        (
            "+447700900417",
            &["07700 900417", "07700900417", "00447700900417", "+44 (0)7700 900417", "900417", "+44 770"],
            &["07700 900418", "+45 770"],
        ),
        ("+4532145678", &["+45 32 14 56 78", "32 14 56 78", "5678"], &["32 14 56 79"]),
        ("+12125550142", &["(212) 555-0142", "212 555 0142", "5550142"], &["(212) 555-0143"]),
        ("+390612345678", &["06 1234 5678", "+39 06 12345678"], &["06 1234 5679"]),
    ];
    for (kept, by, not_by) in numbers {
        let patient = anna.patient_with("Petra", "Phone", json!({"phone": kept})).await;
        for text in *by {
            assert!(found(&anna, text).await.contains(&patient.id), "{kept} by {text}");
        }
        for text in *not_by {
            assert!(!found(&anna, text).await.contains(&patient.id), "{kept} by {text}");
        }
    }
    // A country's own way to write its numbers, once the clinic has a location there.
    let moscow = json!({"name": "Moscow", "timeZone": "Europe/Moscow", "address": {"lines": ["1 Street"], "city": "Moscow", "country": "RU"}});
    admin.does("addLocation", moscow, "location { id }").await.ok();
    let patient = anna.patient_with("Nina", "Number", json!({"phone": "8 (495) 123-45-67"})).await;
    let query = "query ($phone: String) { patients(filter: {phone: $phone}) { totalCount nodes { id phone } } }";
    for (text, count) in [("8 495 123 45 67", 1), ("+74951234567", 1), ("+7 495 123 45 68", 0), ("123 45 67", 0)] {
        let answer = anna.graphql(query, json!({"phone": text})).await;
        if text == "123 45 67" {
            assert_eq!(answer.faults(), ["filter.phone"], "a part is no number");
            continue;
        }
        let answer = answer.ok();
        assert_eq!(answer["patients"]["totalCount"], count, "{text}");
        if count == 1 {
            assert_eq!(answer["patients"]["nodes"][0], json!({"id": patient.id, "phone": "+74951234567"}));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_exactly_this_comes_first() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let mut made = Vec::new();
    for (number, email) in [
        ("P-100075", "jo1234@x.example"),
        ("P-000075", "jo@x.example"),
        ("P-0000751", "jo12@x.example"),
        ("75", "jo1@x.example"),
    ] {
        made.push(anna.patient_with("Ida", "Index", json!({"chartNumber": number, "email": email})).await);
        for text in [number, email] {
            let first = found(&anna, text).await;
            assert_eq!(first.first(), made.last().map(|it| &it.id), "{text}");
        }
    }
    for (text, first) in [("P-100075", 0), ("p 000075", 1), ("000075", 1), ("jo12@x.example", 2), ("jo@x.example", 1)] {
        assert_eq!(found(&anna, text).await.first(), Some(&made[first].id), "{text}");
    }
    let mut named = Vec::new();
    for given in ["Joanne", "Jo", "Jocelyn"] {
        named.push(anna.patient(given, "Fimexelo").await.id);
    }
    let got = found(&anna, "jo fimexelo").await;
    assert_eq!((got.len(), got.first()), (3, Some(&named[1])), "a whole word before the start of one");
    let former = json!({"formerNames": [{"given": "Ada", "family": "Quux"}]});
    let was = anna.patient_with("Ada", "Byron", former).await.id;
    let is = anna.patient("Bea", "Quux").await.id;
    assert_eq!(found(&anna, "quux").await, [is, was], "a name of today before a former one");
    let filter = "query ($f: PatientFilter) { patients(filter: $f) { totalCount nodes { id } } }";
    for (condition, expected) in [
        (json!({"chartNumber": "P-000075"}), vec![&made[1].id]),
        (json!({"chartNumber": "p000075"}), vec![&made[1].id]),
        (json!({"chartNumber": "P-00007"}), vec![]),
        (json!({"email": "JO1@x.example"}), vec![&made[3].id]),
        (json!({"email": "jo1"}), vec![]),
        (json!({"email": "jo1@x.example", "chartNumber": "P-000075"}), vec![]),
    ] {
        let answer = anna.graphql(filter, json!({"f": condition})).await.ok();
        let ids: Vec<&str> =
            answer["patients"]["nodes"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{condition}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_search_go_on_from_exact_names_to_those_like_it() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    for (given, family) in
        [("Ann", "Berg"), ("Ann", "Berger"), ("Anna", "Berg"), ("Ann", "Bergh"), ("An", "Borg"), ("Aann", "Bergg")]
    {
        anna.patient(given, family).await;
    }
    let query = "query ($after: String) { patients(search: \"ann berg\", first: 1, after: $after) {
        totalCount pageInfo { hasNextPage endCursor } nodes { displayName } } }";
    let (mut after, mut walked) = (Value::Null, Vec::new());
    loop {
        let page = anna.graphql(query, json!({"after": after})).await.ok()["patients"].clone();
        walked.push(page["nodes"][0]["displayName"].as_str().unwrap().to_owned());
        assert_eq!(page["totalCount"], 5, "An Borg is too far");
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(walked.first().map(String::as_str), Some("Ann Berg"));
    assert_eq!(walked.last().map(String::as_str), Some("Aann Bergg"), "{walked:?}");
    assert_eq!(walked.iter().collect::<std::collections::HashSet<_>>().len(), 5, "{walked:?}");
}
