//! The process's own figures, by the names that every Prometheus client library gives them.

use procfs::process::Process as Stat;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;

/// Reads `/proc/self` when asked.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        // Without /proc there is nothing to say.
        let Ok(stat) = Stat::myself().and_then(|process| process.stat()) else { return Ok(()) };
        let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        let cpu = ConstCounter::new(seconds);
        cpu.encode(encoder.encode_descriptor("process_cpu_seconds", "CPU time used", None, cpu.metric_type())?)?;
        let mut gauge = |name: &str, help: &str, value: u64| {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        gauge("process_resident_memory_bytes", "Resident memory", stat.rss * procfs::page_size())?;
        gauge("process_virtual_memory_bytes", "Virtual memory", stat.vsize)?;
        gauge("process_threads", "Threads", u64::try_from(stat.num_threads).unwrap_or_default())?;
        if let Ok(open) = Stat::myself().and_then(|process| process.fd_count()) {
            gauge("process_open_fds", "Open file descriptors", open as u64)?;
        }
        Ok(())
    }
}
