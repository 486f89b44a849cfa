//! The composition: a source, compiled, served to Envoy and to the picker.

use crate::configuration;
use crate::options::Options;
use crate::publish::{Publisher, settings};
use crate::serve::{bind_tcp, bind_unix, grpc};
use crate::source::{Directory, watch};
use axum::{Json, Router, routing::get};
use futures::FutureExt;
use kthena_crds::{Problem, Subject};
use kthena_envoy::Settings;
use kthena_envoy::xds::{self, Cache};
use kthena_ext_proc::Picker;
use kthena_ext_proc::debug::{Debug, Log, guard};
use kthena_ext_proc::telemetry::Telemetry;
use std::future::Future;
use std::sync::Arc;
use tonic::service::Routes;

/// Runs the router until `shutdown`; `log` is the filter of this process's log.
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
    let config = configuration::load(options.config.as_deref())?;
    if !options.quiet_start {
        for problem in &config.problems {
            tracing::warn!("configuration: {problem}");
        }
    }
    let settings = Settings { exclusive: options.exclusive, ..settings(options.listen, &config) };
    let mut directory = Directory::open(&options.manifests)?;
    let first = tokio::task::spawn_blocking(move || {
        let first = directory.load();
        (directory, first)
    });

    let metrics = bind_tcp(options.metrics, "--metrics").await?;
    let debug_listener = bind_tcp(options.debug, "--debug").await?;
    let xds_socket = bind_unix(&wiring.sockets.xds)?;
    let picker_socket = bind_unix(&wiring.sockets.picker)?;

    let picker = Picker::remembering(config.profile, options.debug_decisions);
    let telemetry = Arc::new(Telemetry::new(&picker));
    let debug = Arc::new(Debug::new(Arc::clone(&picker), Some(log)));
    let cache = Cache::new();

    let (directory, first) = first.await?;
    if !options.quiet_start {
        for skipped in &first.skipped {
            tracing::info!("{skipped}");
        }
    }
    let snapshots = watch(directory, first)?;
    let mut publisher = Publisher::new(
        settings,
        wiring,
        cache.clone(),
        Arc::clone(&picker),
        Arc::clone(&telemetry),
        Arc::clone(&debug),
    );
    let file = options.config.map(|path| path.display().to_string()).unwrap_or_default();
    publisher
        .configuration(config.problems.into_iter().map(|problem| Problem::new(Subject::File(file.clone()), problem)));
    if options.quiet_start {
        publisher.expect(&snapshots.borrow());
    }

    let shutdown = shutdown.shared();
    let ads = Routes::new(xds::Server::new(cache.clone()).into_service());
    let pages = guard(debug.routes().merge(xds_page(cache)), options.debug);
    tokio::select! {
        () = shutdown.clone() => Ok(()),
        () = publisher.follow(snapshots) => anyhow::bail!("the manifests' watcher ended"),
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
