//! Edits of the router's configuration file take effect while requests run, and a bad edit changes nothing.

use kthena_e2e::{Kthena, Setup, manifests, until};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A ModelServer that names no profile, and one that names `spread`.
fn manifests() -> String {
    let annotation = "  annotations:\n    networking.serving.volcano.sh/scheduler-profile: spread\n";
    let own = manifests::server("own", "own", "").replace("  name: own\n", &format!("  name: own\n{annotation}"));
    let routes = ["m", "own"].map(|name| manifests::route(name, name, &[(name, 100)])).concat();
    routes + &manifests::server("m", "m", "") + &own
}

/// An instance with this configuration, in a file that is the answer's second half.
fn configured(text: &str) -> (Kthena, PathBuf) {
    let setup = Setup::simulated(&[("all.yaml", &manifests())]);
    let path = setup.manifests().with_file_name("router.yaml");
    (setup.config(text).up(), path)
}

/// Replaces a file at once, as editors do.
fn replace(path: &Path, text: &str) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, path).unwrap();
}

/// A scheduler that ranks by one plugin.
fn by(plugin: &str) -> String {
    format!("{{plugins: {{Score: {{enabled: [{{name: {plugin}, weight: 1}}]}}}}}}")
}

/// The scorers behind the answer to a chat with `model`.
async fn scorers(kthena: &Kthena, model: &str) -> Vec<String> {
    kthena.client().chat(model).await.ok();
    let page = kthena.debug().get(&format!("/debug/decisions?target=default/{model}&limit=1")).await.ok().json();
    let scorers = page["decisions"][0]["scorers"].as_array().expect("a decision").clone();
    scorers.iter().map(|scorer| scorer["name"].as_str().unwrap().to_owned()).collect()
}

async fn until_scorers(kthena: &Kthena, model: &str, expected: &[&str]) {
    until(&format!("{model} to be ranked by {expected:?}"), async || {
        (scorers(kthena, model).await == expected).then_some(())
    })
    .await;
}

/// What `/debug/problems` says.
async fn problems(kthena: &Kthena) -> String {
    kthena.debug().get("/debug/problems").await.ok().text().to_owned()
}

/// Plugins of that type with a duration on the page of metrics.
async fn plugins(kthena: &Kthena, kind: &str) -> BTreeSet<String> {
    let page = kthena.metrics().get("/metrics").await.ok();
    let counts =
        page.text().lines().filter(|line| line.starts_with("kthena_router_scheduler_plugin_duration_seconds_count"));
    let label = |line: &str, name: &str| Some(line.split_once(&format!("{name}=\""))?.1.split_once('"')?.0.to_owned());
    counts
        .filter(|line| label(line, "type").as_deref() == Some(kind))
        .filter_map(|line| label(line, "plugin"))
        .collect()
}

#[tokio::test]
async fn an_edit_takes_effect_at_once_and_only_its_plugins_are_measured() {
    let (kthena, path) = configured(&format!("scheduler: {}", by("random")));
    assert_eq!(scorers(&kthena, "m").await, ["random"]);
    assert_eq!(plugins(&kthena, "score").await, ["random".to_owned()].into());

    replace(
        &path,
        "scheduler: {plugins: {Filter: {enabled: [least-request]}, Score: {enabled: [{name: least-request, weight: 1}]}}}",
    );
    until_scorers(&kthena, "m", &["least-request"]).await;
    for kind in ["filter", "score"] {
        assert_eq!(plugins(&kthena, kind).await, ["least-request".to_owned()].into(), "{kind}");
    }

    // In the filter.
    replace(&path, "dataPlane: {maxRequestBodyBytes: 10}");
    until("a body to be too large", async || (kthena.client().chat("m").await.status == 413).then_some(())).await;
    fs::write(&path, "{}").unwrap();
    until("no body to be too large", async || (kthena.client().chat("m").await.status == 200).then_some(())).await;
    until_scorers(&kthena, "m", &["least-request", "gpu-usage", "least-latency", "prefix-cache", "lora-affinity"])
        .await;
}

#[tokio::test]
async fn a_bad_edit_is_a_problem_with_its_field_and_the_last_good_one_stays() {
    let (kthena, path) = configured(&format!("scheduler: {}", by("random")));
    for (bad, why) in [
        (
            format!("scheduler: {}", by("fastest")),
            "scheduler.plugins.Score.enabled: unknown plugin `fastest`, expected one of least-request,",
        ),
        (
            "scheduler: {pluginConfig: [{name: prefix-cache, args: {blockSizeToHash: -1}}]}".to_owned(),
            "scheduler.pluginConfig[prefix-cache].args.blockSizeToHash: -1 is not a whole number between 1 and 65536",
        ),
        ("schedular: {}".to_owned(), "schedular"),
        ("scheduler: [".to_owned(), "router.yaml"),
    ] {
        replace(&path, &bad);
        kthena.line(0, why, |line| line.contains(why) && line.contains("the last good configuration stays")).await;
        let shown = problems(&kthena).await;
        assert!(shown.contains(&why.replace('"', "\\\"")), "{shown}");
        assert_eq!(scorers(&kthena, "m").await, ["random"], "{bad}");
    }
    fs::remove_file(&path).unwrap();
    kthena
        .line(0, "a file that is gone", |line| line.contains("no such file; the last good configuration stays"))
        .await;
    assert_eq!(scorers(&kthena, "m").await, ["random"]);

    replace(&path, &format!("scheduler: {}", by("gpu-usage")));
    until_scorers(&kthena, "m", &["gpu-usage"]).await;
    until("the problem to be over", async || (!problems(&kthena).await.contains("stays in force")).then_some(())).await;
    kthena.line(0, "that it is over", |line| line.contains("no longer:") && line.contains("no such file")).await;
}

#[tokio::test]
async fn a_mounted_configmap_s_file_is_followed_through_its_links() {
    let setup = Setup::simulated(&[("all.yaml", &manifests())]);
    let at = |name: &str| setup.manifests().with_file_name("config").join(name);
    for (version, plugin) in [("..1", "random"), ("..2", "gpu-usage")] {
        fs::create_dir_all(at(version)).unwrap();
        fs::write(at(version).join("router.yaml"), format!("scheduler: {}", by(plugin))).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/router.yaml", at("router.yaml")).unwrap();
    let (next, data, path) = (at("..data_tmp"), at("..data"), at("router.yaml").display().to_string());
    let kthena = setup.flags(&["--config", &path]).up();
    assert_eq!(scorers(&kthena, "m").await, ["random"]);
    symlink("..2", &next).unwrap();
    fs::rename(&next, &data).unwrap();
    until_scorers(&kthena, "m", &["gpu-usage"]).await;
}

#[tokio::test]
async fn a_model_server_is_served_by_the_profile_that_it_names_once_there_is_one() {
    let (kthena, path) = configured(&format!("scheduler: {}", by("gpu-usage")));
    assert_eq!(scorers(&kthena, "own").await, ["gpu-usage"]);
    assert!(problems(&kthena).await.contains("no profile `spread`"));
    let scheduler = by("gpu-usage");
    replace(
        &path,
        &format!("{{scheduler: {scheduler}, dataPlane: {{schedulerProfiles: {{spread: {}}}}}}}", by("random")),
    );
    until_scorers(&kthena, "own", &["random"]).await;
    assert_eq!(scorers(&kthena, "m").await, ["gpu-usage"]);
    until("the problem to be over", async || (!problems(&kthena).await.contains("spread")).then_some(())).await;
}
