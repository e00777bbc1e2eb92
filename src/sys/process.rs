//! What `/proc` says of this process.

use std::fs;
use std::io;

/// The usual figures of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessStats {
    /// User and system time, in seconds.
    pub cpu_seconds: f64,
    /// Resident memory, in bytes.
    pub resident_bytes: f64,
    /// Virtual memory, in bytes.
    pub virtual_bytes: f64,
    /// Open file descriptors.
    pub open_fds: f64,
    /// The soft limit on them; infinite if there is none.
    pub max_fds: f64,
    /// When it started, in Unix seconds.
    pub start_time_seconds: f64,
}

/// Reads them. Needs no capability.
///
/// # Errors
/// `/proc` is not mounted, or says something unheard of.
pub fn read() -> io::Result<ProcessStats> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let limits = fs::read_to_string("/proc/self/limits")?;
    let system = fs::read_to_string("/proc/stat")?;
    // Reading the directory opens one descriptor more.
    let open_fds = fs::read_dir("/proc/self/fd")?.count().saturating_sub(1);
    parse(&stat, &limits, &system, open_fds).ok_or_else(|| io::Error::other("/proc/self reads unlike proc(5)"))
}

/// Has the calling thread run before all ordinary ones of this host (`SCHED_RR`, the lowest real-time priority), or as one of
/// them. Threads and programs that it starts are ordinary ones.
///
/// # Errors
/// `PermissionDenied` without CAP_SYS_NICE, unless `LimitRTPRIO=` allows it.
pub fn take_precedence(wanted: bool) -> io::Result<()> {
    let (policy, priority) =
        if wanted { (libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, 1) } else { (libc::SCHED_OTHER, 0) };
    // SAFETY: a plain C value, for which zeros are a value, on every platform whatever else it holds.
    let mut parameter: libc::sched_param = unsafe { std::mem::zeroed() };
    parameter.sched_priority = priority;
    // SAFETY: 0 is the calling thread; the kernel only reads the parameter.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// By so much the calling thread is nicer than it was: beside one ordinary thread on the same core it has a quarter of that.
const NICER: libc::c_int = 5;

/// Has the calling thread give way to the other ordinary ones, without leaving the processor to them altogether.
///
/// # Errors
/// What the kernel says. It takes no capability.
pub fn give_way() -> io::Result<()> {
    // SAFETY: numbers alone; 0 is the calling thread, whose niceness is its own on Linux. A niceness of -1 is no error here: nobody
    // can be refused its own.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, libc::getpriority(libc::PRIO_PROCESS, 0) + NICER) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn parse(stat: &str, limits: &str, system: &str, open_fds: usize) -> Option<ProcessStats> {
    // The name, in parentheses, may hold anything: fields are counted from behind its last one. Field 3 is the first.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let ticks = system_value(libc::_SC_CLK_TCK)?;
    let boot = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<f64>().ok()?;
    let soft_limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?;
    Some(ProcessStats {
        cpu_seconds: (field(14)? + field(15)?) / ticks,
        start_time_seconds: boot + field(22)? / ticks,
        virtual_bytes: field(23)?,
        resident_bytes: field(24)? * system_value(libc::_SC_PAGESIZE)?,
        open_fds: open_fds as f64,
        max_fds: if soft_limit == "unlimited" { f64::INFINITY } else { soft_limit.parse().ok()? },
    })
}

fn system_value(name: libc::c_int) -> Option<f64> {
    // SAFETY: sysconf takes a number and touches no memory of ours.
    let value = unsafe { libc::sysconf(name) };
    (value > 0).then_some(value as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units\n\
                          Max open files            1024                 524288               files\n";
    const SYSTEM: &str = "cpu  1 2 3\nbtime 1700000000\nprocesses 3\n";

    fn stat(name: &str) -> String {
        let mut fields = vec!["0".to_string(); 50];
        for (number, value) in [(14, "150"), (15, "50"), (22, "1000"), (23, "4096000"), (24, "2")] {
            fields[number - 3] = value.into();
        }
        format!("1234 ({name}) {}\n", fields.join(" "))
    }

    #[test]
    fn a_process_name_with_spaces_and_parentheses_shifts_no_field() {
        for name in ["vipwarden", "a) S 1 (b", "))"] {
            let stats = parse(&stat(name), LIMITS, SYSTEM, 7).unwrap();
            assert_eq!(stats.cpu_seconds * system_value(libc::_SC_CLK_TCK).unwrap(), 200.0);
            assert_eq!(stats.virtual_bytes, 4_096_000.0);
            assert_eq!((stats.open_fds, stats.max_fds), (7.0, 1024.0));
            assert!(stats.start_time_seconds > 1_700_000_000.0);
        }
    }

    #[test]
    fn a_thread_gives_way_and_the_others_do_not() {
        // SAFETY: numbers alone.
        let niceness = || unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        let before = niceness();
        let nicer = std::thread::spawn(move || give_way().map(|()| niceness())).join().unwrap().unwrap();
        assert_eq!((nicer, niceness()), ((before + NICER).min(19), before));
    }

    #[test]
    fn no_limit_on_descriptors_is_infinite() {
        let limits = LIMITS.replace("1024  ", "unlimited");
        assert_eq!(parse(&stat("x"), &limits, SYSTEM, 7).unwrap().max_fds, f64::INFINITY);
    }

    #[test]
    fn a_cut_off_stat_line_is_refused() {
        assert_eq!(parse("1234 (x) S 1 2", LIMITS, SYSTEM, 7), None);
        assert_eq!(parse("", LIMITS, SYSTEM, 7), None);
    }

    #[test]
    fn this_process_uses_memory_and_descriptors() {
        let stats = read().unwrap();
        assert!(stats.resident_bytes > 0.0 && stats.virtual_bytes >= stats.resident_bytes);
        assert!(stats.open_fds >= 1.0 && stats.open_fds <= stats.max_fds);
    }
}
