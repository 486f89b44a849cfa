//! What is wrong with a configuration, said to the person who must act.
//!
//! A problem names the object or the file, the field, and what is accepted. The local mode prints
//! it as one line; on a cluster the same words become a status condition.

use std::fmt;

use kube::{Resource, ResourceExt};

/// The namespace of an object that names none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// A namespaced object by kind and name; shown as `ModelRoute default/x`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The kind as manifests spell it, e.g. `ModelRoute`.
    pub kind: String,
    /// The namespace.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectRef {
    /// Names an object by its parts.
    pub fn new(kind: impl Into<String>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }

    /// Names a typed object; a missing namespace is `default`.
    pub fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        Self::new(K::kind(&()), object.namespace().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()), object.name_any())
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name } = self;
        write!(f, "{kind} {namespace}/{name}")
    }
}

/// What a [`Problem`] is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// An object, wherever it came from.
    Object(ObjectRef),
    /// A file or directory, by the name the user gave it.
    File(String),
    /// An object as one file holds it.
    ObjectIn {
        /// The object.
        object: ObjectRef,
        /// The file, by the name the user gave it.
        file: String,
    },
    /// An engine, by the URL the user gave.
    Endpoint(String),
}

impl From<ObjectRef> for Subject {
    fn from(object: ObjectRef) -> Self {
        Self::Object(object)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(object) => object.fmt(f),
            Self::File(name) | Self::Endpoint(name) => f.write_str(name),
            Self::ObjectIn { object, file } => write!(f, "{object} in {file}"),
        }
    }
}

/// One thing that is wrong. Its `Display` is one line: `subject: field: message`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Problem {
    /// The object or file concerned.
    pub object: Subject,
    /// The field as a path, e.g. `spec.rules[0].targetModels`; `None` when no single field is.
    pub field: Option<String>,
    /// What is wrong and what is accepted, without a final stop.
    pub message: String,
}

impl Problem {
    /// A problem of an object or file as a whole.
    pub fn new(object: impl Into<Subject>, message: impl Into<String>) -> Self {
        Self { object: object.into(), field: None, message: message.into() }
    }

    /// The same problem, pinned to a field.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.object)?;
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        // Parsers underneath may answer in several lines.
        let mut lines = self.message.lines().map(str::trim);
        f.write_str(lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| write!(f, " {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_one_line_from_object_to_remedy() {
        let object = ObjectRef::new("ModelRoute", "default", "x");
        let problem = Problem::new(object.clone(), "at most\n  16 rules").at("spec.rules");
        assert_eq!(problem.to_string(), "ModelRoute default/x: spec.rules: at most 16 rules");
        let file = "routes.yaml".to_owned();
        let whole = Problem::new(Subject::ObjectIn { object, file }, "not served");
        assert_eq!(whole.to_string(), "ModelRoute default/x in routes.yaml: not served");
    }
}
