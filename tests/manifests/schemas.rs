//! The platforms' own schemas, made as strict as the platforms are.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::repository;

/// A folder of schemas.
#[derive(Clone)]
pub(crate) struct Schemas(PathBuf);

impl Schemas {
    /// The folder, if it is there.
    pub(crate) fn find() -> Option<Self> {
        let named = std::env::var_os("CANARY_SCHEMAS").map(PathBuf::from);
        let folder = named.unwrap_or_else(|| repository("../shared/schemas"));
        folder.is_dir().then_some(Self(folder))
    }

    /// What does not fit the compose specification.
    pub(crate) fn compose_problems(&self, file: &Value) -> Vec<String> {
        problems(&self.read("compose-spec.json"), file)
    }

    /// What does not fit the schema of a Kubernetes resource's kind. Fields that it does not name
    /// do not fit, as for `kubectl apply` with strict validation. Rules in CEL are not evaluated.
    pub(crate) fn resource_problems(&self, resource: &Value) -> Vec<String> {
        let text = |key: &str| resource[key].as_str().unwrap_or_else(|| panic!("no {key}: {resource}"));
        let (group, version) = text("apiVersion").split_once('/').expect("<group>/<version>");
        let mut schema = self.read(&format!("{group}_{}_{version}.json", text("kind")));
        // What Kubernetes adds to the schema of every kind.
        schema["properties"]["apiVersion"] = json!({"type": "string"});
        schema["properties"]["kind"] = json!({"type": "string"});
        schema["properties"]["metadata"] = json!({
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"},
                "namespace": {"type": "string"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        });
        close(&mut schema);
        problems(&schema, resource)
    }

    fn read(&self, name: &str) -> Value {
        let path = self.0.join(name);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("the schema {name}: {error}"));
        serde_json::from_str(&text).unwrap()
    }
}

/// Lets no object have fields that its schema does not name, unless the schema says so.
fn close(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    let open = object.contains_key("additionalProperties")
        || object.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    if object.contains_key("properties") && !open {
        object.insert("additionalProperties".to_owned(), false.into());
    }
    for (key, value) in object {
        match key.as_str() {
            "properties" => value.as_object_mut().into_iter().flatten().for_each(|(_, field)| close(field)),
            "items" | "additionalProperties" => close(value),
            // Alternatives name some fields of the object around them.
            _ => {}
        }
    }
}

fn problems(schema: &Value, file: &Value) -> Vec<String> {
    let validator = jsonschema::draft7::new(schema).unwrap();
    let problems = validator.iter_errors(file);
    problems.map(|problem| format!("{}: {problem}", problem.instance_path())).collect()
}
