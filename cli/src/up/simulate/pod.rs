//! A made-up Pod as a manifest, in the directory that the router reads beside the user's.

use super::plan::MadeUp;
use anyhow::Context;
use kthena_crds::Pod;
use kthena_router::local::SIMULATED_FOR;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// The file of a Pod (`namespace/name`); a namespace has no dot, so no two Pods share one.
pub fn file(directory: &Path, pod: &str) -> PathBuf {
    directory.join(format!("{}.yaml", pod.replace('/', ".")))
}

/// Writes a Pod's manifest, whole or not at all.
///
/// # Errors
/// The file cannot be written; the error names it.
pub fn write(path: &Path, manifest: &str) -> anyhow::Result<()> {
    let put = || {
        // Its name begins with a dot, so nobody reads it before it has its own.
        let mut file = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(manifest.as_bytes())?;
        file.persist(path)?;
        anyhow::Ok(())
    };
    put().with_context(|| format!("made-up Pod {}", path.display()))
}

/// The manifest of a running, ready Pod.
///
/// # Errors
/// It cannot be written as YAML.
pub fn manifest(pod: &str, made_up: &MadeUp, ip: IpAddr) -> anyhow::Result<String> {
    let (namespace, name) = pod.split_once('/').context("a Pod's key is namespace/name")?;
    let pod: Pod = serde_json::from_value(serde_json::json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": made_up.labels,
            "annotations": { SIMULATED_FOR: made_up.server },
        },
        "status": {
            "podIP": ip,
            "phase": "Running",
            "conditions": [{ "type": "Ready", "status": "True" }],
        },
    }))?;
    Ok(serde_saphyr::to_string(&pod)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kthena_crds::pod;
    use kthena_router::source::Directory;
    use std::collections::BTreeMap;

    #[test]
    fn a_made_up_pod_is_read_back_as_it_was_meant() {
        let directory = tempfile::tempdir().unwrap();
        // Labels that YAML would take for something else.
        let labels = [("app", "yes"), ("version", "1e3"), ("rank", "010"), ("empty", "")];
        let labels: BTreeMap<_, _> = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let made_up = MadeUp { server: "ns/s".to_owned(), port: 8000, labels: labels.clone() };
        let ip = "127.64.0.1".parse().unwrap();
        let path = file(directory.path(), "ns/s-sim-0");
        write(&path, &manifest("ns/s-sim-0", &made_up, ip).unwrap()).unwrap();

        let snapshot = Directory::open([directory.path()]).unwrap().load();
        assert_eq!(snapshot.problems, []);
        let [read] = &snapshot.resources.pods[..] else { panic!("one Pod, not {:?}", snapshot.resources.pods) };
        assert!(pod::ready(read) && pod::matches(&labels, read));
        assert_eq!(pod::pod_ip(read), Some(ip));
        assert_eq!(read.metadata.annotations.as_ref().unwrap()[SIMULATED_FOR], "ns/s");
        assert_eq!(read.metadata.namespace.as_deref(), Some("ns"));
    }
}
