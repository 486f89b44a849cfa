//! The process's own figures, by the names that every Prometheus client library gives them.

use super::family::{Source, single};
use procfs::process::{LimitValue, Process as Stat};
use prometheus::proto::{MetricFamily, MetricType};

/// Reads `/proc/self` when asked.
#[derive(Debug)]
pub(super) struct Process;

impl Source for Process {
    fn collect(&self) -> Vec<MetricFamily> {
        // Without /proc there is nothing to say.
        let Ok(process) = Stat::myself() else { return Vec::new() };
        let Ok(stat) = process.stat() else { return Vec::new() };
        let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        let gauge = |name: &str, help: &str, value: u64| single(name, help, MetricType::GAUGE, value as f64);
        let mut families = vec![
            single("process_cpu_seconds_total", "CPU time used", MetricType::COUNTER, seconds),
            gauge("process_resident_memory_bytes", "Resident memory", stat.rss * procfs::page_size()),
            gauge("process_virtual_memory_bytes", "Virtual memory", stat.vsize),
            gauge("process_threads", "Threads", u64::try_from(stat.num_threads).unwrap_or_default()),
        ];
        if let Ok(open) = process.fd_count() {
            families.push(gauge("process_open_fds", "Open file descriptors", open as u64));
        }
        if let Ok(LimitValue::Value(max)) = process.limits().map(|limits| limits.max_open_files.soft_limit) {
            families.push(gauge("process_max_fds", "The most file descriptors that may be open", max));
        }
        if let Ok(boot) = procfs::boot_time_secs() {
            let start = boot as f64 + stat.starttime as f64 / procfs::ticks_per_second() as f64;
            let help = "Seconds since the Unix epoch at which the process started";
            families.push(single("process_start_time_seconds", help, MetricType::GAUGE, start));
        }
        families
    }
}
