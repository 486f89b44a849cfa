use std::fs;

use tempfile::TempDir;

use super::*;

fn server(name: &str, port: u16) -> String {
    format!(
        "apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelServer
metadata:
  name: {name}
spec:
  workloadSelector: {{matchLabels: {{app: a}}}}
  workloadPort: {{port: {port}}}
  inferenceEngine: vLLM
"
    )
}

/// A directory of its own with one file `a.yaml` loaded: server `a` on port 1.
fn loaded() -> (TempDir, Directory) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.yaml"), server("a", 1)).unwrap();
    let mut directory = Directory::open([dir.path()]).unwrap();
    let first = directory.load();
    assert_eq!(servers(&first), ["a:1"]);
    assert_eq!(first.first_load_errors(), []);
    (dir, directory)
}

fn servers(snapshot: &Snapshot) -> Vec<String> {
    let servers = snapshot.resources.model_servers.iter();
    servers
        .map(|server| {
            let name = server.metadata.name.as_deref().unwrap();
            format!("{name}:{}", server.spec.workload_port.port)
        })
        .collect()
}

/// The problems as shown, without the temporary directory's name.
fn problems(dir: &TempDir, snapshot: &Snapshot) -> Vec<String> {
    let prefix = format!("{}/", dir.path().display());
    let problems = snapshot.problems.iter();
    problems.map(|problem| problem.to_string().replace(&prefix, "")).collect()
}

#[test]
fn files_count_by_their_names_and_only_directly_in_the_directory() {
    let (dir, mut directory) = loaded();
    for name in ["b.yml", "c.json", "d.yaml~", ".e.yaml", "#f.yaml#", "g.txt", "h.yaml.swp"] {
        let server = server(&name.replace(|c: char| !c.is_ascii_lowercase(), ""), 1);
        let value: serde_json::Value = serde_saphyr::from_str(&server).unwrap();
        fs::write(dir.path().join(name), value.to_string()).unwrap();
    }
    fs::create_dir(dir.path().join("below.yaml")).unwrap();
    fs::write(dir.path().join("below.yaml/i.yaml"), server("i", 1)).unwrap();
    let snapshot = directory.load();
    assert_eq!(servers(&snapshot), ["a:1", "byml:1", "cjson:1"]);
    assert!(snapshot.problems.is_empty(), "{:?}", snapshot.problems);
}

#[test]
fn an_edit_and_an_atomic_rename_are_taken() {
    let (dir, mut directory) = loaded();
    fs::write(dir.path().join("a.yaml"), server("a", 2)).unwrap();
    assert_eq!(servers(&directory.load()), ["a:2"]);
    fs::write(dir.path().join(".a.yaml.tmp"), server("a", 3)).unwrap();
    fs::rename(dir.path().join(".a.yaml.tmp"), dir.path().join("a.yaml")).unwrap();
    assert_eq!(servers(&directory.load()), ["a:3"]);
}

#[test]
fn a_half_written_file_keeps_what_it_held() {
    let (dir, mut directory) = loaded();
    let path = dir.path().join("a.yaml");
    let next = server("a", 2);
    // Cut anywhere, a document is broken or lacks a field; only its last line can be spared.
    for cut in 0..next.rfind("inferenceEngine").unwrap() {
        fs::write(&path, &next[..cut]).unwrap();
        let snapshot = directory.load();
        assert_eq!(servers(&snapshot), ["a:1"], "cut at {cut}");
        assert_eq!(snapshot.problems.len(), 1, "cut at {cut}: {:?}", snapshot.problems);
    }
    fs::write(&path, &next).unwrap();
    let snapshot = directory.load();
    assert_eq!(servers(&snapshot), ["a:2"]);
    assert!(snapshot.problems.is_empty(), "{:?}", snapshot.problems);
}

#[test]
fn a_truncated_file_keeps_what_it_held_and_says_how_to_remove_it() {
    let (dir, mut directory) = loaded();
    fs::write(dir.path().join("a.yaml"), " \n").unwrap();
    let snapshot = directory.load();
    assert_eq!(servers(&snapshot), ["a:1"]);
    assert_eq!(
        problems(&dir, &snapshot),
        ["a.yaml: empty; delete the file to remove its objects; what the file last held stays in service"]
    );
}

#[test]
fn a_file_whose_content_was_commented_out_holds_nothing() {
    let (dir, mut directory) = loaded();
    let commented = server("a", 1).replace('\n', "\n# ");
    fs::write(dir.path().join("a.yaml"), format!("# {commented}")).unwrap();
    assert_eq!(directory.load(), Snapshot::default());
}

#[test]
fn a_deleted_file_takes_its_objects_with_it() {
    let (dir, mut directory) = loaded();
    fs::remove_file(dir.path().join("a.yaml")).unwrap();
    assert_eq!(directory.load(), Snapshot::default());
}

#[test]
fn one_bad_object_keeps_its_whole_file_as_it_was_and_no_other() {
    let (dir, mut directory) = loaded();
    let bad = format!("{}---\n{}", server("a", 2), server("b", 2).replace("vLLM", "Foo"));
    fs::write(dir.path().join("a.yaml"), bad).unwrap();
    fs::write(dir.path().join("c.yaml"), server("c", 2)).unwrap();
    let snapshot = directory.load();
    assert_eq!(servers(&snapshot), ["a:1", "c:2"]);
    assert_eq!(
        problems(&dir, &snapshot),
        [
            "ModelServer default/b in a.yaml: spec.inferenceEngine: unknown variant `Foo`, expected `vLLM` or `SGLang`; what the file last held stays in service"
        ]
    );
}

#[test]
fn a_bad_file_on_the_first_load_is_an_error_and_a_remark_is_none() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.yaml"), "kind: [").unwrap();
    fs::write(dir.path().join("b.yaml"), format!("{}  unheard: 1\n", server("b", 1))).unwrap();
    let snapshot = Directory::open([dir.path()]).unwrap().load();
    assert_eq!(servers(&snapshot), ["b:1"]);
    assert_eq!(snapshot.problems.len(), 2);
    let [error] = snapshot.first_load_errors() else {
        panic!("{:?}", snapshot.first_load_errors());
    };
    assert!(error.to_string().contains("a.yaml"), "{error}");
}

#[test]
fn of_one_object_in_two_files_the_first_by_name_is_served() {
    let (dir, mut directory) = loaded();
    fs::write(dir.path().join("b.yaml"), server("a", 2)).unwrap();
    let snapshot = directory.load();
    assert_eq!(servers(&snapshot), ["a:1"]);
    let shown = dir.path().join("a.yaml").display().to_string();
    assert_eq!(
        snapshot.problems[0].to_string(),
        format!(
            "ModelServer default/a in {}: also in {shown}, which is served; remove one of the two",
            dir.path().join("b.yaml").display()
        )
    );
    assert_eq!(snapshot.first_load_errors(), []);
    fs::remove_file(dir.path().join("a.yaml")).unwrap();
    let snapshot = directory.load();
    assert_eq!(servers(&snapshot), ["a:2"]);
    assert!(snapshot.problems.is_empty(), "{:?}", snapshot.problems);
}

#[test]
fn one_object_twice_in_a_file_is_served_once() {
    let (dir, mut directory) = loaded();
    let twice = format!("{}---\n{}", server("a", 1), server("a", 2));
    fs::write(dir.path().join("a.yaml"), twice).unwrap();
    let snapshot = directory.load();
    assert_eq!(servers(&snapshot), ["a:1"]);
    assert_eq!(
        problems(&dir, &snapshot),
        ["ModelServer default/a in a.yaml: given twice in the file; the first is served, remove the other"]
    );
}

#[test]
fn a_directory_that_is_away_keeps_what_it_held() {
    let (dir, mut directory) = loaded();
    let away = dir.path().with_extension("away");
    fs::rename(dir.path(), &away).unwrap();
    let snapshot = directory.load();
    assert_eq!(servers(&snapshot), ["a:1"]);
    let shown = snapshot.problems[0].to_string();
    assert!(shown.contains("cannot be listed"), "{shown}");
    fs::rename(&away, dir.path()).unwrap();
    let snapshot = directory.load();
    assert_eq!(servers(&snapshot), ["a:1"]);
    assert!(snapshot.problems.is_empty(), "{:?}", snapshot.problems);
}

#[test]
fn a_file_larger_than_the_limit_is_named_with_it() {
    let (dir, mut directory) = loaded();
    let file = fs::File::create(dir.path().join("a.yaml")).unwrap();
    file.set_len(files::MAX_FILE_BYTES + 1).unwrap();
    let snapshot = directory.load();
    assert_eq!(servers(&snapshot), ["a:1"]);
    assert_eq!(
        problems(&dir, &snapshot),
        [
            "a.yaml: larger than 16 MiB, the most a manifest may have: split it; what the file last held stays in service"
        ]
    );
}

#[test]
fn a_file_that_is_not_text_is_named() {
    let (dir, mut directory) = loaded();
    fs::write(dir.path().join("b.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    let snapshot = directory.load();
    assert_eq!(servers(&snapshot), ["a:1"]);
    assert_eq!(problems(&dir, &snapshot), ["b.yaml: not UTF-8 text"]);
}

#[test]
fn single_files_and_directories_add_up() {
    let (dir, _) = loaded();
    let other = tempfile::tempdir().unwrap();
    let single = other.path().join("single");
    fs::write(&single, server("s", 1)).unwrap();
    fs::write(other.path().join("beside.yaml"), server("n", 1)).unwrap();
    let mut directory = Directory::open([dir.path(), &single]).unwrap();
    assert_eq!(servers(&directory.load()), ["a:1", "s:1"]);
    fs::remove_file(&single).unwrap();
    let snapshot = directory.load();
    assert_eq!(servers(&snapshot), ["a:1"]);
    let shown = snapshot.problems[0].to_string();
    assert!(shown.ends_with("no such file; its objects are removed"), "{shown}");
}

#[test]
fn a_path_that_does_not_exist_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let refused = Directory::open([dir.path().join("nowhere")]).unwrap_err();
    let shown = refused.to_string();
    assert!(shown.contains("nowhere: No such file"), "{shown}");
}

#[test]
fn marks_change_with_what_is_on_disk_and_not_by_reading() {
    let (dir, mut directory) = loaded();
    let before = directory.stamps();
    directory.load();
    assert_eq!(directory.stamps(), before);
    fs::write(dir.path().join("a.yaml"), server("a", 22)).unwrap();
    assert_ne!(directory.stamps(), before);
}
