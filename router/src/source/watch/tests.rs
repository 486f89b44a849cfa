use std::{fs, path::Path};

use tempfile::TempDir;

use super::*;

/// Far beyond what any change takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// No rescan within a test: what comes, came by an event.
const BY_EVENTS: Pace = Pace { rescan: Duration::from_secs(3600), ..Pace::NORMAL };

fn pod(name: &str) -> String {
    format!("{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}}}\n")
}

fn pods(snapshot: &Snapshot) -> Vec<&str> {
    let pods = snapshot.resources.pods.iter();
    pods.filter_map(|pod| pod.metadata.name.as_deref()).collect()
}

type Snapshots = watch::Receiver<Arc<Snapshot>>;

fn follow_paths(pace: Pace, paths: &[&Path]) -> Snapshots {
    let mut directory = Directory::open(paths).unwrap();
    let first = directory.load();
    follow_at(pace, "manifests", directory, first).unwrap()
}

/// A directory below one that nobody else uses, holding pod `a`.
fn followed() -> (TempDir, std::path::PathBuf, Snapshots) {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("manifests");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("a.yaml"), pod("a")).unwrap();
    let snapshots = follow_paths(BY_EVENTS, &[&dir]);
    (outer, dir, snapshots)
}

async fn until(snapshots: &mut Snapshots, condition: impl Fn(&Snapshot) -> bool) {
    let found = snapshots.wait_for(|snapshot| condition(snapshot));
    match tokio::time::timeout(DEADLINE, found).await {
        Ok(Ok(_)) => return,
        Ok(Err(_)) => panic!("the watching thread ended"),
        Err(_) => {}
    }
    panic!("not within {DEADLINE:?}; now {:?}", snapshots.borrow());
}

async fn until_pods(snapshots: &mut Snapshots, expected: &[&str]) {
    until(snapshots, |snapshot| pods(snapshot) == expected).await;
}

#[tokio::test]
async fn edits_renames_and_deletions_arrive_by_events() {
    let (_outer, dir, mut snapshots) = followed();
    until_pods(&mut snapshots, &["a"]).await;
    fs::write(dir.join("b.yaml"), pod("b")).unwrap();
    until_pods(&mut snapshots, &["a", "b"]).await;
    fs::write(dir.join(".b.tmp"), pod("c")).unwrap();
    fs::rename(dir.join(".b.tmp"), dir.join("b.yaml")).unwrap();
    until_pods(&mut snapshots, &["a", "c"]).await;
    fs::remove_file(dir.join("a.yaml")).unwrap();
    until_pods(&mut snapshots, &["c"]).await;
}

#[tokio::test]
async fn a_bad_edit_arrives_as_a_problem_with_the_last_good_objects() {
    let (_outer, dir, mut snapshots) = followed();
    fs::write(dir.join("a.yaml"), "kind: [").unwrap();
    until(&mut snapshots, |snapshot| !snapshot.problems.is_empty()).await;
    assert_eq!(pods(&snapshots.borrow()), ["a"]);
    fs::write(dir.join("a.yaml"), pod("b")).unwrap();
    until_pods(&mut snapshots, &["b"]).await;
    assert!(snapshots.borrow().problems.is_empty());
}

#[tokio::test]
async fn a_replaced_directory_is_followed_on() {
    let (outer, dir, mut snapshots) = followed();
    fs::rename(&dir, outer.path().join("away")).unwrap();
    until(&mut snapshots, |snapshot| !snapshot.problems.is_empty()).await;
    assert_eq!(pods(&snapshots.borrow()), ["a"]);

    let next = outer.path().join("next");
    fs::create_dir(&next).unwrap();
    fs::write(next.join("b.yaml"), pod("b")).unwrap();
    fs::rename(&next, &dir).unwrap();
    until_pods(&mut snapshots, &["b"]).await;

    // The new directory's own events arrive, too.
    fs::write(dir.join("b.yaml"), pod("c")).unwrap();
    until_pods(&mut snapshots, &["c"]).await;
}

#[tokio::test]
async fn a_directory_deleted_and_made_anew_is_followed_on() {
    let (_outer, dir, mut snapshots) = followed();
    fs::remove_dir_all(&dir).unwrap();
    until(&mut snapshots, |snapshot| !snapshot.problems.is_empty()).await;
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("b.yaml"), pod("b")).unwrap();
    until_pods(&mut snapshots, &["b"]).await;
    fs::write(dir.join("b.yaml"), pod("c")).unwrap();
    until_pods(&mut snapshots, &["c"]).await;
}

#[tokio::test]
async fn a_single_file_is_followed_through_a_mounted_configmap_s_links() {
    let outer = tempfile::tempdir().unwrap();
    let at = |name: &str| outer.path().join(name);
    for (version, name) in [("..1", "a"), ("..2", "b")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("x.yaml"), pod(name)).unwrap();
    }
    std::os::unix::fs::symlink("..1", at("..data")).unwrap();
    std::os::unix::fs::symlink("..data/x.yaml", at("x.yaml")).unwrap();
    let mut snapshots = follow_paths(BY_EVENTS, &[&at("x.yaml")]);
    until_pods(&mut snapshots, &["a"]).await;
    std::os::unix::fs::symlink("..2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    until_pods(&mut snapshots, &["b"]).await;
}

#[tokio::test]
async fn a_change_without_an_event_is_found_by_the_next_rescan() {
    let outer = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("x.yaml"), pod("a")).unwrap();
    let pace = Pace { rescan: Duration::from_millis(100), ..Pace::NORMAL };
    // Events belong to directories: through a link, an edit elsewhere makes none here.
    let link = outer.path().join("x.yaml");
    std::os::unix::fs::symlink(elsewhere.path().join("x.yaml"), &link).unwrap();
    let mut snapshots = follow_paths(pace, &[outer.path()]);
    until_pods(&mut snapshots, &["a"]).await;
    fs::write(elsewhere.path().join("x.yaml"), pod("b-longer")).unwrap();
    until_pods(&mut snapshots, &["b-longer"]).await;
}

#[tokio::test]
async fn what_changes_nothing_is_not_sent() {
    let (_outer, dir, mut snapshots) = followed();
    snapshots.borrow_and_update();
    fs::write(dir.join("a.yaml"), format!("# a remark\n{}", pod("a"))).unwrap();
    fs::write(dir.join("notes.txt"), "x").unwrap();
    fs::write(dir.join("b.yaml"), pod("b")).unwrap();
    tokio::time::timeout(DEADLINE, snapshots.changed()).await.unwrap().unwrap();
    assert_eq!(pods(&snapshots.borrow_and_update()), ["a", "b"]);
}

#[tokio::test]
async fn many_edits_at_once_end_in_the_last_state() {
    let (_outer, dir, mut snapshots) = followed();
    for round in 0..200 {
        fs::write(dir.join("a.yaml"), pod(&format!("r{round}"))).unwrap();
    }
    until_pods(&mut snapshots, &["r199"]).await;
}

#[test]
fn a_file_that_is_still_written_is_given_more_time_than_one_that_is_closed_or_renamed() {
    use notify::EventKind;
    use notify::event::{AccessKind, AccessMode, CreateKind, DataChange, ModifyKind, RenameMode};
    let pause = |kind| Pace::NORMAL.pause(&Ok(Event::new(kind)));
    let written = [EventKind::Create(CreateKind::File), EventKind::Modify(ModifyKind::Data(DataChange::Any))];
    let settled =
        [EventKind::Access(AccessKind::Close(AccessMode::Write)), EventKind::Modify(ModifyKind::Name(RenameMode::To))];
    assert_eq!(written.map(pause), [Pace::NORMAL.quiet; 2]);
    assert_eq!(settled.map(pause), [Pace::NORMAL.settled; 2]);
    assert!(Pace::NORMAL.settled < Pace::NORMAL.quiet);
}
