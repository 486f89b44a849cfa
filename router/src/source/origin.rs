//! Which source the options name, and how it is followed.

use super::endpoints::{EngineUrl, distinct, follow, state_file};
use super::{Directory, Snapshot, watch};
use crate::options::Options;
use http::HeaderValue;
use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch::Receiver;

/// Names the key that engines want before they say what they serve; a variable, since everybody sees a command line.
pub const ENDPOINT_API_KEY: &str = "KTHENA_ENDPOINT_API_KEY";

/// Where the objects come from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Files.
    Manifests(Directory),
    /// Answers.
    Engines { endpoints: Vec<EngineUrl>, key: Option<HeaderValue>, file: PathBuf },
}

// === impl Origin ===

impl Origin {
    /// Looks at what the options name; nothing is read or asked yet.
    ///
    /// # Errors
    /// A path that is not there, an engine given twice, a key that no header can carry.
    pub(crate) fn open(options: &Options) -> anyhow::Result<Self> {
        if options.endpoints.is_empty() {
            return Ok(Self::Manifests(Directory::open(&options.manifests)?));
        }
        distinct(&options.endpoints).map_err(anyhow::Error::msg)?;
        let key = env::var(ENDPOINT_API_KEY).ok().filter(|key| !key.is_empty());
        let bearer = |key: String| {
            let mut bearer = HeaderValue::try_from(format!("Bearer {key}"))
                .map_err(|_| anyhow::anyhow!("{ENDPOINT_API_KEY}: not a text that a header can carry"))?;
            bearer.set_sensitive(true);
            anyhow::Ok(bearer)
        };
        let file = state_file(&options.run_dir);
        Ok(Self::Engines { endpoints: options.endpoints.clone(), key: key.map(bearer).transpose()?, file })
    }

    /// Snapshots from now on; the first is there when this returns.
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) async fn follow(self) -> anyhow::Result<Receiver<Arc<Snapshot>>> {
        match self {
            Self::Manifests(mut directory) => {
                let load = move || {
                    let first = directory.load();
                    (directory, first)
                };
                let (directory, first) = tokio::task::spawn_blocking(load).await?;
                Ok(watch(directory, first)?)
            }
            Self::Engines { endpoints, key, file } => Ok(follow(&endpoints, key, file).await),
        }
    }
}
