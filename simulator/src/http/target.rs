//! Which model a request means, by each engine's rules.

use super::App;
use super::ask::Ask;
use super::failure::Failure;
use crate::options::Face;

/// Who answers.
#[derive(Debug)]
pub struct Target {
    /// The model's name in the answer.
    pub shown: String,
    /// Whose words these are.
    pub model: String,
    pub adapter: Option<String>,
}

/// The model of a request that names none, to SGLang.
const SGLANG_DEFAULT: &str = "default";

// === impl App ===

impl App {
    /// # Errors
    ///
    /// vLLM's 404 for a name that it does not know, SGLang's 400 for an adapter that is not loaded.
    pub fn target(&self, ask: &Ask) -> Result<Target, Failure> {
        match self.face {
            Face::Vllm => self.known(ask.model.as_deref()),
            Face::Sglang => self.sglang_target(ask),
        }
    }

    /// # Errors
    ///
    /// vLLM's 404 for a name that it does not know.
    pub fn known(&self, model: Option<&str>) -> Result<Target, Failure> {
        let name = self
            .catalog
            .resolve(model)
            .ok_or_else(|| Failure::unknown_model(model.unwrap_or_default(), self.catalog.served()))?;
        let adapter = (name != self.catalog.main()).then(|| name.clone());
        Ok(Target { shown: name.clone(), model: name, adapter })
    }

    /// SGLang answers under whatever name it was asked for; `base:adapter` (or the field `lora_path`)
    /// names an adapter.
    fn sglang_target(&self, ask: &Ask) -> Result<Target, Failure> {
        let shown = ask.model.clone().unwrap_or_else(|| SGLANG_DEFAULT.to_owned());
        let main = self.catalog.main();
        let after_base = match shown.strip_prefix(main) {
            Some("") => None,
            Some(rest) if rest.starts_with(':') => rest.strip_prefix(':'),
            _ => shown.split_once(':').map(|(_, adapter)| adapter),
        };
        let adapter = after_base.map(str::trim).filter(|name| !name.is_empty()).or(ask.adapter.as_deref());
        let Some(adapter) = adapter else {
            return Ok(Target { model: main.to_owned(), shown, adapter: None });
        };
        let loaded = self.catalog.adapters();
        if loaded.iter().any(|one| one.name == adapter) {
            let adapter = adapter.to_owned();
            return Ok(Target { model: adapter.clone(), adapter: Some(adapter), shown });
        }
        let names: Vec<String> = loaded.iter().map(|one| format!("'{}'", one.name)).collect();
        Err(Failure::bad_request(format!(
            "The following requested LoRA adapters are not loaded: {adapter}\nLoaded adapters: odict_keys([{}]).",
            names.join(", ")
        )))
    }
}
