//! `basic_auth_users`: names, and the bcrypt hashes of their passwords.

use std::fmt;

use toml::Spanned;

use super::Judge;
use super::yaml::Node;

/// The highest cost of a hash: a check takes some seconds then, and twice as long with each one more.
pub const COST_MAX: u32 = 16;

const COST_MIN: u32 = 4;

/// Somebody who may read.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Without a colon.
    pub name: String,
    /// bcrypt, as `htpasswd -nBC 10 NAME` writes it.
    pub hash: String,
    /// Its cost, [`COST_MAX`] at most.
    pub cost: u32,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("cost", &self.cost).finish_non_exhaustive()
    }
}

/// Reads the section.
pub(super) fn read(judge: &mut Judge, node: &Spanned<Node>) -> Vec<User> {
    let entries = match node.get_ref() {
        Node::Map(map) if !map.is_empty() => map,
        Node::Map(_) | Node::Null => {
            // Left out, it is said that everybody may read; empty, it is more likely that something is missing.
            judge.error(node.span(), "no user is named: add one, or remove the key to let everybody read");
            return Vec::new();
        }
        other => {
            judge.error(node.span(), format!("want names with hashes here, not {}", other.kind()));
            return Vec::new();
        }
    };
    let mut users: Vec<User> = Vec::new();
    for (name, hash) in entries {
        if users.iter().any(|user| user.name == *name.get_ref()) {
            judge.error(name.span(), "this user stands here twice: remove one of the two");
        }
        if name.get_ref().contains(':') {
            judge.error(name.span(), "a user's name has no colon: no client could send it");
        }
        let Some(hash) = judge.text(hash) else { continue };
        match cost(&hash) {
            Ok(cost) => users.push(User { name: name.get_ref().clone(), hash, cost }),
            Err(why) => {
                judge.error(name.span(), format!("{why}: write what `htpasswd -nBC 10 NAME` prints behind the colon"))
            }
        }
    }
    users
}

fn cost(hash: &str) -> Result<u32, String> {
    let cost = hash.parse::<bcrypt::HashParts>().map_err(|_| "this user has no bcrypt hash")?.get_cost();
    match cost {
        COST_MIN..=COST_MAX => Ok(cost),
        _ => Err(format!("the cost of this user's hash is {cost}, and {COST_MIN} to {COST_MAX} are taken")),
    }
}
