//! What the figures were measured on.

use anyhow::Context;
use kthena_e2e::envoy;
use procfs::{CpuInfo, Current, Meminfo};
use std::fs;
use std::process::Command;

/// The machine, Envoy and our commit, as lines of a list in Markdown.
///
/// # Errors
/// One of them cannot be asked.
pub fn shape() -> anyhow::Result<String> {
    let processors = CpuInfo::current()?;
    let model = processors.model_name(0).unwrap_or(std::env::consts::ARCH);
    let memory = Meminfo::current()?.mem_total as f64 / f64::from(1 << 30);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let version = said(Command::new(envoy()).arg("--version"))?;
    let directory = env!("CARGO_MANIFEST_DIR");
    let commit = said(Command::new("git").args(["-C", directory, "describe", "--always", "--dirty", "--abbrev=12"]))?;
    Ok(format!(
        "- {} processors ({model}), {memory:.1} GiB of memory, Linux {}\n- Envoy {}\n- commit {}, {}\n",
        processors.num_cores(),
        kernel.trim(),
        number(&version).unwrap_or(version.trim()),
        commit.trim(),
        if cfg!(debug_assertions) { "**not optimised**" } else { "optimised" },
    ))
}

/// `1.40.0`, of `... version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
fn number(version: &str) -> Option<&str> {
    version.trim().rsplit_once("version: ")?.1.split('/').nth(1)
}

fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    anyhow::ensure!(output.status.success(), "{command:?}: {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoy_s_version_is_the_number_alone() {
        let version = "\nenvoy  version: 9f2b5e3a/1.40.0/Clean/RELEASE/BoringSSL\n\n";
        assert_eq!(number(version), Some("1.40.0"));
        assert_eq!(number("envoy"), None);
    }
}
