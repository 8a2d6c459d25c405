//! A door between the service and Postgres that takes the tenant filter out of every statement: `org_id = $1` becomes
//! `$1 IS NOT NULL`. What holds behind it holds by row-level security alone.

use super::cluster::Cluster;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_postgres::config::Host;

/// A running one. It ends with the test's runtime.
pub struct FilterCutter {
    port: u16,
    cut: Arc<AtomicUsize>,
}

impl FilterCutter {
    /// Starts one in front of the tests' cluster.
    pub async fn start() -> Self {
        let config = Cluster::get().owner("postgres");
        let [Host::Unix(folder)] = config.get_hosts() else { panic!("one Unix socket") };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let socket = folder.join(format!(".s.PGSQL.{port}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let cut = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, socket.clone(), Arc::clone(&counter)));
            }
        });
        Self { port, cut }
    }

    /// The `DATABASE_URL` of a database through it.
    pub fn url(&self, database: &str) -> String {
        let config = Cluster::get().owner(database);
        let password = std::str::from_utf8(config.get_password().expect("a password")).expect("text").to_owned();
        format!("postgres://clinic_owner:{password}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// How many filters it has cut out.
    pub fn cut(&self) -> usize {
        self.cut.load(Ordering::Relaxed)
    }
}

async fn serve(client: TcpStream, socket: PathBuf, cut: Arc<AtomicUsize>) {
    let Ok(server) = UnixStream::connect(socket).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let forth = async move {
        // The start-up message has no type.
        let length = from_client.read_u32().await?;
        let mut rest = vec![0; length as usize - 4];
        from_client.read_exact(&mut rest).await?;
        to_server.write_u32(length).await?;
        to_server.write_all(&rest).await?;
        loop {
            let kind = from_client.read_u8().await?;
            let mut body = vec![0; from_client.read_u32().await? as usize - 4];
            from_client.read_exact(&mut body).await?;
            if kind == b'P' {
                body = without_filters(&body, &cut);
            }
            let mut message = vec![kind];
            message.extend(u32::try_from(body.len() + 4).expect("a length").to_be_bytes());
            message.extend(body);
            to_server.write_all(&message).await?;
        }
        #[allow(unreachable_code)]
        std::io::Result::Ok(())
    };
    let back = tokio::io::copy(&mut from_server, &mut to_client);
    tokio::select! { _ = forth => {}, _ = back => {} }
}

/// A Parse message (its name, its text, its types), with another text.
fn without_filters(body: &[u8], cut: &AtomicUsize) -> Vec<u8> {
    let name_end = body.iter().position(|byte| *byte == 0).expect("a name");
    let text_end = name_end + 1 + body[name_end + 1..].iter().position(|byte| *byte == 0).expect("a text");
    let text = std::str::from_utf8(&body[name_end + 1..text_end]).expect("SQL");
    let (text, found) = cut_filters(text);
    cut.fetch_add(found, Ordering::Relaxed);
    [&body[..=name_end], text.as_bytes(), &body[text_end..]].concat()
}

/// A statement without its comparisons of `org_id` with a bound value, and how many there were.
pub fn cut_filters(sql: &str) -> (String, usize) {
    let (mut text, mut rest, mut found) = (String::new(), sql, 0);
    while let Some(at) = rest.find("org_id") {
        let after = &rest[at + 6..];
        let value = after.trim_start_matches('"').trim_start().strip_prefix('=').map(str::trim_start);
        let number = value.and_then(|value| value.strip_prefix('$'));
        let digits = number.map_or(0, |number| number.chars().take_while(char::is_ascii_digit).count());
        let done = format!("{text}{}", &rest[..at]);
        // `SET org_id = $1` is no filter.
        let filters = match (done.rfind("SET "), done.rfind("WHERE ")) {
            (Some(set), Some(filter)) => filter > set,
            (Some(_), None) => false,
            _ => true,
        };
        if let (Some(number), true) = (number, digits > 0 && filters) {
            let column =
                done.trim_end_matches(|letter: char| letter.is_ascii_alphanumeric() || "_.\"".contains(letter));
            text = format!("{column}${}::uuid IS NOT NULL", &number[..digits]);
            rest = &number[digits..];
            found += 1;
        } else {
            text = format!("{done}org_id");
            rest = after;
        }
    }
    text.push_str(rest);
    (text, found)
}
