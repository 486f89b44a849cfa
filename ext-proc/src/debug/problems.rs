//! `/debug/problems`: what is wrong with what users wrote, or served without.

use super::Debug;
use axum::Json;
use axum::extract::State;
use kthena_crds::{Problem, Subject};
use serde_json::{Value, json};
use std::sync::Arc;

/// `{"problems": [{object: {kind, namespace, name}, file, endpoint, field, message}]}`, with `null` for what does not apply.
pub(super) async fn problems(State(debug): State<Arc<Debug>>) -> Json<Value> {
    let problems: Vec<_> = debug.problems.load().iter().map(shown).collect();
    Json(json!({ "problems": problems }))
}

fn shown(problem: &Problem) -> Value {
    let (object, file, endpoint) = match &problem.object {
        Subject::Object(object) => (Some(object), None, None),
        Subject::File(file) => (None, Some(file), None),
        Subject::ObjectIn { object, file } => (Some(object), Some(file), None),
        Subject::Endpoint(url) => (None, None, Some(url)),
    };
    let object =
        object.map(|object| json!({ "kind": object.kind, "namespace": object.namespace, "name": object.name }));
    let Problem { field, message, .. } = problem;
    json!({ "object": object, "file": file, "endpoint": endpoint, "field": field, "message": message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kthena_crds::ObjectRef;

    #[test]
    fn a_problem_names_object_file_and_field() {
        let object = ObjectRef::new("ModelRoute", "default", "x");
        let problem =
            Problem::new(Subject::ObjectIn { object, file: "a.yaml".to_owned() }, "too many").at("spec.rules");
        let object = json!({ "kind": "ModelRoute", "namespace": "default", "name": "x" });
        let expected = json!({ "object": object, "file": "a.yaml", "endpoint": null, "field": "spec.rules", "message": "too many" });
        assert_eq!(shown(&problem), expected);
        let of_file = Problem::new(Subject::File("a.yaml".to_owned()), "not YAML");
        let expected =
            json!({ "object": null, "file": "a.yaml", "endpoint": null, "field": null, "message": "not YAML" });
        assert_eq!(shown(&of_file), expected);
    }
}
