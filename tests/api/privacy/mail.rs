//! Admins are told of emergency access by mail.

use super::{begin, restrict};
use crate::support::*;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// A mail server on loopback that takes everything: its address, and what it took, each as recipient and text.
pub async fn mail_server() -> (String, Arc<Mutex<Vec<(String, String)>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("smtp://{}", listener.local_addr().expect("an address"));
    let taken = Arc::new(Mutex::new(Vec::new()));
    let mails = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mails = Arc::clone(&mails);
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                write.write_all(b"220 test ESMTP\r\n").await.ok()?;
                let (mut to, mut text, mut in_data) = (String::new(), String::new(), false);
                while let Ok(Some(line)) = lines.next_line().await {
                    let answer = if in_data {
                        if line != "." {
                            text += &line;
                            text.push('\n');
                            continue;
                        }
                        in_data = false;
                        mails.lock().expect("a list").push((std::mem::take(&mut to), std::mem::take(&mut text)));
                        "250 taken"
                    } else if line.starts_with("EHLO") {
                        "250 test"
                    } else if line.starts_with("RCPT TO:") {
                        to = line.trim_start_matches("RCPT TO:<").split('>').next().unwrap_or_default().to_owned();
                        "250 fine"
                    } else if line == "DATA" {
                        in_data = true;
                        "354 go on"
                    } else if line == "QUIT" {
                        "221 bye"
                    } else {
                        "250 fine"
                    };
                    write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
                }
                Some(())
            });
        }
    });
    (address, taken)
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !done().await {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_are_told_by_mail_and_what_could_not_be_sent_is_sent_later() {
    let mut clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let more = |email: &str| json!({"email": email, "displayName": "Bo", "role": "ADMIN", "password": PASSWORD});
    admin.make("addStaff", "staff", more("second@north.example")).await;
    let invited = json!({"email": "invited@north.example", "displayName": "Bo", "role": "ADMIN"});
    admin.make("addStaff", "staff", invited).await;
    let left = admin.make("addStaff", "staff", more("left@north.example")).await;
    admin.make("updateStaff", "staff", left.edit_with(json!({"active": false}))).await;
    let patient = anna.patient_with("Zoë", "Ramírez", json!({"chartNumber": "P-000001"})).await;
    let other = anna.patient_with("Ian", "Smith", json!({"chartNumber": "P-000002"})).await;
    restrict(&clinic, &patient).await;
    begin(&anna, &patient).await.ok();
    let sql = clinic.database.superuser().await;
    let untold = "SELECT count(*) FROM emergency_access WHERE alerted_at IS NULL";
    assert_eq!(sql.one(untold).await, "1");
    // A server that takes no mail: it waits.
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    clinic.restart(&["--smtp-url", &format!("smtp://{nobody}"), "--mail-from", "clinic@north.example"]).await;
    begin(&clinic.practitioner(), &other).await.ok();
    assert_eq!(sql.one(untold).await, "2");
    let (address, taken) = mail_server().await;
    clinic.restart(&["--smtp-url", &address, "--mail-from", "Clinic <clinic@north.example>"]).await;
    until("both are told", async || sql.one(untold).await == "0").await;
    let mails = taken.lock().expect("a list").clone();
    let told: BTreeSet<&str> = mails.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!((mails.len(), told), (4, BTreeSet::from(["admin@north.example", "second@north.example"])));
    let text = mails.iter().map(|(_, text)| text.as_str()).collect::<String>();
    for word in [
        "P-000001",
        "P-000002",
        "NORTH practitioner",
        "emergency_access_",
        "reviewEmergencyAccess",
        "From: Clinic <clinic@north.example>",
    ] {
        assert!(text.contains(word), "{word} {text}");
    }
    for word in ["Ram", "Zo", "Smith", "Unconscious", "patient_0"] {
        assert!(!text.contains(word), "{word} {text}");
    }
    // And at once, where the server takes it.
    let third = clinic.practitioner().patient("Ada", "Lovelace").await;
    begin(&clinic.front_desk(), &third).await.ok();
    until("the third is told", async || taken.lock().expect("a list").len() == 6).await;
    until("it is noted", async || sql.one(untold).await == "0").await;
    let list = clinic.admin().ask("{ emergencyAccesses { nodes { alertedAt version } } }").await;
    assert!(
        list["emergencyAccesses"]["nodes"].as_array().expect("a list").iter().all(|it| it["alertedAt"].is_string())
    );
    assert_eq!(crate::ledger::broken(&sql, "ledger", clinic.north.uuid).await, None);
}
