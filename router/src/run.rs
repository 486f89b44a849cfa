//! The composition: a source, compiled, served to Envoy and to the picker.

use crate::configuration;
use crate::options::Options;
use crate::publish::{Publisher, settings};
use crate::serve::{bind_tcp, bind_unix, grpc};
use crate::source::Origin;
use arc_swap::ArcSwap;
use axum::{Json, Router, routing::get};
use futures::FutureExt;
use kthena_envoy::Settings;
use kthena_envoy::xds::{self, Cache};
use kthena_ext_proc::debug::Debug;
use kthena_ext_proc::telemetry::Telemetry;
use kthena_ext_proc::{Picker, scrape};
use std::future::Future;
use std::sync::Arc;
use tonic::service::Routes;

/// Runs the router until `shutdown`.
///
/// # Errors
/// What cannot be started: a manifest path that is not there, a port in use, a configuration that is
/// refused. Once it runs, nothing that users write ends it.
pub async fn run(options: Options, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
    let wiring = options.wiring()?;
    let config = configuration::load(options.config.as_deref())?;
    if !options.quiet_start {
        for problem in &config.problems {
            tracing::warn!("configuration: {problem}");
        }
    }
    let scrape_interval = options.scrape_interval();
    let settings = Settings { exclusive: options.exclusive, ..settings(options.listen, &config) };
    let source = Origin::open(&options)?;

    let metrics = bind_tcp(options.metrics, "--metrics").await?;
    let debug_listener = bind_tcp(options.debug, "--debug").await?;
    let xds_socket = bind_unix(&wiring.sockets.xds)?;
    let picker_socket = bind_unix(&wiring.sockets.picker)?;

    let picker = Picker::new(config.profile);
    let telemetry = Arc::new(Telemetry::new(&picker));
    let debug = Arc::new(Debug { resources: ArcSwap::default(), picker: Arc::clone(&picker) });
    let cache = Cache::new();

    let snapshots = source.follow().await?;
    if !options.quiet_start {
        for skipped in &snapshots.borrow().skipped {
            tracing::info!("{skipped}");
        }
    }
    let mut publisher = Publisher::new(
        settings,
        wiring,
        cache.clone(),
        Arc::clone(&picker),
        Arc::clone(&telemetry),
        Arc::clone(&debug),
    );
    if options.quiet_start {
        publisher.expect(&snapshots.borrow());
    }

    let shutdown = shutdown.shared();
    let ads = Routes::new(xds::Server::new(cache.clone()).into_service());
    let pages = debug.routes().merge(xds_page(cache));
    let scraping = scrape::follow(Arc::clone(&picker), scrape_interval, Arc::clone(&telemetry.scrape));
    tokio::select! {
        () = shutdown.clone() => Ok(()),
        () = publisher.follow(snapshots) => anyhow::bail!("the source of the objects ended"),
        () = scraping => anyhow::bail!("the scraping ended"),
        done = grpc(xds_socket, ads, shutdown.clone()) => done,
        done = grpc(picker_socket, kthena_ext_proc::routes(picker), shutdown.clone()) => done,
        done = axum::serve(metrics, telemetry.routes()).into_future() => Ok(done?),
        done = axum::serve(debug_listener, pages).into_future() => Ok(done?),
    }
}

/// `GET /debug/xds`: what Envoy made of the configuration, by type.
fn xds_page(cache: Cache) -> Router {
    Router::new().route("/debug/xds", get(move || async move { Json(cache.status()) }))
}
