use super::*;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::thread;

/// Answers requests with these bodies, `None` with an error; the paths that were asked for.
fn admin(answers: Vec<Option<&'static str>>) -> (SocketAddr, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        let mut paths = Vec::new();
        while paths.len() < answers.len() {
            let mut stream = listener.accept().unwrap().0;
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            // Who only looks whether anybody listens asks for nothing.
            let Some(request) = lines.next() else { continue };
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let (status, body) = answers[paths.len()].map_or(("503 No", "no"), |body| ("200 OK", body));
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
            paths.push(request);
        }
        paths
    };
    (address, thread::spawn(serve))
}

fn within(admin: SocketAddr, seconds: u64) -> Drain {
    Drain { admin, linger: Duration::ZERO, timeout: Duration::from_secs(seconds) }
}

/// Drains, and returns what was said.
async fn said(drain: Drain) -> Vec<News> {
    let news = Mutex::new(Vec::new());
    drain.run(|said| news.lock().unwrap().push(said)).await;
    news.into_inner().unwrap()
}

const BUSY: &str = "http.kthena.downstream_rq_active: 1\n";
const IDLE: &str = "http.kthena.downstream_rq_active: 0\n";

#[tokio::test]
async fn an_answer_that_fails_does_not_end_the_wait() {
    let answers = vec![None, Some(""), None, Some(""), Some(BUSY), None, None, Some(BUSY), Some(IDLE)];
    let (address, served) = admin(answers);
    said(within(address, 60)).await;
    let paths = served.join().unwrap();
    assert_eq!(paths.iter().filter(|path| path.starts_with("POST /drain_listeners")).count(), 4, "{paths:?}");
    assert_eq!(paths.iter().filter(|path| path.starts_with("GET /stats")).count(), 5, "{paths:?}");
}

#[tokio::test]
async fn nobody_waits_for_an_envoy_that_is_gone() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let begun = Instant::now();
    let news = said(within(gone, 60)).await;
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert!(matches!(news[..], [News::NotDrained(_)]), "{news:?}");
}

#[tokio::test]
async fn what_is_still_in_flight_when_the_time_is_over_is_said() {
    let (address, _served) = admin(vec![Some(""), Some(""), Some(BUSY)]);
    let news = said(within(address, 0)).await;
    assert_eq!(news, [News::TimedOut(1, Duration::ZERO)]);
    let text = News::TimedOut(1, Duration::from_secs(300)).to_string();
    assert_eq!(text, "requests in flight after 5m (DRAIN_TIMEOUT): 1, ending them");
}

#[test]
fn only_clients_requests_count() {
    let stats = "http.admin.downstream_rq_active: 1\nhttp.kthena.downstream_rq_active: 3\n\
                 listener.127.0.0.1_8080.http.kthena.downstream_rq_active: 3\n";
    assert_eq!(in_flight(stats), 3);
    assert_eq!(in_flight("http.admin.downstream_rq_active: 1\n"), 0);
    assert_eq!(in_flight(""), 0);
}
