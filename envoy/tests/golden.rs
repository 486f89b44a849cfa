//! `compile`, one case a pair of files: `golden/<case>.in.yaml` holds the resources, `golden/<case>.out.yaml`
//! the data plane. `UPDATE_GOLDEN=1` rewrites the latter; review the difference like code.

use kthena_core::prefix::Blocks;
use kthena_crds::{Resources, secret};
use kthena_envoy::{Profiles, Settings, compile};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with(".in.yaml")).collect();
    cases.sort();
    cases
}

fn resources(path: &Path) -> Resources {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(path).unwrap()).unwrap();
    let mut resources = Resources::default();
    for document in documents {
        match document["kind"].as_str().unwrap() {
            "ModelRoute" => resources.model_routes.push(serde_json::from_value(document).unwrap()),
            "ModelServer" => resources.model_servers.push(serde_json::from_value(document).unwrap()),
            "Pod" => resources.pods.push(serde_json::from_value(document).unwrap()),
            "Secret" => resources.secrets.push(secret::from_document(&document).unwrap()),
            kind => panic!("{kind} in {}", path.display()),
        }
    }
    resources.sort();
    resources
}

/// The defaults, and two profiles that ModelServers may name.
fn settings() -> Settings {
    let named = [("long-prompts", Some(Blocks { size: 256, max: 64 })), ("no-prefix", None)];
    let named = named.map(|(name, blocks)| (name.to_owned(), blocks)).into();
    Settings { profiles: Profiles { named, ..Profiles::default() }, ..Settings::default() }
}

#[test]
fn resources_compile_to_what_the_golden_files_say() {
    let cases = cases();
    assert!(cases.len() >= 10, "the golden files are gone");
    let mut stale = Vec::new();
    for input in cases {
        let output = PathBuf::from(input.to_string_lossy().replace(".in.yaml", ".out.yaml"));
        let compiled = serde_saphyr::to_string(&compile(&resources(&input), &settings())).unwrap();
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&output, compiled).unwrap();
        } else if fs::read_to_string(&output).unwrap_or_default() != compiled {
            stale.push(output.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    assert!(stale.is_empty(), "differ from what compile gives, see with UPDATE_GOLDEN=1 and git diff: {stale:?}");
}

#[test]
fn the_order_of_the_resources_does_not_matter() {
    for input in cases() {
        let forward = resources(&input);
        let mut backward = forward.clone();
        backward.model_routes.reverse();
        backward.model_servers.reverse();
        backward.pods.reverse();
        backward.secrets.reverse();
        backward.sort();
        let settings = settings();
        assert_eq!(compile(&forward, &settings), compile(&backward, &settings), "{}", input.display());
    }
}
