//! oha, the load generator: how it is started, and what it says at the end.

use crate::binaries::fetched;
use crate::{scratch, spawn};
use anyhow::Context;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::sleep;

/// What is asked, and how often.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Connections; without a rate, requests at a time.
    pub connections: u32,
    /// Requests a second, come what may; without one each connection asks again when it has its answer.
    pub rate: Option<u32>,
    /// For how long.
    pub lasts: Duration,
}

/// It, while it runs; dropping it ends it.
#[derive(Debug)]
pub struct Running {
    process: Child,
    directory: TempDir,
}

/// What became of the requests.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    latency_percentiles: BTreeMap<String, Option<f64>>,
    status_code_distribution: BTreeMap<String, u64>,
    error_distribution: BTreeMap<String, u64>,
}

/// Between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Requests that were under way when the time was over; they are no failures.
const CUT: &str = "aborted due to deadline";

// === impl Load ===

impl Load {
    /// Begins to send these bodies, in any order, to a chat's path at this address.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, address: SocketAddr, bodies: &[String]) -> anyhow::Result<Running> {
        let directory = scratch::directory();
        let file = directory.path().join("bodies");
        fs::write(&file, bodies.join("\n")).context("the bodies")?;
        let output = File::create(directory.path().join("report")).context("the report")?;
        let process = spawn(&fetched("tools/oha"), |command| {
            command.args(["--no-tui", "--output-format", "json", "-m", "POST", "-T", "application/json"]);
            command.arg("-c").arg(self.connections.to_string());
            command.arg("-z").arg(format!("{}ms", self.lasts.as_millis()));
            if let Some(rate) = self.rate {
                command.arg("-q").arg(rate.to_string()).arg("--latency-correction");
            }
            command.arg("-Z").arg(&file).arg(format!("http://{address}/v1/chat/completions"));
            command.stdin(Stdio::null()).stdout(output).stderr(Stdio::inherit());
        });
        Ok(Running { process, directory })
    }
}

// === impl Running ===

impl Running {
    /// Waits for its end.
    ///
    /// # Errors
    /// It failed, or a request did.
    pub async fn report(mut self) -> anyhow::Result<Report> {
        // It ends by itself, soon after its time.
        let status = loop {
            match self.process.try_wait()? {
                Some(status) => break status,
                None => sleep(LOOK).await,
            }
        };
        anyhow::ensure!(status.success(), "oha: {status}");
        let text = fs::read_to_string(self.directory.path().join("report"))?;
        let report: Report = serde_json::from_str(&text).with_context(|| format!("oha's report: {text}"))?;
        report.checked()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

// === impl Report ===

impl Report {
    /// Figures of requests that failed are figures of something else.
    fn checked(self) -> anyhow::Result<Self> {
        let failed = self.status_code_distribution.keys().any(|status| status != "200");
        let broken = self.error_distribution.keys().any(|error| error != CUT);
        anyhow::ensure!(
            !failed && !broken && !self.status_code_distribution.is_empty(),
            "requests failed: {:?} {:?}",
            self.status_code_distribution,
            self.error_distribution
        );
        Ok(self)
    }

    /// Requests that were answered.
    pub fn answered(&self) -> u64 {
        self.status_code_distribution.values().sum()
    }

    /// Seconds within which this share of the requests was answered: `p50` and `p99` are among those that there are.
    ///
    /// # Errors
    /// oha names no such share.
    pub fn latency(&self, share: &str) -> anyhow::Result<f64> {
        self.latency_percentiles.get(share).copied().flatten().with_context(|| format!("oha: no {share}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(statuses: &str, errors: &str) -> anyhow::Result<Report> {
        let text = format!(
            r#"{{"summary": {{"total": 1.0}}, "latencyPercentiles": {{"p50": 0.001, "p99": 0.004, "p99.99": null}},
                "statusCodeDistribution": {{{statuses}}}, "errorDistribution": {{{errors}}}}}"#
        );
        serde_json::from_str::<Report>(&text)?.checked()
    }

    #[test]
    fn requests_that_the_end_cut_are_no_failures() {
        let report = report(r#""200": 12"#, r#""aborted due to deadline": 3"#).unwrap();
        assert_eq!((report.answered(), report.latency("p99").unwrap()), (12, 0.004));
        assert!(report.latency("p99.99").is_err());
    }

    #[test]
    fn nothing_is_made_of_requests_that_failed() {
        for (statuses, errors) in
            [(r#""200": 12, "503": 1"#, ""), (r#""200": 12"#, r#""connection closed": 1"#), ("", "")]
        {
            assert!(report(statuses, errors).unwrap_err().to_string().starts_with("requests failed"));
        }
    }
}
