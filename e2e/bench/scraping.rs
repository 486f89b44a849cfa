//! What scraping a hundred engines costs: CPU seconds of the scraper alone for each second of the clock.
//!
//! `cargo bench -p kthena-e2e --bench scraping [-- PODS [SECONDS]]`. The engines' pages (63 KB each, as vLLM's)
//! are served by a process of their own; the scraper is the router's, at its default interval.

use anyhow::Context;
use http::Response;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kthena_core::engine::EngineType;
use kthena_core::scheduling::Profile;
use kthena_e2e::page;
use kthena_ext_proc::scrape::{DEFAULT_INTERVAL, follow};
use kthena_ext_proc::telemetry::Telemetry;
use kthena_ext_proc::{Picker, Pool, Pools};
use procfs::process::Process;
use std::convert::Infallible;
use std::env;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

const SERVE: &str = "--serve";

fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|first| first == SERVE) {
        let pods = arguments.get(1).context("a number of pods")?.parse()?;
        return Builder::new_current_thread().enable_all().build()?.block_on(serve(pods));
    }
    let number = |at: usize, default: u64| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (pods, seconds) = (number(0, 100)?, number(1, 30)?);

    let mut engines =
        Command::new(env::current_exe()?).arg(SERVE).arg(pods.to_string()).stdout(Stdio::piped()).spawn()?;
    let addresses = BufReader::new(engines.stdout.take().context("a pipe")?).lines().take(usize::try_from(pods)?);
    let addresses = addresses.map(|line| Ok(line?.parse()?)).collect::<anyhow::Result<Vec<SocketAddr>>>()?;
    let measured = measure(addresses, Duration::from_secs(seconds));
    engines.kill()?;
    engines.wait()?;
    measured
}

fn measure(addresses: Vec<SocketAddr>, time: Duration) -> anyhow::Result<()> {
    let endpoints: Vec<_> = addresses.into_iter().map(|address| (address, format!("default/{address}"))).collect();
    let pods = endpoints.len();
    let runtime = Runtime::new()?;
    let picker = Picker::new(Profile::default());
    let telemetry = Telemetry::new(&picker, &Arc::default());
    picker.publish(Pools::new([(
        "default/m".to_owned(),
        Pool { engine: Some(EngineType::Vllm), endpoints, ..Pool::default() },
    )]));
    runtime.spawn(follow(Arc::clone(&picker), DEFAULT_INTERVAL, Arc::clone(&telemetry.scrape)));
    // Connections are made in the first seconds; they live on.
    std::thread::sleep(Duration::from_secs(3));
    let known = picker.targets().current().values().filter(|slot| slot.signals().is_some()).count();
    anyhow::ensure!(known == pods, "{known} of {pods} pods are known");

    let (start, [user, kernel], pages) = (Instant::now(), cpu_seconds()?, pages(&telemetry));
    std::thread::sleep(time);
    let (wall, [user_now, kernel_now]) = (start.elapsed().as_secs_f64(), cpu_seconds()?);
    let (user, kernel) = (user_now - user, kernel_now - kernel);
    let cpu = user + kernel;
    let pages = self::pages(&telemetry) - pages;
    let stale = picker.targets().current().values().filter(|slot| slot.observed().stale).count();
    let profile = if cfg!(debug_assertions) { "not optimised" } else { "optimised" };
    println!("scraping ({profile}): {pods} pods, {pages} pages of {} bytes in {wall:.1} s", page::vllm(3, 1).len());
    println!("  CPU: {cpu:.2} s, of which {kernel:.2} s in the kernel");
    println!("  cores: {:.4}; a page: {:.0} us", cpu / wall, cpu / pages * 1e6);
    println!("  stale at the end: {stale}");
    Ok(())
}

fn pages(telemetry: &Telemetry) -> f64 {
    let page = telemetry.page();
    let count = page.lines().find_map(|line| line.strip_prefix("kthena_router_scrape_duration_seconds_count "));
    count.and_then(|count| count.parse().ok()).unwrap_or_default()
}

/// Of this process: its own, and the kernel's for it.
fn cpu_seconds() -> anyhow::Result<[f64; 2]> {
    let stat = Process::myself()?.stat()?;
    Ok([stat.utime, stat.stime].map(|ticks| ticks as f64 / procfs::ticks_per_second() as f64))
}

async fn serve(pods: usize) -> anyhow::Result<()> {
    let metrics = Bytes::from(page::vllm(3, 1));
    for _ in 0..pods {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let metrics = metrics.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let metrics = metrics.clone();
                let answer = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let models = Bytes::from_static(br#"{"object":"list","data":[{"id":"tiny","parent":null}]}"#);
                    let body = if request.uri().path() == "/metrics" { metrics.clone() } else { models };
                    async { Ok::<_, Infallible>(Response::new(Full::new(body))) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), answer));
            }
        });
    }
    std::future::pending().await
}
