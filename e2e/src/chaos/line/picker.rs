//! Pickers that die, hang, come late or lie.

use crate::chaos::stage::{Front, Stage};
use crate::picker::Answer;
use rustix::process::{Pid, Signal, kill_process};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::sleep;

/// Long enough for a picker that is back to be asked before it dies again.
const LIFE: Duration = Duration::from_millis(500);
const STOPPED: Duration = Duration::from_millis(200);
const RUNNING: Duration = Duration::from_millis(100);
/// Of one lie.
const LIE: Duration = Duration::from_millis(200);
/// Endpoints at once: below the 70 KiB that Envoy lets headers have.
const MANY: u32 = 2_500;
/// Far beyond them.
const TOO_MANY: usize = 10_000;
/// For what needs no haste.
const LONG: Duration = Duration::from_secs(3600);

pub async fn killed(stage: &Stage) -> Infallible {
    loop {
        signal_router(stage, Signal::KILL);
        sleep(LIFE).await;
    }
}

pub async fn stopped(stage: &Stage) -> Infallible {
    loop {
        signal_router(stage, Signal::STOP);
        sleep(LONG).await;
    }
}

pub async fn slow(stage: &Stage) -> Infallible {
    loop {
        signal_router(stage, Signal::STOP);
        sleep(STOPPED).await;
        signal_router(stage, Signal::CONT);
        sleep(RUNNING).await;
    }
}

/// A picker that is no engine's friend; each of these is no pick, or holds one that is good.
pub async fn lying(stage: &Stage) -> Infallible {
    let engine = stage.engines[0].address();
    let nobody = |count: u32| (0..count).map(|at| format!("192.0.2.{}:{}", at % 255, 1 + at % 60_000));
    let many = |list: Vec<String>| Answer::Destination(list.join(","));
    let lies = [
        Answer::destination("192.0.2.1:8000"),
        Answer::destination("127.0.0.1:1"),
        Answer::destination("nobody, \u{1F408}, 1.2.3.4, :80, [::1, 999.1.2.3:99999"),
        Answer::destination(""),
        Answer::destination(",,,,"),
        Answer::Garbage(b"\xff\xff\xff\xff"),
        Answer::Garbage(b""),
        Answer::Other,
        Answer::Refuse,
        many(vec![engine.to_string(); 50]),
        many(vec![engine.to_string(); MANY as usize]),
        many(nobody(MANY).collect()),
        many(nobody(MANY).chain([engine.to_string()]).collect()),
        Answer::Silence,
    ];
    tell(stage, &lies).await
}

pub async fn foreign(stage: &Stage) -> Infallible {
    let foreign = stage.foreign.as_ref().expect("a foreign engine").address();
    tell(stage, &[Answer::destination(foreign)]).await
}

pub async fn boundless(stage: &Stage) -> Infallible {
    let list = vec![stage.engines[0].address().to_string(); TOO_MANY].join(",");
    tell(stage, &[Answer::Destination(list)]).await
}

async fn tell(stage: &Stage, lies: &[Answer]) -> Infallible {
    let Front::Lied(_, picker) = &stage.front else { panic!("a picker that lies is needed") };
    loop {
        for lie in lies {
            picker.says(lie.clone());
            sleep(LIE).await;
        }
    }
}

/// It may have just ended.
fn signal_router(stage: &Stage, signal: Signal) {
    let pid = stage.kthena().child("router");
    if let Some(pid) = Pid::from_raw(pid.cast_signed()).filter(|_| crate::is_alive(pid)) {
        let _ = kill_process(pid, signal);
    }
}
