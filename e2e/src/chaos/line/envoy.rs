//! Envoy itself: its connections end with it, and nobody can keep them.

use crate::chaos::stage::Stage;
use rustix::process::Signal;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::sleep;

/// Long enough for it to be back and to serve.
const PAUSE: Duration = Duration::from_secs(4);

pub async fn killed(stage: &Stage) -> Infallible {
    let kthena = stage.kthena();
    loop {
        sleep(PAUSE / 4).await;
        let envoy = kthena.child("envoy");
        if crate::is_alive(envoy) {
            kthena.signal(envoy, Signal::KILL);
        }
        sleep(PAUSE).await;
    }
}
