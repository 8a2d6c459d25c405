//! Joining an organisation: by one's own yes, and until then nothing is different anywhere.

use crate::support::*;
use futures::future::join_all;

const CHOSEN: &str = "a password of their own choice";

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// Adds somebody without a password: their staff member and the invitation.
async fn invite(by: &Caller, email: &str, role: &str) -> (Made, String) {
    let input = json!({"email": email, "displayName": "Both", "role": role});
    let added = by.does("addStaff", input, "staff { id version } invitationToken").await.ok()["addStaff"].clone();
    (Made::of(&added["staff"]), text(&added["invitationToken"]))
}

async fn accept(door: &Caller, token: &str, email: &str, password: &str) -> Answer {
    let input = json!({"token": token, "email": email, "password": password});
    door.does("acceptInvitation", input, "accepted organisationId").await
}

async fn again(by: &Caller, staff: &Made) -> Answer {
    by.does("createInvitationLink", json!({"staffId": staff.id}), "token expiresAt staff { id version }").await
}

async fn reset_link(by: &Caller, staff: &str) -> Answer {
    by.does("createPasswordResetLink", json!({"staffId": staff}), "token").await
}

async fn sign_in_to(door: &Caller, organisation: &Organisation, email: &str) -> Answer {
    let input = json!({"email": email, "password": PASSWORD, "organisationId": organisation.id});
    door.does("signIn", input, "staff { id organisation { name } }").await
}

async fn events_of(sql: &Sql, organisation: &Organisation) -> Vec<String> {
    sql.column(&format!("SELECT event FROM access_log WHERE org_id = '{}' ORDER BY seq", organisation.uuid)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_yes_nothing_is_different_elsewhere() {
    let clinic = Clinic::start().await;
    let (north, south, door) = (clinic.admin(), clinic.of(&clinic.south, Role::Admin), clinic.anonymous());
    let (stranger, sql) = (clinic.stranger(), clinic.database.superuser().await);
    let email = stranger.member.email.clone();
    let (place, _) = invite(&north, &email, "PRACTITIONER").await;
    let log = events_of(&sql, &clinic.north).await;
    // Signed in as ever, no organisation asked; nobody comes in here.
    stranger.ask("{ me { id } }").await;
    assert_eq!(door.sign_in(&email, PASSWORD).await.ok()["signIn"]["staff"]["id"], stranger.id());
    assert_eq!(sign_in_to(&door, &clinic.north, &email).await.code(), "UNAUTHENTICATED");
    assert_eq!(door.sign_in(&email, "a wrong password").await.code(), "UNAUTHENTICATED");
    clinic.refusals_logged().await;
    assert_eq!(events_of(&sql, &clinic.north).await, log, "its sign-ins are nothing to who invites");
    // Its own admin helps with a password; who invites can't, and learns nothing of it.
    reset_link(&south, stranger.id()).await.ok();
    assert_eq!(reset_link(&north, &place.id).await.faults(), ["input.staffId"]);
    sql.run(&format!("UPDATE account SET totp_confirmed_at = now() WHERE email = '{email}'")).await;
    let query = "query ($id: ID!) { staffMember(id: $id) { active invitedAt joinedAt secondFactor signIns { id } } }";
    let seen = north.graphql(query, json!({"id": place.id})).await.ok()["staffMember"].clone();
    assert_eq!(
        (&seen["active"], &seen["joinedAt"], &seen["secondFactor"], &seen["signIns"]),
        (&json!(true), &Value::Null, &json!(false), &json!([])),
    );
    assert!(seen["invitedAt"].is_string());
    let revoke = json!({"staffId": place.id});
    north.does("revokeStaffSignIns", revoke, "staff { id }").await.ok();
    stranger.ask("{ me { id } }").await;
    // A picture's link, mail and the rest go by the place too: there is none.
    assert_eq!(
        sql.one(&format!("SELECT count(*) FROM account_membership WHERE staff_id = '{}'", uuid_of(&place.id))).await,
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_the_same_whether_or_not_there_is_an_account() {
    let clinic = Clinic::start().await;
    let (north, stranger) = (clinic.admin(), clinic.stranger());
    let mut answers = Vec::new();
    for email in [stranger.member.email.as_str(), "nobody@yet.example"] {
        let input = json!({"email": email, "displayName": "Both", "role": "AUDITOR"});
        let shown = "staff { version email displayName role licenceNumber active joinedAt secondFactor signIns { id } } invitationToken invitationExpiresAt";
        let answer = north.does("addStaff", input, &format!("staff {{ id invitedAt createdAt }} {shown}")).await.ok();
        let mut answer = answer["addStaff"].clone();
        assert_eq!(answer["staff"]["invitedAt"], answer["staff"]["createdAt"]);
        let token = text(&answer["invitationToken"]);
        // Nor does a password that nobody could have.
        let weak = accept(&clinic.anonymous(), &token, email, "passwordpassword").await;
        assert_eq!(weak.faults(), ["input.password"], "{email}");
        for varying in ["id", "invitedAt", "createdAt", "email"] {
            answer["staff"][varying] = json!("varies");
        }
        answer["invitationToken"] = json!(token.len());
        answer["invitationExpiresAt"] = json!(answer["invitationExpiresAt"].is_string());
        answers.push(answer);
    }
    assert_eq!(answers[0], answers[1]);
    // Nor with a password, nor what an admin may do with such a staff member.
    let mut told = Vec::new();
    for email in ["another@yet.example", "admin@south.example"] {
        let input = json!({"email": email, "displayName": "X", "role": "AUDITOR", "password": CHOSEN});
        let shown = "staff { id version email displayName role active invitedAt joinedAt createdAt secondFactor signIns { id } } \
                     invitationToken invitationExpiresAt";
        let mut added = north.does("addStaff", input, shown).await.ok()["addStaff"].clone();
        let place = Made::of(&added["staff"]);
        assert_eq!(added["staff"]["joinedAt"], added["staff"]["createdAt"]);
        for varying in ["id", "joinedAt", "createdAt", "email"] {
            added["staff"][varying] = json!("varies");
        }
        let link = reset_link(&north, &place.id).await.outcome();
        let invited = again(&north, &place).await.faults().join(" ");
        let place = Made { version: 2, ..place };
        let promoted =
            north.does("updateStaff", place.edit_with(json!({"role": "ADMIN"})), "staff { version joinedAt }").await;
        assert_eq!(promoted.outcome(), "ok", "{}", promoted.text);
        let leaving = json!({"id": north.id(), "expectedVersion": 1, "active": false});
        let leaves = north.does("updateStaff", leaving, "staff { id }").await.outcome();
        told.push((added, link, invited, leaves));
    }
    assert_eq!(told[0], told[1]);
    assert_eq!((told[0].1.as_str(), told[0].3.as_str()), ("ok", "BAD_USER_INPUT"));
    assert!(told[0].0["invitationToken"].is_null());
    // It is a new account's alone.
    let door = clinic.anonymous();
    assert_eq!(door.sign_in("another@yet.example", CHOSEN).await.outcome(), "ok", "at once");
    assert_eq!(door.sign_in("admin@south.example", CHOSEN).await.outcome(), "UNAUTHENTICATED");
    assert_eq!(door.sign_in("admin@south.example", PASSWORD).await.outcome(), "ok", "as ever");
    // Who has signed in once is an admin: now the first may leave.
    let leaving = json!({"id": north.id(), "expectedVersion": 1, "active": false});
    north.does("updateStaff", leaving, "staff { id }").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_given_with_a_password_waits_for_the_owner_of_an_account() {
    let clinic = Clinic::start().await;
    let (north, door, stranger) = (clinic.admin(), clinic.anonymous(), clinic.stranger());
    let (email, sql) = (stranger.member.email.clone(), clinic.database.superuser().await);
    let input = json!({"email": email, "displayName": "Both", "role": "PRACTITIONER", "password": CHOSEN});
    let place = north.make("addStaff", "staff", input).await;
    let log = events_of(&sql, &clinic.north).await;
    // Nothing is different elsewhere, and nobody is here.
    assert_eq!(door.sign_in(&email, PASSWORD).await.ok()["signIn"]["staff"]["id"], stranger.id());
    assert_eq!(door.sign_in(&email, CHOSEN).await.code(), "UNAUTHENTICATED");
    let members = format!("SELECT count(*) FROM account_membership WHERE staff_id = '{}'", uuid_of(&place.id));
    clinic.refusals_logged().await;
    assert_eq!((sql.one(&members).await.as_str(), events_of(&sql, &clinic.north).await), ("0", log));
    // A link of the admin's who added them sets no password of theirs.
    let link = text(&reset_link(&north, &place.id).await.ok()["createPasswordResetLink"]["token"]);
    let reset = json!({"token": link, "newPassword": CHOSEN});
    let before = events_of(&sql, &clinic.south).await.len();
    assert_eq!(door.does("resetPassword", reset, "reset").await.faults(), ["input.token"]);
    clinic.refusals_logged().await;
    assert_eq!(events_of(&sql, &clinic.south).await[before..], ["sign_in_refused"], "their own organisation is told");
    // Naming the organisation, with their own password, is their yes. A wrong one is none, nor is a place that is closed.
    let wrong = json!({"email": email, "password": CHOSEN, "organisationId": clinic.north.id});
    assert_eq!(door.does("signIn", wrong, "token").await.code(), "UNAUTHENTICATED");
    let set = async |version: i64, active: bool| {
        let place = Made { version, id: place.id.clone() };
        north.make("updateStaff", "staff", place.edit_with(json!({"active": active}))).await
    };
    set(2, false).await;
    assert_eq!(sign_in_to(&door, &clinic.north, &email).await.code(), "UNAUTHENTICATED");
    set(3, true).await;
    assert_eq!(sql.one(&members).await, "0");
    let tries = join_all((0..3).map(|_| sign_in_to(&door, &clinic.north, &email))).await;
    for entered in tries {
        assert_eq!(entered.ok()["signIn"]["staff"]["id"], place.id.as_str());
    }
    assert_eq!(sql.one(&members).await, "1");
    assert_eq!(door.sign_in(&email, PASSWORD).await.faults(), ["input.organisationId"], "they have two places now");
    assert_eq!(events_of(&sql, &clinic.north).await.iter().filter(|it| *it == "invitation_accepted").count(), 1);
    let query = "query ($id: ID!) { staffMember(id: $id) { history { nodes { version by { id } } } } }";
    let seen = north.graphql(query, json!({"id": place.id})).await.ok()["staffMember"]["history"]["nodes"][0].clone();
    assert_eq!(seen, json!({"version": 5, "by": {"id": place.id}}), "they did it themselves");
    // Another account of that organisation can't enter it, nor one without a place.
    assert_eq!(sign_in_to(&door, &clinic.north, "admin@south.example").await.code(), "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_account_begins_with_the_password_that_its_owner_chose() {
    let clinic = Clinic::start().await;
    let (admin, door) = (clinic.admin(), clinic.anonymous());
    let (place, token) = invite(&admin, "new@north.example", "AUDITOR").await;
    assert_eq!(reset_link(&admin, &place.id).await.faults(), ["input.staffId"], "it has no password to set anew");
    let wrong = accept(&door, &token, "other@north.example", CHOSEN).await;
    assert_eq!(wrong.code(), "UNAUTHENTICATED", "whoever has the link knows for whom it is");
    let done = accept(&door, &token, " New@North.Example ", CHOSEN).await.ok();
    assert_eq!(done["acceptInvitation"], json!({"accepted": true, "organisationId": clinic.north.id}));
    assert_eq!(door.sign_in("new@north.example", CHOSEN).await.ok()["signIn"]["staff"]["id"], place.id.as_str());
    reset_link(&admin, &place.id).await.ok();
    // Invited twice at the same time: the first yes sets the password, the second proves it.
    let south = clinic.of(&clinic.south, Role::Admin);
    let (_, first) = invite(&admin, "both@new.example", "AUDITOR").await;
    let (_, second) = invite(&south, "both@new.example", "AUDITOR").await;
    accept(&door, &first, "both@new.example", CHOSEN).await.ok();
    assert_eq!(accept(&door, &second, "both@new.example", PASSWORD).await.code(), "UNAUTHENTICATED");
    accept(&door, &second, "both@new.example", CHOSEN).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_accepted_once_by_who_owns_the_account() {
    let clinic = Clinic::start().await;
    let (north, door, stranger) = (clinic.admin(), clinic.anonymous(), clinic.stranger());
    let (email, sql) = (stranger.member.email.clone(), clinic.database.superuser().await);
    let (place, old) = invite(&north, &email, "PRACTITIONER").await;
    let made = again(&north, &place).await.ok()["createInvitationLink"].clone();
    assert_eq!(made["staff"], json!({"id": place.id, "version": 2}));
    let token = text(&made["token"]);
    let days = "SELECT extract(epoch FROM expires_at - created_at)::int / 86400 FROM one_time_token";
    assert_eq!(sql.one(days).await, "7", "one row: the earlier one has ended");
    let kept = format!("SELECT count(*) FROM one_time_token t WHERE t::text LIKE '%{}%'", &token[7..]);
    assert_eq!(sql.one(&kept).await, "0", "no token is in the database");
    let reset = text(
        &reset_link(&clinic.of(&clinic.south, Role::Admin), stranger.id()).await.ok()["createPasswordResetLink"]["token"],
    );
    for not in [old.as_str(), "clinic_made_up", "", stranger.member.token.as_str(), reset.as_str()] {
        assert_eq!(accept(&door, not, &email, PASSWORD).await.faults(), ["input.token"], "{not}");
    }
    let as_reset = json!({"token": token, "newPassword": CHOSEN});
    assert_eq!(door.does("resetPassword", as_reset, "reset").await.faults(), ["input.token"], "it sets no password");
    let log = events_of(&sql, &clinic.south).await.len();
    for (address, password) in [(email.as_str(), CHOSEN), (north.member.email.as_str(), PASSWORD)] {
        let answer = accept(&door, &token, address, password).await;
        assert_eq!((answer.code(), answer.status.as_u16()), ("UNAUTHENTICATED", 401), "{address}");
    }
    clinic.refusals_logged().await;
    assert_eq!(events_of(&sql, &clinic.south).await[log..], ["sign_in_refused", "sign_in_refused"]);
    // Of many at once one is it.
    let tries = (0..8).map(|_| accept(&door, &token, &email, PASSWORD));
    let answers = join_all(tries).await;
    let outcomes: Vec<String> = answers.iter().map(Answer::outcome).collect();
    assert_eq!(outcomes.iter().filter(|it| *it == "ok").count(), 1, "{outcomes:?}");
    let others = answers.iter().filter(|it| it.outcome() != "ok");
    assert!(others.clone().all(|it| it.faults() == ["input.token"] || it.code() == "RATE_LIMITED"), "{outcomes:?}");
    assert_eq!(accept(&door, &token, &email, PASSWORD).await.faults(), ["input.token"]);
    assert_eq!(again(&north, &place).await.faults(), ["input.staffId"], "they are here");
    assert_eq!(events_of(&sql, &clinic.north).await.iter().filter(|it| *it == "invitation_accepted").count(), 1);
    // It was no sign-in, and changed nothing of the one that is open; now the sign-in says where to.
    stranger.ask("{ me { id } }").await;
    assert_eq!(door.sign_in(&email, PASSWORD).await.faults(), ["input.organisationId"]);
    let signed_in = sign_in_to(&door, &clinic.north, &email).await.ok();
    let here = json!({"id": place.id, "organisation": {"name": "north"}});
    assert_eq!(signed_in["signIn"]["staff"], here);
    let query = "query ($id: ID!) { staffMember(id: $id) { joinedAt history { nodes { version by { id } changes { field } } } } }";
    let seen = north.graphql(query, json!({"id": place.id})).await.ok()["staffMember"].clone();
    assert!(seen["joinedAt"].is_string());
    let newest = json!({"version": 3, "by": {"id": place.id}, "changes": [{"field": "joinedAt"}]});
    assert_eq!(seen["history"]["nodes"][0], newest, "they did it themselves");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_not_accepted_is_nobody_to_name_in_a_record() {
    let clinic = Clinic::start().await;
    let (north, anna, stranger) = (clinic.admin(), clinic.practitioner(), clinic.stranger());
    let (invited, token) = invite(&north, &stranger.member.email, "PRACTITIONER").await;
    let patient = anna.patient("Ada", "Lovelace").await;
    let text = anna.consent_text("DATA", json!({})).await;
    let session = |more: Value| {
        let mut input = session_to_sign(&patient, &anna.location);
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        input
    };
    let score = json!({"patientId": patient.id, "scale": "gais", "scaleVersion": "1-to-5", "score": 2,
        "raterRole": "BLINDED", "raterId": invited.id, "assessedAt": hours_ago(1)});
    let consultation = json!({"patientId": patient.id, "locationId": anna.location, "heldAt": hours_ago(5),
        "mode": "IN_PERSON", "practitionerId": invited.id});
    let named = [
        ("logSession", session(json!({"practitionerId": invited.id})), "practitionerId"),
        ("logSession", session(json!({"supervisorId": invited.id})), "supervisorId"),
        ("recordConsultation", consultation, "practitionerId"),
        ("recordOutcome", score, "raterId"),
        ("recordConsent", text.record(&patient, json!({"witnessId": invited.id})), "signing.witnessId"),
    ];
    for (mutation, input, path) in &named {
        let answer = anna.does(mutation, input.clone(), "__typename").await;
        assert_eq!(answer.faults(), [format!("input.{path}")], "{}", answer.text);
        assert!(answer.text.contains("has not accepted their invitation yet"), "{}", answer.text);
    }
    accept(&clinic.anonymous(), &token, &stranger.member.email, PASSWORD).await.ok();
    for (mutation, input, _) in named {
        anna.does(mutation, input, "__typename").await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_ends() {
    let clinic = Clinic::start().await;
    let (north, door, stranger) = (clinic.admin(), clinic.anonymous(), clinic.stranger());
    let (email, sql) = (stranger.member.email.clone(), clinic.database.superuser().await);
    let (place, token) = invite(&north, &email, "PRACTITIONER").await;
    // With the place.
    let place = north.make("updateStaff", "staff", place.edit_with(json!({"active": false}))).await;
    assert_eq!(accept(&door, &token, &email, PASSWORD).await.faults(), ["input.token"]);
    assert_eq!(again(&north, &place).await.faults(), ["input.staffId"]);
    let place = north.make("updateStaff", "staff", place.edit_with(json!({"active": true}))).await;
    assert_eq!(accept(&door, &token, &email, PASSWORD).await.faults(), ["input.token"], "for good");
    // By the clock.
    let token = text(&again(&north, &place).await.ok()["createInvitationLink"]["token"]);
    sql.run("UPDATE one_time_token SET expires_at = now()").await;
    assert_eq!(accept(&door, &token, &email, PASSWORD).await.faults(), ["input.token"]);
    // With the account.
    let token = text(&again(&north, &place).await.ok()["createInvitationLink"]["token"]);
    sql.run(&format!("UPDATE account SET disabled_at = now() WHERE email = '{email}'")).await;
    assert_eq!(accept(&door, &token, &email, PASSWORD).await.code(), "UNAUTHENTICATED");
    sql.run("UPDATE account SET disabled_at = NULL").await;
    // Wrong passwords wait as at sign-in, and there too.
    sql.run("DELETE FROM sign_in_failure").await;
    for _ in 0..5 {
        assert_eq!(accept(&door, &token, &email, CHOSEN).await.code(), "UNAUTHENTICATED");
    }
    sql.run("UPDATE sign_in_failure SET blocked_until = now() + interval '20 s' WHERE kind = 'email'").await;
    assert_eq!(accept(&door, &token, &email, PASSWORD).await.code(), "RATE_LIMITED");
    assert_eq!(door.sign_in(&email, PASSWORD).await.code(), "RATE_LIMITED");
    sql.run("UPDATE sign_in_failure SET blocked_until = now() - interval '1 s'").await;
    accept(&door, &token, &email, PASSWORD).await.ok();
    assert_eq!(sql.one("SELECT count(*) FROM sign_in_failure WHERE kind = 'email'").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_are_the_admins_of_the_organisation() {
    let clinic = Clinic::start().await;
    let north = clinic.admin();
    let (place, token) = invite(&north, "new@north.example", "ADMIN").await;
    for (who, code) in [
        (clinic.practitioner(), "FORBIDDEN"),
        (clinic.auditor(), "FORBIDDEN"),
        (clinic.of(&clinic.south, Role::Admin), "NOT_FOUND"),
    ] {
        assert_eq!(again(&who, &place).await.code(), code, "{:?}", who.role());
    }
    // Who has not accepted is no admin yet: the last one stays.
    let leaving = json!({"id": north.id(), "expectedVersion": 1, "active": false});
    assert_eq!(north.does("updateStaff", leaving.clone(), "staff { id }").await.faults(), ["input.id"]);
    accept(&clinic.anonymous(), &token, "new@north.example", CHOSEN).await.ok();
    north.does("updateStaff", leaving, "staff { id }").await.ok();
    // A retry finds them added, and shows no token again: the first holds still.
    let input = json!({"id": new_id("staff"), "email": "again@south.example", "displayName": "A", "role": "AUDITOR"});
    let south = clinic.of(&clinic.south, Role::Admin);
    let tries =
        async || south.does("addStaff", input.clone(), "staff { id } invitationToken").await.ok()["addStaff"].clone();
    let (first, second) = (tries().await, tries().await);
    assert_eq!((&first["staff"], &second["invitationToken"]), (&second["staff"], &Value::Null));
    accept(&clinic.anonymous(), &text(&first["invitationToken"]), "again@south.example", CHOSEN).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_link_is_for_the_only_place_that_is_active() {
    let clinic = Clinic::start().await;
    let (north, south, door) = (clinic.admin(), clinic.of(&clinic.south, Role::Admin), clinic.anonymous());
    let stranger = clinic.stranger();
    let email = stranger.member.email.clone();
    let link = async || text(&reset_link(&south, stranger.id()).await.ok()["createPasswordResetLink"]["token"]);
    let reset =
        async |token: &str| door.does("resetPassword", json!({"token": token, "newPassword": PASSWORD}), "reset").await;
    let (place, token) = invite(&north, &email, "PRACTITIONER").await;
    let before = link().await;
    accept(&door, &token, &email, PASSWORD).await.ok();
    assert_eq!(reset(&before).await.faults(), ["input.token"], "it would open another organisation");
    for (admin, staff) in [(&north, place.id.as_str()), (&south, stranger.id())] {
        assert_eq!(reset_link(admin, staff).await.code(), "FORBIDDEN");
    }
    // A place that is closed does not count, unless it is opened before the link is used.
    let set = async |place: &Made, active: bool| {
        north.make("updateStaff", "staff", place.edit_with(json!({"active": active}))).await
    };
    let place = set(&Made { version: 2, ..place }, false).await;
    assert_eq!(reset_link(&north, &place.id).await.faults(), ["input.staffId"]);
    let token = link().await;
    let place = set(&place, true).await;
    assert_eq!(reset(&token).await.faults(), ["input.token"]);
    set(&place, false).await;
    let token = link().await;
    reset(&token).await.ok();
    assert_eq!(reset(&token).await.faults(), ["input.token"]);
}
