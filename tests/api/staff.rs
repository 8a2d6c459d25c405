//! Staff, locations, the organisation.

use crate::support::*;

const MEMBER: &str = "staff { id version email displayName role licenceNumber active }";
const PLACE: &str = "location { id version name timeZone address { lines city country } phone active }";

fn with(mut input: Value, more: Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

async fn hire(clinic: &Clinic, name: &str, role: Role) -> SignedIn {
    let email = format!("{}@north.example", name.to_lowercase());
    let input = json!({"email": email, "displayName": name, "role": role.word().to_uppercase(), "password": PASSWORD});
    let id = clinic.admin().make("addStaff", "staff", input).await.id;
    let token = clinic.anonymous().sign_in(&email, PASSWORD).await.ok()["signIn"]["token"].as_str().unwrap().to_owned();
    SignedIn::new(&clinic.anonymous(), &clinic.north, StaffMember { role, email, id, token })
}

/// Another practitioner of the north.
pub async fn colleague(clinic: &Clinic, name: &str) -> SignedIn {
    hire(clinic, name, Role::Practitioner).await
}

async fn outcome_of_me(who: &Caller) -> String {
    who.graphql("{ me { id } }", json!({})).await.outcome()
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_added_signs_in_and_is_changed() {
    let clinic = Clinic::start().await;
    let admin = clinic.admin();
    let input = json!({"email": " Bea@North.Example ", "displayName": "Bea", "role": "PRACTITIONER", "licenceNumber": "L-1", "password": PASSWORD});
    let added = admin.does("addStaff", input.clone(), MEMBER).await.ok()["addStaff"]["staff"].clone();
    let expected = json!({
        "id": added["id"], "version": 1, "email": "bea@north.example", "displayName": "Bea", "role": "PRACTITIONER", "licenceNumber": "L-1", "active": true,
    });
    assert_eq!(added, expected);
    assert_eq!(admin.does("addStaff", input, MEMBER).await.code(), "CONFLICT", "twice");
    let token = clinic.anonymous().sign_in("BEA@north.example", PASSWORD).await.ok()["signIn"]["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let bea = clinic.anonymous().with_token(&token);
    let register = async || {
        let input = json!({"legalName": {"given": "A", "family": "B"}, "birthDate": "1990-01-01"});
        bea.does("registerPatient", input, "patient { id }").await.outcome()
    };
    assert_eq!(register().await, "ok");

    // A changed role, and a place taken away, hold from the next request on.
    let edit = |version: i64, more: Value| with(json!({"id": added["id"], "expectedVersion": version}), more);
    let same = admin.does("updateStaff", edit(1, json!({})), MEMBER).await.ok()["updateStaff"]["staff"].clone();
    assert_eq!(same, with(expected, json!({"version": 2})));
    let changed = admin
        .does("updateStaff", edit(2, json!({"role": "AUDITOR", "displayName": "Bea B", "licenceNumber": null})), MEMBER)
        .await
        .ok();
    let changed = &changed["updateStaff"]["staff"];
    assert_eq!(
        (&changed["role"], &changed["displayName"], &changed["licenceNumber"]),
        (&json!("AUDITOR"), &json!("Bea B"), &Value::Null)
    );
    assert_eq!(register().await, "FORBIDDEN");
    let stale = admin.does("updateStaff", edit(2, json!({"active": false})), MEMBER).await;
    assert_eq!((stale.code(), &stale.errors[0]["extensions"]["currentVersion"]), ("CONFLICT", &json!(3)));
    admin.does("updateStaff", edit(3, json!({"active": false})), MEMBER).await.ok();
    assert_eq!(outcome_of_me(&bea).await, "UNAUTHENTICATED");
    assert_eq!(clinic.anonymous().sign_in("bea@north.example", PASSWORD).await.code(), "UNAUTHENTICATED");
    admin.does("updateStaff", edit(4, json!({"active": true})), MEMBER).await.ok();
    assert_eq!(outcome_of_me(&bea).await, "UNAUTHENTICATED", "what was ended stays ended");
    clinic.anonymous().sign_in("bea@north.example", PASSWORD).await.ok();

    let query = "query ($id: ID!) { staffMember(id: $id) { history { nodes { version action by { id } changes { field } } } } }";
    let history = admin.graphql(query, json!({"id": added["id"]})).await.ok();
    let nodes = history.pointer("/staffMember/history/nodes").unwrap();
    assert_eq!((&nodes[2]["version"], &nodes[2]["by"]["id"]), (&json!(3), &json!(admin.id())));
    assert_eq!(nodes[2]["changes"], json!([{"field": "displayName"}, {"field": "licenceNumber"}, {"field": "role"}]));
    assert!(!history.to_string().contains("argon2"), "no password's hash in a history");
}

/// Whatever opened a place before it was closed opens it no more when it is opened again.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_opened_again_revives_nothing() {
    let clinic = Clinic::start().await;
    let (admin, door, sql) = (clinic.admin(), clinic.anonymous(), clinic.database.superuser().await);
    let bea = hire(&clinic, "Bea", Role::Practitioner).await;
    let mut version = 1;
    let mut change = async |more: Value| {
        let input = with(json!({"id": bea.id(), "expectedVersion": version}), more);
        let answer = admin.does("updateStaff", input, "staff { version }").await.ok();
        version = answer["updateStaff"]["staff"]["version"].as_i64().expect("a number");
    };
    // A sign-in, one whose token was replaced just now, a challenge, a link to set a password, an address of a photo's bytes.
    let again = door.sign_in(&bea.member.email, PASSWORD).await.ok();
    let old = door.with_token(again["signIn"]["token"].as_str().expect("a token"));
    let renewed = old.does("confirmIdentity", json!({"password": PASSWORD}), "token").await.ok();
    let newer = door.with_token(renewed["confirmIdentity"]["token"].as_str().expect("a token"));
    let challenge = format!("clinic_{:A>43}", "challenge");
    sql.run(&format!(
        "INSERT INTO one_time_token (token_hash, purpose, account_id, org_id, staff_id, tries, created_at, expires_at) \
         SELECT sha256('{challenge}'), 'sign_in', account_id, org_id, staff_id, 0, now(), now() + interval '5 min' \
         FROM account_membership JOIN account a ON a.id = account_id WHERE a.email = '{}'",
        bea.member.email
    ))
    .await;
    let link =
        admin.does("createPasswordResetLink", json!({"staffId": bea.id()}), "token staff { version }").await.ok();
    let link = link["createPasswordResetLink"].clone();
    change(json!({"expectedVersion": link["staff"]["version"], "active": false})).await;
    let held = "SELECT count(*) FROM one_time_token WHERE used_at IS NULL AND purpose <> 'invitation'";
    assert_eq!(sql.one(held).await, "0", "a challenge and a link to set a password");
    change(json!({"active": true})).await;
    for who in [&*bea, &old, &newer, &door.with_token(&challenge)] {
        assert_eq!(outcome_of_me(who).await, "UNAUTHENTICATED");
    }
    let reset = json!({"token": link["token"], "newPassword": "another one for the tests"});
    assert_eq!(door.does("resetPassword", reset, "reset").await.faults(), ["input.token"]);
    // Nor what was made while it was closed, or before closing ended anything.
    change(json!({"active": false})).await;
    sql.run("UPDATE sign_in SET ended_at = NULL").await;
    sql.run("UPDATE one_time_token SET used_at = NULL").await;
    change(json!({"active": true})).await;
    assert_eq!(
        (outcome_of_me(&bea).await, outcome_of_me(&newer).await),
        ("UNAUTHENTICATED".to_owned(), "UNAUTHENTICATED".to_owned())
    );
    assert_eq!(sql.one(held).await, "0");
    // A new sign-in opens it; another role, or a change of the name, ends none.
    let fresh = door.sign_in(&bea.member.email, PASSWORD).await.ok();
    let fresh = door.with_token(fresh["signIn"]["token"].as_str().expect("a token"));
    change(json!({"role": "AUDITOR"})).await;
    change(json!({"role": "PRACTITIONER"})).await;
    change(json!({"displayName": "Bea B", "active": true})).await;
    assert_eq!(outcome_of_me(&fresh).await, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_an_addition_are_told_at_once() {
    let clinic = Clinic::start().await;
    let admin = clinic.admin();
    let faulty = json!({"id": "x", "email": "nobody", "displayName": " ", "role": "ADMIN", "licenceNumber": "x".repeat(101), "password": "elevenchars"});
    let answer = admin.does("addStaff", faulty, MEMBER).await;
    assert_eq!(
        answer.faults(),
        ["id", "email", "displayName", "licenceNumber", "password"].map(|path| format!("input.{path}"))
    );
    let empty = json!({"email": " ", "displayName": "A", "role": "ADMIN", "password": "x".repeat(1025)});
    let answer = admin.does("addStaff", empty, MEMBER).await;
    assert_eq!(answer.faults(), ["input.password", "input.email"]);
    assert!(!answer.text.contains("xxxx"), "a password is not said back");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_stays() {
    let clinic = Clinic::start().await;
    let admin = clinic.admin();
    let edit = |id: &str, version: i64, more: Value| with(json!({"id": id, "expectedVersion": version}), more);
    for more in [json!({"active": false}), json!({"role": "AUDITOR"})] {
        let answer = admin.does("updateStaff", edit(admin.id(), 1, more), MEMBER).await;
        assert_eq!((answer.code(), answer.faults()), ("BAD_USER_INPUT", vec!["input.id"]));
    }
    assert_eq!(outcome_of_me(&admin).await, "ok");
    // Of two who leave at the same moment one stays.
    let other = hire(&clinic, "Otto", Role::Admin).await;
    let (one, two) = tokio::join!(
        admin.does("updateStaff", edit(admin.id(), 1, json!({"role": "FRONT_DESK"})), MEMBER),
        other.does("updateStaff", edit(other.id(), 1, json!({"active": false})), MEMBER),
    );
    let mut outcomes = [one.outcome(), two.outcome()];
    outcomes.sort();
    assert_eq!(outcomes, ["BAD_USER_INPUT", "ok"]);
    let left = clinic.database.superuser().await;
    let left = left
        .one(&format!(
            "SELECT count(*) FROM staff WHERE role = 'admin' AND active AND org_id = '{}'",
            clinic.north.uuid
        ))
        .await;
    assert_eq!(left, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_by_a_link_ends_every_sign_in() {
    let clinic = Clinic::start().await;
    let (admin, anybody) = (clinic.admin(), clinic.anonymous());
    let (bob, also_bob) = (clinic.practitioner(), clinic.sign_in_again(&clinic.north, Role::Practitioner).await);
    let about = json!({"staffId": bob.id()});
    let made = async || {
        let made = admin.does("createPasswordResetLink", about.clone(), "token expiresAt staff { id version }").await;
        made.ok()["createPasswordResetLink"].clone()
    };
    let reset = async |token: &Value, password: &str| {
        anybody.does("resetPassword", json!({"token": token, "newPassword": password}), "reset").await
    };
    let (old, link) = (made().await, made().await);
    assert_eq!(link["staff"], json!({"id": bob.id(), "version": 3}), "who made a link for whom is in the ledger");
    assert_eq!((outcome_of_me(&bob).await, outcome_of_me(&also_bob).await), ("ok".to_owned(), "ok".to_owned()));
    let new = "another one for the tests";
    assert_eq!(reset(&old["token"], new).await.faults(), ["input.token"], "the newest holds alone");
    assert_eq!(reset(&json!("clinic_made_up"), new).await.faults(), ["input.token"]);
    for weak in ["short", "passwordpassword", "practitioner@north.example"] {
        let answer = reset(&link["token"], weak).await;
        assert_eq!(answer.faults(), ["input.newPassword"], "{weak}");
        assert!(!answer.text.contains(weak), "a password is not said back");
    }
    // Of many at once one sets its password.
    let tries = (0..8).map(|i| {
        let (anybody, token) = (anybody.clone(), link["token"].clone());
        async move {
            let input = json!({"token": token, "newPassword": format!("number {i} of some tries")});
            anybody.does("resetPassword", input, "reset").await.outcome()
        }
    });
    let outcomes = futures::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "ok").count(), 1, "{outcomes:?}");
    assert_eq!(reset(&link["token"], new).await.faults(), ["input.token"]);
    for ended in [&bob, &also_bob] {
        assert_eq!(outcome_of_me(ended).await, "UNAUTHENTICATED");
    }
    assert_eq!(anybody.sign_in(&bob.member.email, PASSWORD).await.code(), "UNAUTHENTICATED");
    let won = outcomes.iter().position(|outcome| outcome == "ok").expect("one");
    let bob = anybody.sign_in(&bob.member.email, &format!("number {won} of some tries")).await.ok();
    assert_ne!(bob["signIn"]["token"], Value::Null);
    // A link is over after an hour, and when the password is changed otherwise.
    let link = made().await;
    let sql = clinic.database.superuser().await;
    sql.run("UPDATE one_time_token SET expires_at = now() WHERE used_at IS NULL").await;
    assert_eq!(reset(&link["token"], new).await.faults(), ["input.token"]);
    let kept = "SELECT extract(epoch FROM expires_at - created_at)::int FROM one_time_token WHERE expires_at > now()";
    made().await;
    assert_eq!(sql.one(kept).await, "3600");
    for (who, code) in [
        (clinic.stranger(), "FORBIDDEN"),
        (clinic.of(&clinic.south, Role::Admin), "NOT_FOUND"),
        (clinic.auditor(), "FORBIDDEN"),
    ] {
        assert_eq!(who.does("createPasswordResetLink", about.clone(), "token").await.code(), code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_of_two_organisations_says_which_and_keeps_their_password() {
    let clinic = Clinic::start().await;
    let (north, south) = (clinic.admin(), clinic.of(&clinic.south, Role::Admin));
    let stranger = clinic.stranger();
    let input = json!({"email": stranger.member.email, "displayName": "Both", "role": "PRACTITIONER", "password": "not their password"});
    let (place, anybody) = (north.make("addStaff", "staff", input).await, clinic.anonymous());
    // Naming it is their yes.
    let entering = json!({"email": stranger.member.email, "password": PASSWORD, "organisationId": clinic.north.id});
    anybody.does("signIn", entering, "token").await.ok();
    assert_eq!(anybody.sign_in(&stranger.member.email, "not their password").await.code(), "UNAUTHENTICATED");
    assert_eq!(anybody.sign_in(&stranger.member.email, PASSWORD).await.faults(), ["input.organisationId"]);
    for (organisation, staff) in [(&clinic.north, place.id.as_str()), (&clinic.south, stranger.id())] {
        let input = json!({"email": stranger.member.email, "password": PASSWORD, "organisationId": organisation.id});
        let answer = anybody.does("signIn", input, "staff { id organisation { name } }").await.ok();
        assert_eq!(answer["signIn"]["staff"], json!({"id": staff, "organisation": {"name": organisation.name}}));
    }
    for (admin, staff) in [(&north, place.id.as_str()), (&south, stranger.id())] {
        assert_eq!(
            admin.does("createPasswordResetLink", json!({"staffId": staff}), "token").await.code(),
            "FORBIDDEN",
            "it opens another organisation too"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_manage_and_everybody_reads() {
    let clinic = Clinic::start().await;
    let someone = json!({"email": "x@north.example", "displayName": "X", "role": "AUDITOR", "password": PASSWORD});
    let admin = clinic.admin();
    for who in [clinic.practitioner(), clinic.front_desk(), clinic.auditor()] {
        for (mutation, input, payload) in [
            ("addStaff", someone.clone(), "staff"),
            ("updateStaff", json!({"id": who.id(), "expectedVersion": 1, "role": "ADMIN"}), "staff"),
            ("createInvitationLink", json!({"staffId": admin.id()}), "staff"),
            ("createPasswordResetLink", json!({"staffId": admin.id()}), "staff"),
            ("revokeStaffSignIns", json!({"staffId": admin.id()}), "staff"),
            ("addLocation", json!({"name": "X", "timeZone": "UTC"}), "location"),
            ("updateLocation", json!({"id": who.location, "expectedVersion": 1, "active": false}), "location"),
            ("updateOrganisation", json!({"name": "X", "expectedVersion": 1}), "organisation"),
        ] {
            let answer = who.does(mutation, input, &format!("{payload} {{ id }}")).await;
            assert_eq!(answer.outcome(), "FORBIDDEN", "{:?} {mutation}", who.role());
        }
        let read = who
            .ask("{ me { id role } staff { totalCount } organisation { name locations { nodes { id timeZone } } } }")
            .await;
        assert_eq!((&read["me"]["id"], &read["staff"]["totalCount"]), (&json!(who.id()), &json!(4)));
        assert_eq!(
            read["organisation"],
            json!({"name": "north", "locations": {"nodes": [{"id": who.location, "timeZone": "Europe/Madrid"}]}})
        );
    }
    let query = "query ($f: StaffFilter) { staff(filter: $f) { nodes { role } } }";
    for (filter, count) in [
        (json!({"role": "ADMIN"}), 1),
        (json!({"active": true}), 4),
        (json!({"active": false}), 0),
        (json!({"active": true, "role": "AUDITOR"}), 1),
    ] {
        let found = admin.graphql(query, json!({"f": filter})).await.ok();
        assert_eq!(found["staff"]["nodes"].as_array().unwrap().len(), count, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_has_a_real_time_zone_and_a_name_of_its_own() {
    let clinic = Clinic::start().await;
    let (admin, anna) = (clinic.admin(), clinic.practitioner());
    let given = json!({"name": "Harbour", "timeZone": "America/Argentina/Ushuaia", "address": {"lines": ["Quay 1"], "city": "Ushuaia", "country": "AR"}, "phone": "+542901123456"});
    let added = admin.does("addLocation", given.clone(), PLACE).await.ok()["addLocation"]["location"].clone();
    assert_eq!(added, with(given.clone(), json!({"id": added["id"], "version": 1, "active": true})));
    assert_eq!(admin.does("addLocation", given, PLACE).await.code(), "CONFLICT", "the name is taken");
    for zone in ["Europe/Atlantis", "europe/madrid ", "", "+01:00", "CEST", "../etc/passwd"] {
        let answer = admin.does("addLocation", json!({"name": "X", "timeZone": zone}), PLACE).await;
        assert_eq!((answer.code(), answer.faults()), ("BAD_USER_INPUT", vec!["input.timeZone"]), "{zone}");
    }
    let faulty = json!({"name": "", "timeZone": "x", "address": {"lines": [], "country": "Spain"}, "phone": "1"});
    let answer = admin.does("addLocation", faulty, PLACE).await;
    assert_eq!(
        answer.faults(),
        ["name", "timeZone", "address.lines", "address.country", "phone"].map(|path| format!("input.{path}"))
    );

    let edit = |version: i64, more: Value| with(json!({"id": added["id"], "expectedVersion": version}), more);
    let same = admin.does("updateLocation", edit(1, json!({})), PLACE).await.ok()["updateLocation"]["location"].clone();
    assert_eq!(same, with(added.clone(), json!({"version": 2})));
    assert_eq!(
        admin.does("updateLocation", edit(2, json!({"timeZone": "Mars/Olympus"})), PLACE).await.faults(),
        ["input.timeZone"]
    );
    assert_eq!(admin.does("updateLocation", edit(2, json!({"name": "Main Street"})), PLACE).await.code(), "CONFLICT");
    let stale = admin.does("updateLocation", edit(1, json!({"name": "Z"})), PLACE).await;
    assert_eq!((stale.code(), &stale.errors[0]["extensions"]["currentVersion"]), ("CONFLICT", &json!(2)));
    let closed = json!({"address": null, "phone": null, "active": false, "timeZone": "UTC"});
    let closed = admin.does("updateLocation", edit(2, closed), PLACE).await.ok()["updateLocation"]["location"].clone();
    assert_eq!(
        closed,
        with(added.clone(), json!({"version": 3, "address": null, "phone": null, "active": false, "timeZone": "UTC"}))
    );
    let patient = anna.patient("Ada", "Lovelace").await;
    let at_closed = session_to_sign(&patient, added["id"].as_str().unwrap());
    assert_eq!(
        anna.does("logSession", at_closed, "session { id }").await.faults(),
        ["input.locationId"],
        "a closed place takes no new record"
    );
    for (active, count) in [("true", 1), ("false", 1)] {
        let found = admin.ask(&format!("{{ organisation {{ locations(active: {active}) {{ totalCount }} }} }}")).await;
        assert_eq!(found["organisation"]["locations"]["totalCount"], count);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_organisation_is_renamed() {
    let clinic = Clinic::start().await;
    let admin = clinic.admin();
    let rename = |name: &str, version: i64| json!({"name": name, "expectedVersion": version});
    let renamed =
        admin.does("updateOrganisation", rename("Northern Skin", 1), "organisation { name version }").await.ok();
    assert_eq!(renamed["updateOrganisation"]["organisation"], json!({"name": "Northern Skin", "version": 2}));
    let stale = admin.does("updateOrganisation", rename("X", 1), "organisation { name }").await;
    assert_eq!((stale.code(), &stale.errors[0]["extensions"]["currentVersion"]), ("CONFLICT", &json!(2)));
    assert_eq!(
        admin.does("updateOrganisation", rename(" ", 2), "organisation { name }").await.faults(),
        ["input.name"]
    );
    let history = admin.ask("{ organisation { history { nodes { version changes { field before after } } } } }").await;
    let newest = history.pointer("/organisation/history/nodes/0").unwrap();
    assert_eq!(
        newest,
        &json!({"version": 2, "changes": [{"field": "name", "before": "north", "after": "Northern Skin"}]})
    );
}
