//! From a document to a typed object: which kinds are served, and why a document is refused.

use std::fmt::Write;

use kthena_crds::{
    ModelRoute, ModelServer, NETWORKING_GROUP, ObjectRef, Pod, Problem, Resource, Resources, Secret, Subject,
    admission, admission::Violation, problem::DEFAULT_NAMESPACE, secret,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An object of a kind that is served.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Object {
    ModelRoute(Box<ModelRoute>),
    ModelServer(Box<ModelServer>),
    Pod(Box<Pod>),
    /// Of which only the authorities' certificates are kept.
    Secret(Box<Secret>),
}

impl Object {
    pub(super) fn reference(&self) -> ObjectRef {
        match self {
            Self::ModelRoute(route) => ObjectRef::of(&**route),
            Self::ModelServer(server) => ObjectRef::of(&**server),
            Self::Pod(pod) => ObjectRef::of(&**pod),
            Self::Secret(secret) => ObjectRef::of(&**secret),
        }
    }

    pub(super) fn add_to(self, resources: &mut Resources) {
        match self {
            Self::ModelRoute(route) => resources.model_routes.push(*route),
            Self::ModelServer(server) => resources.model_servers.push(*server),
            Self::Pod(pod) => resources.pods.push(*pod),
            Self::Secret(secret) => resources.secrets.push(*secret),
        }
    }
}

/// What became of one document.
pub(super) enum Outcome {
    /// Served; the problems are remarks on fields without effect.
    Served(Object, Vec<Problem>),
    /// Of a kind that is not served here.
    Skipped(ObjectRef),
    /// Not served, and why.
    Refused(Vec<Problem>),
}

/// Reads one document of `file`.
///
/// The document must be a mapping; `position` names it where its own name cannot.
pub(super) fn read(mut document: Value, file: &str, position: &str) -> Outcome {
    let refuse = |field: &str, message: &str| {
        let problem = Problem::new(Subject::File(file.to_owned()), message);
        Outcome::Refused(vec![problem.at(format!("{position}: {field}"))])
    };
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    let Some(kind) = text("/kind").map(str::to_owned) else {
        return refuse("kind", "missing: expected a text such as ModelRoute");
    };
    let Some(api_version) = text("/apiVersion").map(str::to_owned) else {
        return refuse("apiVersion", "missing: expected a text such as v1");
    };
    let namespace = text("/metadata/namespace").unwrap_or(DEFAULT_NAMESPACE);
    let name = text("/metadata/name").unwrap_or_default();
    let object = ObjectRef::new(kind, namespace, name);

    let served = Kind::of(&object.kind, &api_version);
    // A cut-off `kind: ModelServe` must not pass for a kind of somebody else's. In other groups
    // nameless documents are no objects of a cluster (a Kustomization), and no concern of ours.
    let may_be_ours = served.is_some() || matches!(group(&api_version), "" | NETWORKING_GROUP);
    if may_be_ours && name.is_empty() {
        return refuse("metadata.name", "missing: expected a text, as every object has a name");
    }
    let Some(served) = served else {
        return Outcome::Skipped(object);
    };
    let subject = Subject::ObjectIn { object, file: file.to_owned() };
    if api_version != served.api_version() {
        let message = format!("unknown version `{api_version}`, expected `{}`", served.api_version());
        return Outcome::Refused(vec![Problem::new(subject, message).at("apiVersion")]);
    }
    apply_namespace(&mut document);
    prune_nulls(&mut document);
    match served {
        Kind::ModelRoute => typed(document, subject, Object::ModelRoute, admission::model_route::validate),
        Kind::ModelServer => typed(document, subject, Object::ModelServer, admission::model_server::validate),
        Kind::Pod => typed(document, subject, Object::Pod, admission::pod::validate),
        Kind::Secret => authorities(&document, subject),
    }
}

/// The kinds served here.
#[derive(Clone, Copy)]
enum Kind {
    ModelRoute,
    ModelServer,
    Pod,
    Secret,
}

impl Kind {
    /// The kind of that name in that group, whatever the version.
    fn of(kind: &str, api_version: &str) -> Option<Self> {
        match (kind, group(api_version)) {
            ("ModelRoute", NETWORKING_GROUP) => Some(Self::ModelRoute),
            ("ModelServer", NETWORKING_GROUP) => Some(Self::ModelServer),
            ("Pod", "") => Some(Self::Pod),
            ("Secret", "") => Some(Self::Secret),
            _ => None,
        }
    }

    fn api_version(self) -> String {
        match self {
            Self::ModelRoute => ModelRoute::api_version(&()),
            Self::ModelServer => ModelServer::api_version(&()),
            Self::Pod => Pod::api_version(&()),
            Self::Secret => Secret::api_version(&()),
        }
        .into_owned()
    }
}

/// The group of an apiVersion; the core group has none.
fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

fn apply_namespace(document: &mut Value) {
    if let Some(Value::Object(metadata)) = document.get_mut("metadata") {
        let namespace = metadata.entry("namespace").or_insert(Value::Null);
        if namespace.is_null() {
            *namespace = DEFAULT_NAMESPACE.into();
        }
    }
}

/// Removes keys whose value is null: to an API server, too, they are absent and take the default.
fn prune_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(prune_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(prune_nulls),
        _ => {}
    }
}

fn typed<K>(
    document: Value,
    subject: Subject,
    wrap: fn(Box<K>) -> Object,
    validate: fn(&K) -> Vec<Violation>,
) -> Outcome
where
    K: DeserializeOwned + Resource<DynamicType = ()>,
{
    let mut remarks = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(document, &mut track);
    let parsed: Result<K, _> = serde_ignored::deserialize(tracked, |path| {
        let field = field_path(&path);
        if !expected(&field, &K::group(&())) {
            remarks.push(Problem::new(subject.clone(), "unknown field, ignored").at(field));
        }
    });
    let object = match parsed {
        Ok(object) => object,
        Err(error) => {
            let problem = Problem::new(subject, error.to_string());
            let path = track.path().to_string();
            // A lone dot is the document itself.
            return Outcome::Refused(vec![if path == "." { problem } else { problem.at(path) }]);
        }
    };
    let mut violations = admission::name::validate(object.meta());
    violations.extend(validate(&object));
    if violations.is_empty() {
        return Outcome::Served(wrap(Box::new(object)), remarks);
    }
    refused(violations, &subject)
}

/// A Secret is not read as its type: serde's errors quote values, and its other keys are not ours to refuse.
fn authorities(document: &Value, subject: Subject) -> Outcome {
    let secret = secret::from_document(document).map_err(|violation| vec![violation]);
    let named = secret.and_then(|secret| match admission::name::validate(&secret.metadata) {
        violations if violations.is_empty() => Ok(secret),
        violations => Err(violations),
    });
    match named {
        Ok(secret) => Outcome::Served(Object::Secret(Box::new(secret)), Vec::new()),
        Err(violations) => refused(violations, &subject),
    }
}

fn refused(violations: Vec<Violation>, subject: &Subject) -> Outcome {
    let refusals = violations.into_iter();
    Outcome::Refused(refusals.map(|violation| violation.into_problem(subject.clone())).collect())
}

/// Whether a field that a type leaves out is in order all the same: the types of our kinds take
/// apiVersion and kind for granted, and `kubectl get -o yaml` leaves in the status, which is
/// written by controllers and for people.
fn expected(field: &str, group: &str) -> bool {
    let standing = matches!(field, "apiVersion" | "kind") || field.starts_with("status.");
    standing && group == NETWORKING_GROUP
}

/// Spells a path as `serde_path_to_error` does: `spec.rules[0].name`.
fn field_path(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => {
            let mut field = field_path(parent);
            // Writing to a String cannot fail.
            let _ = write!(field, "[{index}]");
            field
        }
        Path::Map { parent, key } => {
            let mut field = field_path(parent);
            if !field.is_empty() {
                field.push('.');
            }
            field.push_str(key);
            field
        }
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => field_path(parent),
    }
}
