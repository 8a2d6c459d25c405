//! TLS on the way to Postgres, on a server of its own that takes nobody without, and what is said when it fails.

use crate::binary::{Ended, run};
use crate::support::*;
use clinic::db::Address;
use clinic::db::embedded::find_tool;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Made and run by whoever Postgres may run as; it ends with the pipe.
const SCRIPT: &str = r#"
    set -eu
    work=$1 bin=$2 port=$3 as=
    cd /
    if [ "$(id -u)" = 0 ]; then
        user=$(for name in postgres nobody; do id -u "$name" >/dev/null 2>&1 && { echo "$name"; break; }; done)
        as="setpriv --reuid $user --regid $(id -g "$user") --clear-groups"
        chown -R "$user" "$work"
    fi
    $as "$bin/initdb" -D "$work/data" -U postgres --auth=scram-sha-256 --pwfile="$work/password" --encoding=UTF8 \
        --locale=C -N >"$work/initdb.log" 2>&1
    $as sh -c 'cat >"$0/data/pg_hba.conf"' "$work" <<HBA
local all all scram-sha-256
hostssl clinic,other,postgres all 127.0.0.1/32 scram-sha-256
hostnossl plain all 127.0.0.1/32 scram-sha-256
HBA
    $as "$bin/postgres" -D "$work/data" -c port="$port" -c listen_addresses=127.0.0.1 -c fsync=off \
        -c unix_socket_directories="$work" -c ssl=on -c ssl_cert_file="$work/server.pem" \
        -c ssl_key_file="$work/server.key" >"$work/log" 2>&1 </dev/null &
    pid=$!
    read -r _ || true
    kill -INT "$pid"
    wait "$pid" || true"#;

const PASSWORD: &str = "for the tests";

struct Server {
    shell: Child,
    folder: TempDir,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// An authority, and a certificate of its for `localhost`: each PEM, the latter with its key.
fn authority() -> (String, String, String) {
    let (root_key, key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, new_id("root"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&root_key).expect("a root").pem();
    let issuer = Issuer::new(params, root_key);
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let leaf = params.signed_by(&key, &issuer).expect("a certificate");
    (root, leaf.pem(), key.serialize_pem())
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("clinic-pg-tls-").tempdir().expect("a folder");
        let (root, certificate, key) = authority();
        let stranger = authority().0;
        let texts = [("root.pem", &root), ("server.pem", &certificate), ("server.key", &key), ("other.pem", &stranger)];
        for (name, text) in texts {
            let mut options = std::fs::OpenOptions::new();
            std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o600);
            options.open(folder.path().join(name)).unwrap().write_all(text.as_bytes()).unwrap();
        }
        std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
        let bin = find_tool("initdb", None, 15).expect("initdb");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT, "sh"]).arg(folder.path()).arg(bin.parent().unwrap()).arg(port.to_string());
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a shell");
        let server = Self { shell, folder, port };
        let begun = std::time::Instant::now();
        while let Err(why) = server.ask("postgres", "sslmode=require", "SELECT 'here'").await {
            assert!(begun.elapsed() < Duration::from_secs(60), "{why}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        for statement in [
            format!("CREATE ROLE clinic_owner LOGIN CREATEROLE PASSWORD '{PASSWORD}'"),
            "CREATE DATABASE clinic OWNER clinic_owner".to_owned(),
            "CREATE DATABASE other OWNER clinic_owner".to_owned(),
            "CREATE DATABASE plain OWNER clinic_owner".to_owned(),
        ] {
            server.run("postgres", "sslmode=require", &statement).await.expect(&statement);
        }
        server
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn url(&self, role: &str, host: &str, database: &str, tls: &str) -> String {
        let password = PASSWORD.replace(' ', "%20");
        format!("postgres://{role}:{password}@{host}:{}/{database}?{tls}", self.port)
    }

    async fn client(&self, host: &str, database: &str, tls: &str) -> Result<tokio_postgres::Client, String> {
        clinic::db::connect(&Address::parse("it", &self.url("postgres", host, database, tls))?).await
    }

    async fn run(&self, database: &str, tls: &str, sql: &str) -> Result<(), String> {
        self.client("localhost", database, tls).await?.batch_execute(sql).await.map_err(|error| error.to_string())
    }

    async fn ask(&self, database: &str, tls: &str, sql: &str) -> Result<String, String> {
        let client = self.client("localhost", database, tls).await?;
        Ok(client.query_one(sql, &[]).await.map_err(|error| error.to_string())?.get(0))
    }

    /// Whether a connection is encrypted, or why there is none.
    async fn tls_at(&self, host: &str, database: &str, tls: &str) -> Result<bool, String> {
        let client = self.client(host, database, tls).await?;
        let ask = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        Ok(client.query_one(ask, &[]).await.map_err(|error| error.to_string())?.get(0))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sslmode_means_what_libpq_says() {
    let server = Server::start().await;
    let (root, other) =
        (format!("sslrootcert={}", server.file("root.pem")), format!("sslrootcert={}", server.file("other.pem")));
    let (full, ca, require) =
        (format!("sslmode=verify-full&{root}"), format!("{root}&sslmode=verify-ca"), "sslmode=require");
    // Encrypted where it should be.
    for (host, tls) in [
        ("localhost", full.as_str()),
        ("localhost", ca.as_str()),
        ("127.0.0.1", ca.as_str()),
        ("127.0.0.1", require),
        ("localhost", format!("{require}&{root}").as_str()),
        ("127.0.0.1", "sslmode=prefer"),
        ("127.0.0.1", "application_name=x"),
    ] {
        assert_eq!(server.tls_at(host, "clinic", tls).await, Ok(true), "{host} {tls}");
    }
    // Refused where it should be, and why.
    for (host, tls, why) in [
        ("127.0.0.1", full.as_str(), "is not for the host that the address names"),
        ("localhost", format!("sslmode=verify-full&{other}").as_str(), "is not from a root in sslrootcert"),
        ("localhost", format!("sslmode=verify-ca&{other}").as_str(), "is not from a root in sslrootcert"),
        ("localhost", format!("sslmode=require&{other}").as_str(), "is not from a root in sslrootcert"),
        ("127.0.0.1", "sslmode=disable", "no pg_hba.conf entry"),
    ] {
        let told = server.tls_at(host, "clinic", tls).await.expect_err(tls);
        assert!(told.contains(why) && told.lines().count() == 1 && !told.contains(PASSWORD), "{tls}: {told}");
    }
    // The roots of the machine, if it has any, do not know this one.
    let told = server.tls_at("localhost", "clinic", "sslmode=verify-full&sslrootcert=system").await.expect_err("no");
    assert!(told.contains("is not from a root in sslrootcert") || told.contains("has no roots"), "{told}");
    // What is only preferred is given up, what is required is not.
    assert_eq!(server.tls_at("127.0.0.1", "plain", "sslmode=prefer").await, Ok(false));
    assert!(server.tls_at("127.0.0.1", "plain", require).await.is_err_and(|why| why.contains("pg_hba.conf")));
    server.run("postgres", require, "ALTER SYSTEM SET ssl_min_protocol_version = 'TLSv1.3'").await.unwrap();
    server.run("postgres", require, "SELECT pg_reload_conf()").await.unwrap();
    assert_eq!(server.tls_at("localhost", "clinic", &full).await, Ok(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_told_in_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let mut request = [0; 8];
            let _ = client.read_exact(&mut request).and_then(|()| client.write_all(b"N"));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    std::fs::write(&root, authority().0).unwrap();
    let root = root.to_str().unwrap();
    for tls in ["sslmode=require".to_owned(), format!("sslmode=verify-full&sslrootcert={root}")] {
        let url = format!("postgres://clinic_owner:hunter2@127.0.0.1:{port}/clinic?{tls}");
        let ended = run(&["migrate", "--database-url", &url], "").await;
        let told = ended.complaint();
        assert!(told.contains("the server does not speak TLS, and sslmode asks for it"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    for (tls, why) in [
        ("sslmode=verify-full", "needs the root"),
        ("sslmode=verify-ca", "needs the root"),
        ("sslmode=allow", "sslmode=allow is not taken"),
        ("sslmode=Require", "sslmode=Require is not taken"),
        (format!("sslrootcert={root}").as_str(), "would check nothing"),
        (format!("sslmode=disable&sslrootcert={root}").as_str(), "would check nothing"),
        ("sslmode=require&sslrootcert=system", "sslmode=verify-full only"),
        ("sslmode=verify-full&sslrootcert=/nowhere/root.pem", "/nowhere/root.pem can't be read"),
        ("sslmode=verify-full&sslrootcert=/dev/null", "holds no certificate"),
    ] {
        let url = format!("postgres://clinic_owner:hunter2@127.0.0.1:{port}/clinic?{tls}");
        let told = Address::parse("DATABASE_URL", &url).err().expect(tls);
        assert!(told.starts_with("DATABASE_URL: ") && told.contains(why) && !told.contains("hunter2"), "{tls}: {told}");
    }
}

/// Every way in which the program connects: nothing else would be let in.
#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_over_tls() {
    let server = Server::start().await;
    let full = format!("sslmode=verify-full&sslrootcert={}", server.file("root.pem"));
    let place = tempfile::tempdir().unwrap();
    let folder = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (one, two) = (
        server.url("clinic_owner", "localhost", "clinic", &full),
        server.url("clinic_owner", "localhost", "other", &full),
    );
    let reader = server.url("postgres", "localhost", "clinic", &full);
    let (data, objects, backup) = (folder("data"), folder("objects"), folder("backup"));
    // Migrations, and COPY.
    run(&["demo", "--database-url", &one, "--data-dir", &data, "--patients", "2"], "").await.ok();
    // The pool.
    let (checkpoints, keys) = (folder("checkpoints"), folder("keys"));
    let flags =
        ["--object-store", objects.as_str(), "--checkpoint-store", checkpoints.as_str(), "--key-dir", keys.as_str()];
    let service = serve(&one, &flags).await;
    let answer = Anonymous::at(service.address()).sign_in("nobody@clinic.example", "nothing").await;
    assert!(!["UNAVAILABLE", "INTERNAL"].contains(&answer.code()), "{}", answer.text);
    let ask = "SELECT count(*)::text || ' ' || count(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
               WHERE usename = 'clinic_app'";
    let seen = server.ask("clinic", "sslmode=require", ask).await.unwrap();
    let (all, plain) = seen.split_once(' ').unwrap();
    assert!(all.parse::<u32>().unwrap() >= 1 && plain == "0", "{seen}");
    service.stop().await;
    // pg_dump, and the walk along the chains.
    let common = ["--database-url", one.as_str(), "--data-dir", data.as_str(), "--key-dir", keys.as_str()];
    run(&[&["backup", "--backup-database-url", &reader, "--output", &backup][..], &common].concat(), "").await.ok();
    run(&[&["audit"][..], &common, &["verify"]].concat(), "").await.ok();
    // pg_restore.
    let ended: Ended =
        run(&["restore", "--database-url", &two, "--data-dir", &folder("second"), "--input", &backup], "").await;
    ended.ok();
}
