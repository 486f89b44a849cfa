//! What this machine, or the container that we are in, has: what Envoy may take on is derived from it.

use kthena_router::local::Capacity;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::path::{Path, PathBuf};

/// Where nothing says how much memory there is.
const UNKNOWN_MEMORY: u64 = 2 << 30;

/// What an Envoy here may take on. It raises its own limit of open files to the hard one.
pub fn capacity() -> Capacity {
    let limits = limits(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default());
    let limits = limits.iter().filter_map(|file| fs::read_to_string(file).ok());
    let memory = memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), limits);
    Capacity::of(memory.unwrap_or(UNKNOWN_MEMORY), getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX))
}

/// The files that may hold this process's memory limit, from `/proc/self/cgroup`; in a container its own group is the
/// root.
fn limits(groups: &str) -> Vec<PathBuf> {
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            known if known.split(',').any(|controller| controller == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let root = Path::new(root);
        Some([root.join(path.trim_start_matches('/')).join(file), root.join(file)])
    };
    groups.lines().filter_map(of_line).flatten().collect()
}

/// The least of the machine's memory, from `/proc/meminfo`, and these limits (`max` for none), in bytes.
fn memory(meminfo: &str, limits: impl Iterator<Item = String>) -> Option<u64> {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let total = total.and_then(|kib| kib.trim().parse::<u64>().ok()).map(|kib| kib << 10);
    limits.filter_map(|text| text.trim().parse().ok()).chain(total).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:        2097152 kB\nMemFree:          100 kB\n";

    fn of(limits: &[&str]) -> Option<u64> {
        memory(MEMINFO, limits.iter().map(|text| (*text).to_owned()))
    }

    #[test]
    fn a_container_s_limit_counts_where_it_is_the_lesser() {
        assert_eq!(of(&["536870912\n", "max\n"]), Some(512 << 20));
        // What version 1 says where there is none.
        assert_eq!(of(&["9223372036854771712\n"]), Some(2 << 30));
        assert_eq!(of(&[]), Some(2 << 30));
        assert_eq!(memory("", [].into_iter()), None);
    }

    #[test]
    fn limits_are_looked_for_where_either_version_has_them() {
        let paths = |groups| limits(groups).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        assert_eq!(paths("0::/pods/a\n"), ["/sys/fs/cgroup/pods/a/memory.max", "/sys/fs/cgroup/memory.max"]);
        let first = "/sys/fs/cgroup/memory/pods/a/memory.limit_in_bytes";
        let root = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
        assert_eq!(paths("5:cpu,cpuacct:/x\n4:memory:/pods/a\nnonsense\n"), [first, root]);
    }
}
