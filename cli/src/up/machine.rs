//! What this machine, or the container that we are in, has: what Envoy may take on is derived from it.

use kthena_router::local::Capacity;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::path::{Path, PathBuf};

/// Where nothing says how much memory there is.
const UNKNOWN_MEMORY: u64 = 2 << 30;

/// What an Envoy here may take on. It raises its own limit of open files to the hard one.
pub fn capacity() -> Capacity {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limits(&groups, Path::new("/sys/fs/cgroup"));
    let limits = limits.iter().filter_map(|file| fs::read_to_string(file).ok());
    let memory = memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), limits);
    Capacity::of(memory.unwrap_or(UNKNOWN_MEMORY), getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX))
}

/// The files that may hold a memory limit of this process, from `/proc/self/cgroup` and where groups are mounted: its own
/// group's and those of all around it, each of which counts. In a container its own group is the root.
fn limits(groups: &str, mounted: &Path) -> Vec<PathBuf> {
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let (root, file) = match controllers {
            "" => (mounted.to_owned(), "memory.max"),
            known if known.split(',').any(|controller| controller == "memory") => {
                (mounted.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        // A group outside of ours (`/../x`) is not to be seen.
        let inside = path.split('/').filter(|part| !part.is_empty()).take_while(|part| *part != "..");
        let group = inside.fold(root.clone(), |group, part| group.join(part));
        let around = group.ancestors().take_while(|group| group.starts_with(&root));
        Some(around.map(|group| group.join(file)).collect::<Vec<_>>())
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
        let paths = |groups| {
            let paths = limits(groups, Path::new("/cg")).into_iter();
            paths.map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(paths("0::/pods/a\n"), ["/cg/pods/a/memory.max", "/cg/pods/memory.max", "/cg/memory.max"]);
        for root in ["0::/\n", "0::/../../x\n"] {
            assert_eq!(paths(root), ["/cg/memory.max"], "{root}");
        }
        let all = ["pods/a/", "pods/", ""].map(|group| format!("/cg/memory/{group}memory.limit_in_bytes"));
        assert_eq!(paths("5:cpu,cpuacct:/x\n4:memory:/pods/a\nnonsense\n"), all);
    }

    #[test]
    fn the_least_limit_of_all_groups_around_counts() {
        let mounted = tempfile::tempdir().unwrap();
        let least = |least: &str| {
            let scope = mounted.path().join("user.slice/user-1.slice/run.scope");
            fs::create_dir_all(&scope).unwrap();
            for (group, name) in scope.ancestors().zip(["run.scope", "user-1.slice", "user.slice"]) {
                let limit = if name == least { "268435456\n" } else { "1073741824\n" };
                fs::write(group.join("memory.max"), limit).unwrap();
            }
            let files = limits("0::/user.slice/user-1.slice/run.scope\n", mounted.path());
            memory(MEMINFO, files.iter().filter_map(|file| fs::read_to_string(file).ok()))
        };
        for group in ["run.scope", "user-1.slice", "user.slice"] {
            assert_eq!(least(group), Some(256 << 20), "{group}");
        }
        assert_eq!(least("none"), Some(1 << 30));
    }
}
