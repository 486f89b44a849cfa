//! How the engines of a ModelServer are spoken to: in the clear, over TLS, over TLS with an engine that proves itself.
//!
//! Without annotations TLS is unverified, as upstream's is, and the object says so. Once an authority is asked for,
//! nothing is served unverified: while its Secret cannot be used, the endpoints stay out.

use super::authorities::{self, Authorities};
use kthena_core::engine::{Transport, Trust};
use kthena_crds::model_server::Protocol;
use kthena_crds::{ModelServer, ObjectRef, Problem, Secret, secret};
use rustls::pki_types::DnsName;
use std::sync::Arc;

/// The annotation that names the Secret whose `ca.crt` must vouch for the engines.
const CA_SECRET: &str = "networking.serving.volcano.sh/backend-ca-secret";
/// The annotation that says which name their certificates must be for.
const SERVER_NAME: &str = "networking.serving.volcano.sh/backend-server-name";

/// How the engines of `server` are spoken to; `None` where they must not be, with a problem that says why.
pub(super) fn compile(server: &ModelServer, secrets: &[Secret], problems: &mut Vec<Problem>) -> Option<Transport> {
    let mut say = |field: &str, message: String| problems.push(Problem::new(ObjectRef::of(server), message).at(field));
    let (secret, name) = (annotation(server, CA_SECRET), annotation(server, SERVER_NAME));
    if server.spec.workload_port.protocol == Protocol::Http {
        for (field, _) in [(CA_SECRET, secret), (SERVER_NAME, name)].iter().filter(|(_, value)| value.is_some()) {
            say(&at(field), "has no effect unless spec.workloadPort.protocol is https, served over http".to_owned());
        }
        return Some(Transport::Plain);
    }
    let trust = match (secret, name) {
        (None, None) => {
            let message = format!(
                "https is served without verifying who answers; the annotations {CA_SECRET} and {SERVER_NAME} have it \
                 verified"
            );
            say("spec.workloadPort.protocol", message);
            return Some(Transport::Unverified);
        }
        (Some(secret), Some(name)) => trust(server, secrets, secret, name),
        (Some(_), None) => Err((SERVER_NAME, format!("missing beside {CA_SECRET}: expected a DNS name"))),
        (None, Some(_)) => Err((CA_SECRET, format!("missing beside {SERVER_NAME}: expected the name of a Secret"))),
    };
    match trust {
        Ok((trust, remark)) => {
            if let Some(remark) = remark {
                say(&at(CA_SECRET), remark);
            }
            Some(Transport::Verified(Arc::new(trust)))
        }
        Err((field, message)) => {
            say(&at(field), format!("{message}; its Pods are not served"));
            None
        }
    }
}

/// The trust, and what to remark on its Secret.
///
/// # Errors
/// The annotation that is to blame, and why.
fn trust(
    server: &ModelServer,
    secrets: &[Secret],
    name: &str,
    server_name: &str,
) -> Result<(Trust, Option<String>), (&'static str, String)> {
    let namespace = ObjectRef::of(server).namespace;
    let found = secrets.iter().map(|secret| (ObjectRef::of(secret), secret));
    let found = found.into_iter().find(|(object, _)| object.namespace == namespace && object.name == name);
    let (_, found) = found.ok_or_else(|| (CA_SECRET, format!("no Secret {namespace}/{name}")))?;
    let ca = secret::ca(found)
        .ok_or_else(|| (CA_SECRET, format!("Secret {namespace}/{name} has no text under `{}`", secret::CA)))?;
    let place = format!("Secret {namespace}/{name}: {}", secret::CA);
    let Authorities { pem, remark } = authorities::read(ca).map_err(|why| (CA_SECRET, format!("{place}: {why}")))?;
    DnsName::try_from(server_name).map_err(|_| (SERVER_NAME, format!("`{server_name}` is no DNS name")))?;
    let remark = remark.map(|remark| format!("{place}: {remark}"));
    Ok((Trust { ca: pem, server_name: server_name.to_owned() }, remark))
}

fn annotation<'a>(server: &'a ModelServer, name: &str) -> Option<&'a str> {
    server.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

fn at(annotation: &str) -> String {
    format!("metadata.annotations[{annotation}]")
}
