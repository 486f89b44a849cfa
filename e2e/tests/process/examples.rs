//! The examples that the documentation and the demo stand on.

use kthena_e2e::Setup;
use std::fs;
use std::path::Path;

#[tokio::test]
async fn the_documented_examples_are_served_without_a_word_of_complaint() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/local");
    let files: Vec<(String, String)> = fs::read_dir(directory)
        .expect("the examples")
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.file_name().into_string().expect("UTF-8"), fs::read_to_string(entry.path()).expect("text")))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let kthena = Setup::simulated(&files).up();
    let client = kthena.client();
    let models = client.get("/v1/models").await.ok().json();
    let models = models["data"].as_array().expect("a list");
    assert!(models.len() >= 4, "{models:?}");
    for model in models {
        client.chat(model["id"].as_str().expect("a name")).await.ok();
    }
    let complaint = kthena.output.find(0, |line| line.contains(" WARN ") || line.contains(".yaml"));
    assert_eq!(complaint, None);
}
