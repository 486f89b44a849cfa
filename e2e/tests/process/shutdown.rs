//! The end of `kthena up`: streams finish, and no process is left.

use crate::endurance::up;
use kthena_e2e::{Kthena, Stream, is_alive, streamed, until};
use rustix::process::Signal;
use std::time::Duration;
use tokio::net::TcpStream;

/// Far above a timeout of a second, and below the 30 s that hold where none is given.
const BELOW_THE_DEFAULT: Duration = Duration::from_secs(20);

/// Words of a stream that lasts over an hour.
const ENDLESS: u32 = 100_000;

async fn started(kthena: &Kthena, tokens: u32) -> Stream {
    let mut stream = kthena.client().stream("/v1/chat/completions", &streamed("m", tokens)).await.expect("a stream");
    stream.event().await.expect("the first event").expect("not the end");
    stream
}

/// It breaks off, or its engine found the time to say an error and `[DONE]` in place of the rest.
async fn assert_cut(stream: Stream) {
    let words = stream.words().await.unwrap_or_default();
    assert!(words < ENDLESS as usize, "the stream is cut, after {words} words");
}

/// The processes that must be gone; every role is among them.
fn processes(kthena: &Kthena) -> Vec<(String, u32)> {
    let children = kthena.children();
    for role in ["router", "envoy", "simulator default/m-sim-0", "simulator default/m-sim-1"] {
        assert!(children.iter().any(|(name, pid)| name == role && is_alive(*pid)), "{role} in {children:?}");
    }
    children
}

async fn closed(kthena: &Kthena) {
    until("the listener to close", async || TcpStream::connect(kthena.address()).await.is_err().then_some(())).await;
}

fn left(processes: &[(String, u32)]) -> Vec<&(String, u32)> {
    processes.iter().filter(|(_, pid)| is_alive(*pid)).collect()
}

#[tokio::test]
async fn an_interrupt_lets_streams_finish_takes_no_new_connection_and_leaves_nothing() {
    let kthena = up("1ms", "50ms", |setup| setup);
    let processes = processes(&kthena);
    let stream = started(&kthena, 60).await;
    kthena.signal(kthena.pid(), Signal::INT);
    closed(&kthena).await;
    assert_eq!(stream.words().await.expect("the stream ends whole"), 60);
    assert_eq!(kthena.ended().await.code(), Some(0), "{}", kthena.output.text());
    assert_eq!(left(&processes), [] as [&(String, u32); 0]);
}

#[tokio::test]
async fn a_second_interrupt_ends_it_at_once() {
    let kthena = up("1ms", "50ms", |setup| setup.env("DRAIN_TIMEOUT", "10m"));
    let processes = processes(&kthena);
    let stream = started(&kthena, ENDLESS).await;
    kthena.signal(kthena.pid(), Signal::INT);
    closed(&kthena).await;
    assert!(is_alive(kthena.pid()), "it waits for the stream");
    kthena.signal(kthena.pid(), Signal::INT);
    assert_eq!(kthena.ended().await.code(), Some(130), "{}", kthena.output.text());
    assert_eq!(left(&processes), [] as [&(String, u32); 0]);
    assert_cut(stream).await;
}

#[tokio::test]
async fn draining_takes_no_longer_than_it_may() {
    let kthena = up("1ms", "50ms", |setup| setup.env("DRAIN_TIMEOUT", "1s"));
    let processes = processes(&kthena);
    let stream = started(&kthena, ENDLESS).await;
    kthena.signal(kthena.pid(), Signal::TERM);
    let ended = tokio::time::timeout(BELOW_THE_DEFAULT, kthena.ended()).await.expect("it ends before the default");
    let output = kthena.output.text();
    assert_eq!(ended.code(), Some(0), "{output}");
    assert!(output.contains("in flight after 1s (DRAIN_TIMEOUT)"), "{output}");
    assert_eq!(left(&processes), [] as [&(String, u32); 0]);
    assert_cut(stream).await;
}

#[tokio::test]
async fn killed_it_takes_its_children_with_it() {
    let kthena = up("1ms", "1ms", |setup| setup);
    let processes = processes(&kthena);
    kthena.signal(kthena.pid(), Signal::KILL);
    until("the end of every child", async || left(&processes).is_empty().then_some(())).await;
    let connect = tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(kthena.address())).await;
    assert!(matches!(connect, Ok(Err(_))), "nobody listens any more");
}
