//! Names and passwords: slow on purpose, and for that reason one at a time.
//!
//! A password that was right once is remembered as a keyed digest, so that only strangers wait. One bcrypt runs at a time, and
//! after a wrong password the next one waits three times as long as it took: who tries passwords takes a quarter of a core and
//! no more. A name that nobody has costs the same work as one that somebody has, whatever the cost of their hash.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ring::{hmac, rand};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::config::web_file::User;
use crate::sys::clock;

/// Requests that wait for their password to be checked.
const WAITING_MAX: usize = 16;

/// How many times as long as a wrong password took the next one waits.
const REST: u32 = 3;

/// What became of a login.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// Too many wait already.
    Busy,
}

/// The users, and who of them has shown the right password.
pub(super) struct Logins {
    users: HashMap<String, User>,
    /// The highest cost of all hashes: each check takes as much.
    cost: u32,
    key: hmac::Key,
    right: Mutex<HashMap<String, hmac::Tag>>,
    turn: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Logins {
    /// # Errors
    /// The kernel has no random numbers.
    pub fn new(users: Vec<User>) -> Result<Self, String> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new());
        Ok(Self {
            cost: users.iter().map(|user| user.cost).max().unwrap_or_default(),
            users: users.into_iter().map(|user| (user.name.clone(), user)).collect(),
            key: key.map_err(|_| "the kernel has no random numbers".to_owned())?,
            right: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
            waiting: Semaphore::new(WAITING_MAX),
        })
    }

    /// Whether `name` has this password.
    pub async fn check(&self, name: &str, password: &[u8]) -> Answer {
        if self.was_right(name, password) {
            return Answer::Yes;
        }
        let (Ok(_waiting), turn) = (self.waiting.try_acquire(), self.turn.clone()) else { return Answer::Busy };
        let Ok(turn) = turn.acquire_owned().await else { return Answer::Busy };
        // The same one may have been right while it waited.
        if self.was_right(name, password) {
            return Answer::Yes;
        }
        let (user, cost, tried) = (self.users.get(name).cloned(), self.cost, password.to_vec());
        let started = clock::now();
        // A client that leaves meanwhile takes nobody's turn: it lasts as long as the work.
        let checked = spawn_blocking(move || {
            let is_right = is_right(user.as_ref(), cost, &tried);
            (is_right, turn)
        });
        let Ok((is_right, turn)) = checked.await else { return Answer::No };
        if is_right {
            self.remember(name, password);
            return Answer::Yes;
        }
        let rest = clock::now().since(started) * REST;
        tokio::spawn(async move {
            tokio::time::sleep(rest).await;
            drop(turn);
        });
        Answer::No
    }

    fn was_right(&self, name: &str, password: &[u8]) -> bool {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        // What is compared is a digest under a key that nobody knows: how long that takes tells nothing.
        right.get(name).is_some_and(|tag| hmac::verify(&self.key, password, tag.as_ref()).is_ok())
    }

    fn remember(&self, name: &str, password: &[u8]) {
        let tag = hmac::sign(&self.key, password);
        self.right.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), tag);
    }
}

/// Takes as long for everybody: `2^cost` rounds. The cost of a user's own hash may be lower; what it lacks is
/// `2^own + 2^(own + 1) + … + 2^(cost - 1)`.
fn is_right(user: Option<&User>, cost: u32, password: &[u8]) -> bool {
    let work = |cost: u32| {
        let _ = std::hint::black_box(bcrypt::hash_with_salt(password, cost, [0; 16]));
    };
    match user {
        Some(user) => {
            let is_right = bcrypt::verify(password, &user.hash).unwrap_or(false);
            (user.cost..cost).for_each(work);
            is_right
        }
        None => {
            work(cost);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, password: &str, cost: u32) -> User {
        User { name: name.into(), hash: bcrypt::hash(password, cost).expect("a hash"), cost }
    }

    #[tokio::test]
    async fn the_right_password_is_right_again_and_no_other_is() {
        let logins = Logins::new(vec![user("alice", "rabbit", 4), user("bob", "hat", 6)]).expect("random numbers");
        for (name, password, answer) in [
            ("alice", "rabbit", Answer::Yes),
            ("alice", "rabbit", Answer::Yes),
            ("alice", "hat", Answer::No),
            ("bob", "hat", Answer::Yes),
            ("bob", "rabbit", Answer::No),
            ("alice", "", Answer::No),
            ("carol", "rabbit", Answer::No),
            ("", "", Answer::No),
        ] {
            assert_eq!(logins.check(name, password.as_bytes()).await, answer, "{name} {password}");
        }
    }

    #[tokio::test]
    async fn a_flood_of_passwords_is_turned_away_and_keeps_out_nobody_who_was_in() {
        let logins = Logins::new(vec![user("alice", "rabbit", 4)]).expect("random numbers");
        assert_eq!(logins.check("alice", b"rabbit").await, Answer::Yes);
        let turn = logins.turn.clone().acquire_owned().await.expect("it is never closed");
        let flood: Vec<String> = (0..WAITING_MAX + 5).map(|number| format!("guess {number}")).collect();
        let mut flood: futures_util::stream::FuturesUnordered<_> =
            flood.iter().map(|guess| logins.check("mallory", guess.as_bytes())).collect();
        let turned_away = async {
            use futures_util::StreamExt as _;
            for _ in 0..5 {
                assert_eq!(flood.next().await, Some(Answer::Busy));
            }
            assert_eq!(logins.check("alice", b"rabbit").await, Answer::Yes);
        };
        turned_away.await;
        drop(turn);
    }
}
