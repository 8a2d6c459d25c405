//! The database that every test gets a copy of, made once by the program's own ways: `clinic staff add` for the people,
//! the API for a location and for everybody's sign-in.

use super::cluster::Cluster;
use super::database::Sql;
use super::{Anonymous, json, uuid_of};
use std::io::Write;
use std::process::Stdio;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Its name.
pub const DATABASE: &str = "template_clinic";
/// Everybody's password.
pub const PASSWORD: &str = "only for the tests";

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Manages staff and locations.
    Admin,
    /// Treats.
    Practitioner,
    /// Registers patients.
    FrontDesk,
    /// Reads.
    Auditor,
}

impl Role {
    /// Each.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Practitioner, Self::FrontDesk, Self::Auditor];

    /// The word at the command line and in the database.
    pub fn word(self) -> &'static str {
        ["admin", "practitioner", "front_desk", "auditor"][self as usize]
    }
}

/// Somebody of the template.
#[derive(Debug, Clone)]
pub struct StaffMember {
    /// What they may do.
    pub role: Role,
    /// What they sign in with.
    pub email: String,
    /// `staff_…`
    pub id: String,
    /// A sign-in that holds.
    pub token: String,
}

/// An organisation of the template.
#[derive(Debug, Clone)]
pub struct Organisation {
    /// Its name.
    pub name: String,
    /// `organisation_…`
    pub id: String,
    /// The same, as the database has it.
    pub uuid: Uuid,
    /// `location_…`, in Europe/Madrid.
    pub location: String,
    /// In the order of `Role::ALL`.
    pub staff: Vec<StaffMember>,
}

impl Organisation {
    /// Who has a role.
    pub fn who(&self, role: Role) -> &StaffMember {
        &self.staff[role as usize]
    }
}

/// The two organisations.
#[derive(Debug, Clone)]
pub struct World {
    pub north: Organisation,
    pub south: Organisation,
}

static WORLD: OnceCell<World> = OnceCell::const_new();

/// Makes the template at first use.
pub async fn get() -> &'static World {
    WORLD.get_or_init(make).await
}

async fn make() -> World {
    let cluster = tokio::task::spawn_blocking(Cluster::get).await.expect("the cluster");
    let postgres = Sql::connect(&cluster.superuser("postgres")).await;
    postgres.run(&format!("CREATE DATABASE {DATABASE} OWNER clinic_owner")).await;
    clinic::db::migrate(&cluster.address(DATABASE)).await.expect("migrate");
    // The first of each founds the organisation; the rest may come at once.
    for roles in [&Role::ALL[..1], &Role::ALL[1..]] {
        let additions = ["north", "south"].into_iter().flat_map(|organisation| {
            roles.iter().map(move |role| tokio::task::spawn_blocking(move || add_staff(organisation, *role)))
        });
        for addition in additions.collect::<Vec<_>>() {
            addition.await.expect("clinic staff add");
        }
    }
    let photos = std::env::temp_dir().join("clinic-tests-photos").display().to_string();
    let evidence = tempfile::tempdir().expect("a folder");
    let place = evidence.path().to_str().expect("text");
    let flags = ["--object-store", &photos, "--checkpoint-store", place, "--key-dir", place];
    let server = super::clinic::serve(&cluster.url(DATABASE), &flags).await;
    let door = Anonymous::at(server.address());
    let world = World { north: organisation(&door, "north").await, south: organisation(&door, "south").await };
    server.stop().await;
    // A database that somebody is connected to can't be copied. This waits until each of them has gone.
    postgres
        .rows(&format!("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{DATABASE}'"))
        .await;
    postgres.run(&format!("ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false")).await;
    world
}

fn email(organisation: &str, role: Role) -> String {
    format!("{}@{organisation}.example", role.word().replace('_', "."))
}

fn add_staff(organisation: &str, role: Role) {
    let who = format!("{} {}", organisation.to_uppercase(), role.word());
    let (url, email) = (Cluster::get().url(DATABASE), email(organisation, role));
    let mut command = crate::binary::program(&["staff", "--database-url", &url, "add", "--email", &email]).into_std();
    command.args(["--name", &who, "--role", role.word(), "--organisation", organisation]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().expect("clinic");
    child.stdin.take().expect("stdin").write_all(format!("{PASSWORD}\n").as_bytes()).expect("password");
    assert!(child.wait().expect("clinic").success(), "clinic staff add {organisation} {role:?}");
}

async fn organisation(door: &Anonymous, name: &str) -> Organisation {
    let mut staff = Vec::new();
    let mut id = String::new();
    for role in Role::ALL {
        let email = email(name, role);
        let query = "mutation ($email: String!, $password: String!) {
            signIn(input: {email: $email, password: $password}) { token staff { id organisation { id } } } }";
        let answer = door.graphql(query, json!({"email": email, "password": PASSWORD})).await.ok();
        let text = |pointer: &str| answer.pointer(pointer).and_then(|it| it.as_str()).expect(pointer).to_owned();
        id = text("/signIn/staff/organisation/id");
        staff.push(StaffMember { role, email, id: text("/signIn/staff/id"), token: text("/signIn/token") });
    }
    let query =
        "mutation { addLocation(input: {name: \"Main Street\", timeZone: \"Europe/Madrid\"}) { location { id } } }";
    let admin = door.with_token(&staff[0].token);
    let practitioner = staff.iter().find(|it| it.role == Role::Practitioner).expect("a practitioner");
    let noted = admin.does("addCredential", super::credential_of(&practitioner.id), "__typename").await;
    assert_eq!(noted.outcome(), "ok", "{}", noted.text);
    let location =
        admin.graphql(query, json!({})).await.ok()["addLocation"]["location"]["id"].as_str().expect("id").to_owned();
    Organisation { name: name.to_owned(), uuid: uuid_of(&id), id, location, staff }
}
