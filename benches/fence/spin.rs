//! A process whose threads go round in a circle: the instruction that one of them returns to from its wait becomes a jump to itself.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The jump, as the machine has it.
const JUMP: &[u8] = if cfg!(target_arch = "aarch64") { &[0, 0, 0, 0x14] } else { &[0xeb, 0xfe] };

/// One process that is at it.
pub struct Spin {
    memory: File,
    at: u64,
    before: Vec<u8>,
}

impl Spin {
    /// Has the thread `name` of a process begin with its next event, and every other thread that waits in the same way.
    ///
    /// # Errors
    /// There is no such thread that waits, or the kernel doesn't let us.
    pub fn start(pid: u32, name: &str) -> io::Result<Self> {
        let process = Path::new("/proc").join(pid.to_string());
        let memory = File::options().read(true).write(true).open(process.join("mem"))?;
        let at = returns_to(&process, name)?;
        let mut before = vec![0; JUMP.len()];
        memory.read_exact_at(&mut before, at)?;
        memory.write_all_at(JUMP, at)?;
        Ok(Self { memory, at, before })
    }

    /// Lets them go on from there.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn stop(self) -> io::Result<()> {
        self.memory.write_all_at(&self.before, self.at)
    }
}

/// The instruction behind the system call that a thread waits in.
fn returns_to(process: &Path, name: &str) -> io::Result<u64> {
    for thread in std::fs::read_dir(process.join("task"))? {
        let thread = thread?.path();
        if std::fs::read_to_string(thread.join("comm"))?.trim() != name {
            continue;
        }
        // The number, six arguments, the stack pointer and the instruction pointer; or one word for a thread that runs.
        let call = std::fs::read_to_string(thread.join("syscall"))?;
        if let [_, at] = call.split_whitespace().skip(7).collect::<Vec<_>>()[..] {
            return u64::from_str_radix(at.trim_start_matches("0x"), 16).map_err(io::Error::other);
        }
    }
    Err(io::Error::other(format!("{}: no thread {name:?} waits", process.display())))
}
