//! Every seed goes through its target in an ordinary test run.

use kthena_fuzz::TARGETS;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_target_takes_its_seeds_and_every_folder_of_seeds_has_its_target() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let folders = fs::read_dir(&seeds).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(folders.collect::<BTreeSet<_>>(), names);
    for (name, run) in TARGETS {
        let files = fs::read_dir(seeds.join(name)).unwrap().map(|entry| entry.unwrap().path());
        let bytes: Vec<Vec<u8>> = files.map(|path| fs::read(path).unwrap()).collect();
        assert!(!bytes.is_empty(), "{name} has no seed");
        bytes.iter().for_each(|bytes| run(bytes));
    }
}

#[test]
fn every_target_has_its_program() {
    let programs = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets")).unwrap();
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let programs: BTreeSet<String> = programs.map(|entry| stem(&entry.unwrap().path())).collect();
    assert_eq!(programs, TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect());
}
