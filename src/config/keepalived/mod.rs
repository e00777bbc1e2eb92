//! `keepalived.conf`: what it says of VRRP, and what is wrong with it.
//!
//! [`parse`] is pure: text in, [`Conf`] out; [`load`] reads the files. Each value knows its file and line. The configurations in
//! circulation are sloppy: what is clear is read all the same, and every mistake is a [`Note`] that names its line. Nothing is
//! guessed in silence, and no note holds a password.

mod import;
mod instance;
mod lex;
mod model;
mod place;
mod read;
mod tree;
mod value;
mod words;

use std::path::Path;

pub use import::{Mode, import};
pub use lex::{Alone, Files};
pub use model::{
    Conf, File, Foreign, Garp, Globals, Group, Instance, Notify, PRIORITY, Process, Program, Script, Track, TrackKind,
    Virtual,
};
pub use place::{At, Kind, Note, Place};

use super::files;

/// What `text` says, which is called `name`. `node` is this node's name in conditional lines (`@node …`).
pub fn parse(name: &str, text: &str, node: &str, included: &mut dyn Files) -> Conf {
    let mut notes = place::Notes::default();
    let lines = lex::lines(name, text, node, included, &mut notes);
    let items = tree::grow(lines, &mut notes);
    read::read(&items, notes)
}

/// What the file at `path` says, with all that it includes. In conditional lines this node has the name that keepalived gives
/// it by default: the host's, up to the first dot.
///
/// # Errors
/// If the file itself can't be read: which, why, and what to do. Included ones that can't be read are named in the notes.
pub fn load(path: &Path) -> Result<Conf, String> {
    let text = files::text(path).map_err(|why| format!("{}: {why}", path.display()))?;
    let hostname = super::hostname();
    let node = hostname.split('.').next().unwrap_or_default();
    Ok(parse(&path.to_string_lossy(), &text, node, &mut OnDisk))
}

/// The files of this host.
struct OnDisk;

impl Files for OnDisk {
    fn include(&mut self, pattern: &str, from: &str) -> Result<Vec<(String, String)>, String> {
        // A relative name counts from the directory of the file that says it.
        let full = Path::new(from).parent().unwrap_or(Path::new("")).join(pattern);
        let full = full.to_string_lossy();
        let paths = glob::glob(&full).map_err(|error| format!("{full} is no usable pattern ({error})"))?;
        let mut found = Vec::new();
        for path in paths {
            let path = path.map_err(|error| error.to_string())?;
            if path.is_file() {
                let text = files::text(&path).map_err(|why| format!("{}: {why}", path.display()))?;
                found.push((path.to_string_lossy().into_owned(), text));
            }
        }
        Ok(found)
    }
}
