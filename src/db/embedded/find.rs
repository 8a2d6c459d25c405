//! Which Postgres on this machine to run.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::StartError;
use super::user::{User, run};

/// The oldest supported version.
const OLDEST: u32 = 15;

/// The folder of a usable `postgres`, `initdb` and `pg_ctl`, all links resolved (Postgres finds its libraries
/// relative to it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    /// The folder.
    pub(super) dir: PathBuf,
    /// The major version, 15 or more.
    pub(super) major: u32,
}

impl Binaries {
    /// The path of one of its programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// The first usable Postgres: only the given folder, or else the first of the known places. `made_by` is the major
/// version of existing data, which only the same version can read.
pub(super) fn find(given: Option<&Path>, made_by: Option<u32>, user: User) -> Result<Binaries, StartError> {
    let places = match given {
        Some(dir) => vec![dir.to_owned()],
        None => Places::of_this_machine().in_order(),
    };
    let mut refused = Vec::new();
    let mut seen = HashSet::new();
    for place in places {
        let Some(dir) = folder_of_postgres(&place) else {
            continue;
        };
        if !seen.insert(dir.clone()) {
            continue;
        }
        match look_at(&dir, user) {
            Ok(major) if made_by.is_some_and(|wanted| wanted != major) => {
                refused.push(format!("{} is version {major}", dir.display()));
            }
            Ok(major) => return Ok(Binaries { dir, major }),
            Err(why) => refused.push(format!("{} {why}", dir.display())),
        }
    }
    Err(refusal(given, made_by, &refused))
}

/// A Postgres client program (`pg_dump`, `pg_restore`) of this major version or a newer one: an older one can't read a
/// newer server.
///
/// # Errors
///
/// None is found; in one line.
pub fn find_tool(name: &str, given: Option<&Path>, at_least: u32) -> Result<PathBuf, StartError> {
    let mut places: Vec<PathBuf> = given.map(Path::to_owned).into_iter().collect();
    places.extend(Places::of_this_machine().in_order());
    let mut refused = Vec::new();
    for place in places {
        let program = place.join(name);
        if !program.is_file() {
            continue;
        }
        let said = run(User::Ourselves.command(&program).arg("--version"), "");
        match said.as_deref().ok().and_then(major_version) {
            Some(major) if major >= at_least => return Ok(program),
            Some(major) => refused.push(format!("{} is version {major}", program.display())),
            None => refused.push(format!("{} does not run", program.display())),
        }
    }
    let found = if refused.is_empty() { String::new() } else { format!(" ({})", refused.join("; ")) };
    Err(StartError::new(format!(
        "no {name} of Postgres {at_least} or newer is here{found}: install the client programs of Postgres {at_least}, or \
         give their folder with --postgres-bin"
    )))
}

fn refusal(given: Option<&Path>, made_by: Option<u32>, refused: &[String]) -> StartError {
    let found = if refused.is_empty() { String::new() } else { format!(" ({})", refused.join("; ")) };
    StartError::new(match (given, made_by) {
        (Some(dir), _) if refused.is_empty() => {
            format!("there is no postgres in {}, the folder of binaries that was given", dir.display())
        }
        (_, Some(major)) => format!(
            "the data folder was made by Postgres {major}, and only that version can read it: none here will do{found}; \
             install Postgres {major}, or give its folder with --postgres-bin"
        ),
        (Some(_), None) => format!("the Postgres that was given won't do{found}; {OLDEST} or newer is needed"),
        (None, None) => format!(
            "no usable Postgres {OLDEST} or newer is on this machine{found}; script/setup brings one, or give a server's \
             address in DATABASE_URL"
        ),
    })
}

/// The real folder of this `postgres`: package systems link to it from PATH.
fn folder_of_postgres(place: &Path) -> Option<PathBuf> {
    let postgres = place.join("postgres");
    if !postgres.is_file() {
        return None;
    }
    let real = postgres.canonicalize().ok().and_then(|real| real.parent().map(Path::to_owned));
    real.filter(|dir| dir.join("initdb").is_file()).or_else(|| place.canonicalize().ok())
}

/// The major version in a folder, or why it is unusable.
fn look_at(dir: &Path, user: User) -> Result<u32, String> {
    if let Some(missing) = ["initdb", "pg_ctl"].iter().find(|name| !dir.join(name).is_file()) {
        return Err(format!("has no {missing}"));
    }
    let version_of = |name: &str| {
        run(user.command(&dir.join(name)).arg("--version"), "")
            .map_err(|why| format!("has a {name} that the user of Postgres can't run: {why}"))
    };
    version_of("initdb").and_then(|_| version_of("pg_ctl"))?;
    let said = version_of("postgres")?;
    let major = major_version(&said).ok_or("has a postgres that does not tell its version")?;
    if major < OLDEST { Err(format!("is version {major}, older than {OLDEST}")) } else { Ok(major) }
}

/// `15` of `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`, also of `18beta1` and `16devel`.
fn major_version(said: &str) -> Option<u32> {
    let version = said.split_once("(PostgreSQL)")?.1.trim_start();
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Where to look.
struct Places {
    path: Vec<PathBuf>,
    debian: PathBuf,
    homebrew: Vec<PathBuf>,
    brought: Vec<PathBuf>,
}

impl Places {
    fn of_this_machine() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut brought: Vec<PathBuf> = std::env::current_exe()
            .map(|exe| exe.ancestors().skip(1).map(Path::to_owned).collect())
            .unwrap_or_default();
        brought.extend(std::env::current_dir());
        Self {
            path: std::env::split_paths(&path).filter(|dir| dir.is_absolute()).collect(),
            debian: "/usr/lib/postgresql".into(),
            homebrew: vec!["/opt/homebrew/opt".into(), "/usr/local/opt".into()],
            brought,
        }
    }

    fn in_order(&self) -> Vec<PathBuf> {
        let mut all = self.path.clone();
        all.extend(newest_first(&self.debian, ""));
        all.extend(self.homebrew.iter().flat_map(|dir| newest_first(dir, "postgresql@")));
        all.extend(self.brought.iter().map(|dir| dir.join(".tools/postgres/bin")));
        all
    }
}

/// `<dir>/<prefix><number>/bin`, the greatest number first.
fn newest_first(dir: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix(prefix)?.split('.').next()?.parse().ok()?;
            Some((number, entry.path().join("bin")))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_version("postgres (PostgreSQL) 9.6.24"), Some(9));
        assert_eq!(major_version("postgres (EdgeDB) 5"), None);
    }

    #[test]
    fn places_are_tried_in_the_agreed_order() {
        let root = tempfile::tempdir().unwrap();
        for dir in
            ["deb/9.6", "deb/15", "deb/17", "deb/not", "brew/postgresql@9", "brew/postgresql@16", "brew/other@20"]
        {
            fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        let places = Places {
            path: vec!["/a".into(), "/b".into()],
            debian: root.path().join("deb"),
            homebrew: vec![root.path().join("brew"), "/nowhere".into()],
            brought: vec!["/checkout".into()],
        };
        let order: Vec<String> = places
            .in_order()
            .iter()
            .map(|path| path.strip_prefix(root.path()).unwrap_or(path).display().to_string())
            .collect();
        assert_eq!(
            order,
            [
                "/a",
                "/b",
                "deb/17/bin",
                "deb/15/bin",
                "deb/9.6/bin",
                "brew/postgresql@16/bin",
                "brew/postgresql@9/bin",
                "/checkout/.tools/postgres/bin",
            ]
        );
    }

    /// A folder of scripts that answer as that version would.
    fn pretend(dir: &Path, version: &str) {
        // Written by a shell: a file that this process has open for writing can't be run.
        let script = r#"mkdir -p "$1" && for name in postgres initdb pg_ctl; do
            printf '#!/bin/sh\necho "postgres (PostgreSQL) %s"\n' "$2" >"$1/$name" && chmod 755 "$1/$name" || exit
        done"#;
        run(User::Ourselves.shell(script).arg(dir).arg(version), "").unwrap();
    }

    #[test]
    fn a_refusal_names_what_was_found_and_why_not() {
        let root = tempfile::tempdir().unwrap();
        let (old, new) = (root.path().join("old"), root.path().join("new"));
        pretend(&old, "13.4");
        pretend(&new, "17.1");
        fs::remove_file(new.join("pg_ctl")).unwrap();
        let said = find(Some(&old), None, User::Ourselves).unwrap_err().to_string();
        assert!(said.contains("is version 13, older than 15"), "{said}");
        let said = find(Some(&new), None, User::Ourselves).unwrap_err().to_string();
        assert!(said.contains("has no pg_ctl"), "{said}");
        let said = find(Some(root.path()), None, User::Ourselves).unwrap_err().to_string();
        assert!(said.contains("there is no postgres in"), "{said}");
        let said = refusal(None, None, &[]).to_string();
        assert!(said.contains("script/setup brings one"), "{said}");
    }

    #[test]
    fn only_the_version_that_made_the_data_reads_it() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("bin");
        pretend(&dir, "17.1");
        assert_eq!(find(Some(&dir), Some(17), User::Ourselves).unwrap().major, 17);
        let said = find(Some(&dir), Some(15), User::Ourselves).unwrap_err().to_string();
        assert!(said.contains("made by Postgres 15"), "{said}");
    }

    #[test]
    fn a_link_leads_to_the_real_folder() {
        let root = tempfile::tempdir().unwrap();
        let (real, linked) = (root.path().join("real"), root.path().join("linked"));
        pretend(&real, "16.0");
        fs::create_dir(&linked).unwrap();
        symlink(real.join("postgres"), linked.join("postgres")).unwrap();
        let found = find(Some(&linked), None, User::Ourselves).unwrap();
        assert_eq!(found, Binaries { dir: real.canonicalize().unwrap(), major: 16 });
    }
}
