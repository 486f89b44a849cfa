//! The composition: a source, compiled, served to Envoy and to the picker.

use crate::configuration::Configuration;
use crate::drain::{Drain, News};
use crate::options::Options;
use crate::publish::{Publisher, settings};
use crate::serve::{bind_tcp, bind_unix, grpc};
use crate::source::Origin;
use axum::{Json, Router, routing::get};
use futures::FutureExt;
use kthena_envoy::Settings;
use kthena_envoy::xds::{self, Cache};
use kthena_ext_proc::access_log::{AccessLog, Counts, Writer};
use kthena_ext_proc::debug::{Debug, Log, guard};
use kthena_ext_proc::otlp::{Collector, Otlp};
use kthena_ext_proc::telemetry::Telemetry;
use kthena_ext_proc::{Picker, Profiles, scrape};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tonic::service::Routes;

/// How long the access log's last lines may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// How long the last spans and metrics may take.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Runs the router until `shutdown`, and on until its Envoy is drained, where it was told of one; `log` is the
/// filter of this process's log.
///
/// # Errors
/// What cannot be started: a manifest path that is not there, a port in use, a configuration that is
/// refused. Once it runs, nothing that users write ends it.
pub async fn run(
    options: Options,
    log: Log,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let wiring = options.wiring()?;
    let (configuration, config) = Configuration::open(options.config.clone())?;
    let scrape_interval = options.scrape_interval();
    let (drain, warnings) = options.drain.settings();
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let tracing = options.otlp.tracing()?;
    let otlp = tracing.as_ref().map(|tracing| exporter(&tracing.collector)).transpose()?;
    let settings = Settings {
        exclusive: options.exclusive,
        tls: options.tls.files()?,
        tracing,
        ..settings(options.listen, &config)
    };
    let source = Origin::open(&options)?;

    let metrics = bind_tcp(options.metrics, "--metrics").await?;
    let debug_listener = bind_tcp(options.debug, "--debug").await?;
    let xds_socket = bind_unix(&wiring.sockets.xds)?;
    let picker_socket = bind_unix(&wiring.sockets.picker)?;

    let picker = Picker::remembering(Profiles::new(config.profile, config.profiles), options.debug_decisions);
    let counts = Arc::default();
    let telemetry = Telemetry::new(&picker, &counts);
    let telemetry = Arc::new(match &otlp {
        Some(otlp) => telemetry.exporting(Arc::clone(otlp)),
        None => telemetry,
    });
    let writer = writer(&options, &counts)?;
    let access_log = AccessLog::new(Arc::clone(&picker), Arc::clone(&telemetry), counts, writer);
    let debug = Arc::new(Debug::new(Arc::clone(&picker), Some(log)));
    let cache = Cache::new();

    let shutdown = shutdown.shared();
    let snapshots = tokio::select! {
        () = shutdown.clone() => return Ok(()),
        // Engines may take seconds to answer.
        snapshots = source.follow() => snapshots?,
    };
    if !options.quiet_start {
        for skipped in &snapshots.borrow().skipped {
            tracing::info!("{skipped}");
        }
    }
    let mut publisher = Publisher::new(
        settings,
        configuration,
        wiring,
        cache.clone(),
        Arc::clone(&picker),
        Arc::clone(&telemetry),
        Arc::clone(&debug),
    );
    if options.quiet_start {
        publisher.expect(&snapshots.borrow());
    }

    let end = end(shutdown, drain, Arc::clone(&picker)).shared();
    let ads = Routes::new(xds::Server::new(cache.clone()).into_service());
    let pages = guard(debug.routes().merge(xds_page(cache)), options.debug);
    let scraping = scrape::follow(Arc::clone(&picker), scrape_interval, Arc::clone(&telemetry.scrape));
    let services = kthena_ext_proc::routes(picker, Arc::clone(&access_log), otlp.clone());
    let done = tokio::select! {
        () = end.clone() => Ok(()),
        () = publisher.follow(snapshots) => anyhow::bail!("the source of the objects, or of the configuration, ended"),
        () = scraping => anyhow::bail!("the scraping ended"),
        done = grpc(xds_socket, ads, end.clone()) => done,
        done = grpc(picker_socket, services, end.clone()) => done,
        done = axum::serve(metrics, telemetry.routes()).into_future() => done.map_err(Into::into),
        done = axum::serve(debug_listener, pages).into_future() => done.map_err(Into::into),
    };
    let finish = move || {
        access_log.finish(LAST_LINES);
        otlp.into_iter().for_each(|otlp| otlp.finish(LAST_SPANS));
    };
    tokio::task::spawn_blocking(finish).await?;
    done
}

/// Comes when nobody needs us any more: what is in flight is picked for and counted until then.
async fn end(shutdown: impl Future<Output = ()>, drain: Option<Drain>, picker: Arc<Picker>) {
    shutdown.await;
    let Some(drain) = drain else { return };
    picker.leave();
    let say = |news| match news {
        News::Waiting(..) => tracing::info!("{news}"),
        news => tracing::warn!("{news}"),
    };
    drain.run(say).await;
}

/// The access log's writer, unless nothing is to be written.
fn writer(options: &Options, counts: &Arc<Counts>) -> anyhow::Result<Option<Writer>> {
    let (settings, warnings) = options.access_log.settings();
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let start = |(format, output)| Writer::start(format, output, Arc::clone(counts));
    Ok(settings.map(start).transpose()?)
}

/// The way to the collector.
fn exporter(collector: &kthena_envoy::Collector) -> anyhow::Result<Arc<Otlp>> {
    let authorities = collector.tls.as_ref().map(|tls| std::fs::read(&tls.authorities)).transpose()?;
    Otlp::start(&Collector { url: collector.to_string(), authorities }).map_err(anyhow::Error::msg)
}

/// `GET /debug/xds`: what Envoy made of the configuration, by type.
fn xds_page(cache: Cache) -> Router {
    Router::new().route("/debug/xds", get(move || async move { Json(cache.status()) }))
}
