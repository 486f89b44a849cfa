//! Manifests that are edited ten times a second.

use crate::chaos::stage::{MODEL, Stage, model, pods};
use crate::manifests;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::sleep;

/// Between two edits.
const PAUSE: Duration = Duration::from_millis(100);

pub async fn edited(stage: &Stage) -> Infallible {
    let kthena = stage.kthena();
    let engines = stage.engines.len();
    let without = |gone: usize| pods(stage.engines.iter().enumerate().filter(|(index, _)| *index != gone));
    let all = pods(stage.engines.iter().enumerate());
    let half = |text: &str| text.get(..text.len() / 2).unwrap_or_default().to_owned();
    let (quick, slow) = (model("5s"), model("9s"));
    for gone in (0..engines).cycle() {
        let other = manifests::route("other", &format!("other-{gone}"), &[(MODEL, 100)]);
        let edits: [&dyn Fn(); 10] = [
            &|| kthena.replace("pods.yaml", &without(gone)),
            &|| kthena.write("model.yaml", &half(&quick)),
            &|| kthena.replace("model.yaml", &quick),
            &|| kthena.write("other.yaml", &other),
            &|| kthena.replace("pods.yaml", &all),
            &|| kthena.write("broken.yaml", "{ this is: [no manifest"),
            &|| kthena.write("pods.yaml", &half(&all)),
            &|| kthena.write("pods.yaml", &all),
            &|| kthena.remove("broken.yaml"),
            &|| match gone % 2 {
                0 => kthena.remove("other.yaml"),
                _ => kthena.replace("model.yaml", &slow),
            },
        ];
        for edit in edits {
            edit();
            sleep(PAUSE).await;
        }
    }
    unreachable!("a cycle of engines has no end")
}
