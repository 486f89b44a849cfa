//! Who used how much of the processors, by the kernel's own accounts.

use anyhow::Context;
use procfs::process::{Process, all_processes};
use procfs::{CurrentSI, KernelStats, ticks_per_second};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// Processor time that the threads of a process have used, in nanoseconds.
///
/// `/proc/PID/stat` counts in ticks of 10 ms; `schedstat` is exact, and is one of each thread.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Used(BTreeMap<i32, u64>);

/// What all processors did since the machine started, and which part of it was ours.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    at: Instant,
    processors: usize,
    /// Ticks in which nobody had anything to do, or interrupts were served: on some kernels, and on them alone, the
    /// latter are in nobody's account, and what comes over the loopback interface is there.
    idle: u64,
    /// Ticks of this process and of all that it started.
    own: u64,
}

/// A process, as far as belonging and time go.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Account {
    pid: i32,
    parent: i32,
    /// Its own ticks.
    used: u64,
    /// Those of children that have ended, and theirs.
    ended: u64,
}

// === impl Used ===

impl Used {
    /// Until now.
    ///
    /// # Errors
    /// The process is gone.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let tasks = Process::new(pid.cast_signed())?.tasks()?.flatten();
        // A thread may end between two looks.
        let used = tasks.filter_map(|task| Some((task.tid, task.schedstat().ok()?.sum_exec_runtime)));
        let used: BTreeMap<_, _> = used.collect();
        anyhow::ensure!(!used.is_empty(), "process {pid} has ended");
        Ok(Self(used))
    }

    /// What came since then. What threads used that are no longer there is not in it: those of Envoy and of the
    /// router live as long as the process.
    pub fn since(&self, then: &Self) -> Duration {
        let each = self.0.iter().map(|(thread, now)| now.saturating_sub(then.0.get(thread).copied().unwrap_or(0)));
        Duration::from_nanos(each.sum())
    }
}

// === impl Machine ===

impl Machine {
    /// As it is now.
    ///
    /// # Errors
    /// The kernel keeps no such accounts.
    pub fn now() -> anyhow::Result<Self> {
        let stats = KernelStats::current().context("/proc/stat")?;
        let me = std::process::id().cast_signed();
        let accounts = all_processes()?.flatten().filter_map(|process| {
            let stat = process.stat().ok()?;
            let ended = (stat.cutime + stat.cstime).max(0).cast_unsigned();
            Some(Account { pid: stat.pid, parent: stat.ppid, used: stat.utime + stat.stime, ended })
        });
        Ok(Self { at: Instant::now(), processors: stats.cpu_time.len(), idle: idle(&stats), own: own(accounts, me) })
    }

    /// How many processors others kept busy since then, such as 0.5 for half of one.
    pub fn others_since(&self, then: &Self) -> f64 {
        let seconds = self.at.duration_since(then.at).as_secs_f64();
        others(self.processors, seconds, self.idle.saturating_sub(then.idle), self.own.saturating_sub(then.own))
    }
}

fn idle(stats: &KernelStats) -> u64 {
    let total = &stats.total;
    total.idle + [total.iowait, total.irq, total.softirq].iter().flatten().sum::<u64>()
}

fn others(processors: usize, seconds: f64, idle: u64, own: u64) -> f64 {
    let ticks = ticks_per_second() as f64;
    (processors as f64 - (idle + own) as f64 / ticks / seconds.max(1e-3)).max(0.0)
}

/// Ticks of a process and of all that descend from it, those that have ended too.
fn own(accounts: impl Iterator<Item = Account>, of: i32) -> u64 {
    let accounts: HashMap<i32, Account> = accounts.map(|account| (account.pid, account)).collect();
    let descends = |account: &Account| {
        let mut pid = account.pid;
        // A process that began between two looks may close a circle.
        for _ in 0..accounts.len() {
            if pid == of {
                return true;
            }
            match accounts.get(&pid) {
                Some(account) => pid = account.parent,
                None => return false,
            }
        }
        false
    };
    accounts.values().filter(|account| descends(account)).map(|account| account.used + account.ended).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use procfs::FromBufReadSI;

    #[test]
    fn what_a_process_used_is_what_its_threads_did_since_and_new_ones_count_whole() {
        let then = Used(BTreeMap::from([(10, 1_000), (11, 5_000), (12, 7_000)]));
        let now = Used(BTreeMap::from([(10, 1_500), (11, 5_000), (13, 250)]));
        assert_eq!(now.since(&then), Duration::from_nanos(750));
    }

    #[test]
    fn this_process_uses_time_while_it_works() {
        let (me, start) = (std::process::id(), Instant::now());
        let then = Used::of(me).unwrap();
        while start.elapsed() < Duration::from_millis(50) {
            std::hint::black_box(then.clone());
        }
        let used = Used::of(me).unwrap().since(&then);
        assert!(used > Duration::from_millis(5), "{used:?}");
        assert!(Used::of(u32::MAX >> 1).is_err());
    }

    #[test]
    fn waiting_and_interrupts_are_nobody_s_work() {
        let text = "cpu  2357359 3063294 453229 1304864 19338 7 31246 15351 0 0\n\
                    cpu0 1178022 1533704 224739 652235 10958 0 15039 7617 0 0\n\
                    intr 0\nctxt 1\nbtime 1795254251\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n";
        let stats = KernelStats::from_buf_read(text.as_bytes(), procfs::current_system_info()).unwrap();
        assert_eq!(idle(&stats), 1_304_864 + 19_338 + 7 + 31_246);
        assert_eq!(stats.cpu_time.len(), 1);
    }

    #[test]
    fn what_neither_we_used_nor_nobody_was_others_work() {
        let second = ticks_per_second();
        assert!((others(2, 4.0, 2 * second, 5 * second) - 0.25).abs() < 1e-9);
        assert_eq!(others(2, 4.0, 2 * second, 7 * second), 0.0, "accounts of ticks are a little apart");
    }

    #[test]
    fn children_s_children_are_ours_and_so_are_those_that_have_ended() {
        let account = |pid, parent, used, ended| Account { pid, parent, used, ended };
        let all = [
            account(1, 0, 1_000, 5_000),
            account(50, 1, 10, 3),
            account(51, 50, 20, 0),
            account(52, 51, 40, 0),
            account(60, 1, 100, 0),
            // Seen at different times, each the other's parent.
            account(70, 71, 1, 0),
            account(71, 70, 1, 0),
        ];
        assert_eq!(own(all.into_iter(), 50), 73);
    }
}
