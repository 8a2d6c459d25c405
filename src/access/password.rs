//! Passwords: argon2id, off the async threads, a few at a time.

use crate::error::{Error, Result};
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString, rand_core::OsRng};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;

/// The minimum length of a password, in characters (NIST 800-63B requires at least 8; this service 12).
pub const SHORTEST: usize = 12;
/// The maximum length, in bytes: longer than any passphrase, short enough to hash.
pub const LONGEST: usize = 1024;

// OWASP's first choice for argon2id: 19 MiB, 2 passes, 1 lane. 23 to 40 ms on the machines this was measured on.
fn hasher() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

// As many at a time as there are cores, so that a burst of sign-ins waits here instead of starving everything else.
static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)))
});

// The hash with which the password for an unknown e-mail is compared, so that it takes as long as for a known one.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("no account has this password").unwrap_or_default());

/// The minimum number of guesses a password must withstand, by zxcvbn's estimate: more than a rate-limited online
/// attacker can make.
const FEWEST_GUESSES: u64 = 100_000_000;
/// How many characters of a password are estimated. The cost of the estimate grows with the square of the length, and
/// letters with look-alikes multiply it.
const ESTIMATED: usize = 32;
/// How many words about an owner are used, and how many characters of each.
const KNOWN_WORDS: usize = 12;
const KNOWN_LENGTH: usize = 60;

/// A sentence for a password that is refused: too short, too long, or easily guessed because it is common, or made of
/// common words, names and patterns, or of what is known about its owner (`about`: their e-mail, their name). There are
/// no composition rules (NIST 800-63B).
pub fn fault(password: &str, about: &[&str]) -> Option<String> {
    if password.chars().count() < SHORTEST {
        return Some(format!("must have at least {SHORTEST} characters"));
    }
    if password.len() > LONGEST {
        return Some(format!("must have at most {LONGEST} bytes"));
    }
    let beginning: String = password.chars().take(ESTIMATED).collect();
    let parts = about.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let known = about.iter().copied().chain(parts).filter(|text| (3..=KNOWN_LENGTH).contains(&text.chars().count()));
    let known: Vec<&str> = known.take(KNOWN_WORDS).collect();
    let guesses = zxcvbn::zxcvbn(&beginning, &known).guesses();
    (guesses < FEWEST_GUESSES).then(|| {
        "is too easily guessed: it is common, or made of common words or of your own name. Take four or more words that \
         don't belong together, or let a password manager make one"
            .to_owned()
    })
}

/// `fault`, off the async threads and a few at a time, like hashing: for passwords that come over the network.
pub async fn judge(password: String, about: Vec<String>) -> Result<Option<String>> {
    off_thread(move || fault(&password, &about.iter().map(String::as_str).collect::<Vec<_>>())).await
}

fn hash_now(password: &str) -> Result<String> {
    let salt = SaltString::generate(&mut OsRng);
    hasher()
        .hash_password(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| Error::Internal(format!("a password could not be hashed: {error}")))
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let place = Arc::clone(&PLACES)
        .acquire_owned()
        .await
        .map_err(|_| Error::Internal("the password places are closed".to_owned()))?;
    tokio::task::spawn_blocking(move || {
        let done = work();
        drop(place);
        done
    })
    .await
    .map_err(|error| Error::Internal(format!("a password task failed: {error}")))
}

/// Hashes a password.
pub async fn hash(password: String) -> Result<String> {
    off_thread(move || hash_now(&password)).await?
}

/// Prepares the hash for unknown e-mails, so that the first such sign-in need not wait for it.
pub async fn make_ready() -> Result<()> {
    off_thread(|| LazyLock::force(&NOBODY).len()).await.map(|_| ())
}

/// Whether a password matches this hash. `None`, for an account that does not exist, takes as long and returns false.
pub async fn verify(password: String, hash: Option<String>) -> Result<bool> {
    off_thread(move || {
        let known = hash.is_some();
        let text = hash.unwrap_or_else(|| NOBODY.clone());
        let matches =
            PasswordHash::new(&text).is_ok_and(|parsed| hasher().verify_password(password.as_bytes(), &parsed).is_ok());
        matches && known
    })
    .await
}

/// A password for a demo or a reset: 4 groups of 5 characters, without look-alikes.
pub fn generate() -> String {
    use rand::Rng;
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut random = rand::rng();
    let mut groups = Vec::new();
    for _ in 0..4 {
        let group: String = (0..5)
            .filter_map(|_| LETTERS.get(random.random_range(0..LETTERS.len())))
            .map(|byte| char::from(*byte))
            .collect();
        groups.push(group);
    }
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let hashed = hash("correct horse battery".to_owned()).await.expect("hash");
        assert!(verify("correct horse battery".to_owned(), Some(hashed.clone())).await.expect("verify"));
        assert!(!verify("correct horse batterx".to_owned(), Some(hashed)).await.expect("verify"));
        assert!(!verify("no account has this password".to_owned(), None).await.expect("verify"));
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert!(fault("elevenchars", &[]).is_some());
        assert!(fault("twelve chars walk home", &[]).is_none());
        assert!(fault(&"x".repeat(1025), &[]).is_some());
    }

    #[test]
    fn passwords_that_are_soon_guessed_are_refused_and_no_others() {
        for common in [
            "123456789012",
            "passwordpassword",
            "password1234",
            "qwertyuiop123",
            "aaaaaaaaaaaaaaaa",
            "abcdefghijklmnop",
            "iloveyou2024",
            "Welcome12345",
            "letmeinletmein",
        ] {
            let fault = fault(common, &[]).unwrap_or_default();
            assert!(fault.contains("guessed") && !fault.contains(common), "{common}: {fault}");
        }
        for fine in ["correct horse battery staple", "only for the tests", "Grüße aus dem Süden", "x7#kQ9!vLm2$"] {
            assert_eq!(fault(fine, &[]), None, "{fine}");
        }
        // What is known of its owner is guessed first.
        let about = ["xirolka.vandrumet@clinic.example", "Dr Xirolka Vandrumet"];
        for own in ["XirolkaVandrumet", "Dr Xirolka Vandrumet", "xirolka.vandrumet@clinic.example"] {
            assert_eq!(fault(own, &[]), None, "{own}");
            assert!(fault(own, &about).is_some(), "{own}");
        }
    }

    #[test]
    fn no_password_takes_long_to_judge() {
        let letters = "4@8({[<3 69!1|0$5+7%2".repeat(40);
        let names = "ab cd1 ".repeat(20_000);
        let begun = std::time::Instant::now();
        let _ = fault(&letters, &[&names, "n@x.example"]);
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    }

    #[test]
    fn generated_passwords_are_long_and_differ() {
        assert!(fault(&generate(), &[]).is_none());
        assert_ne!(generate(), generate());
    }
}
