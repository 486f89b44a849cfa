//! Which names the engine answers to: served names (the first one is the model, the rest are
//! aliases of it) and LoRA adapters, which come and go while it runs.
//!
//! Rules and texts are those of vLLM 0.32's `OpenAIServingModels`.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use anyhow::{Context, bail};

/// The names of one engine.
#[derive(Debug)]
pub struct Catalog {
    main: String,
    aliases: Vec<String>,
    adapters: RwLock<Vec<Adapter>>,
}

/// A loaded LoRA adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// The model name that requests use.
    pub name: String,
    /// Where its weights would be; any path is taken.
    pub path: String,
}

/// Why an adapter was not loaded or unloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A served model has this name.
    NameOfModel,
    /// An adapter of this name is there, and the request did not ask to replace it.
    AlreadyLoaded,
    /// No adapter of this name is there.
    NotLoaded,
}

// === impl Catalog ===

impl Catalog {
    /// Adapters named here have their name as path; a name said twice counts once.
    ///
    /// # Errors
    ///
    /// No model, an empty name, or an adapter with the name of a model.
    pub fn new(models: &[String], loras: &[String]) -> anyhow::Result<Self> {
        let (main, aliases) = models.split_first().context("--model: at least one served model name is needed")?;
        for (flag, name) in models.iter().map(|m| ("--model", m)).chain(loras.iter().map(|l| ("--lora", l))) {
            if name.is_empty() {
                bail!("{flag}: a name must not be empty");
            }
        }
        let mut unique: Vec<String> = Vec::new();
        for alias in aliases {
            if alias != main && !unique.contains(alias) {
                unique.push(alias.clone());
            }
        }
        let catalog = Self { main: main.clone(), aliases: unique, adapters: RwLock::default() };
        for name in loras {
            let adapter = Adapter { name: name.clone(), path: name.clone() };
            if catalog.load(adapter, true).is_err() {
                bail!("--lora {name}: a served model has this name; choose another");
            }
        }
        Ok(catalog)
    }

    /// The first served name.
    pub fn main(&self) -> &str {
        &self.main
    }

    /// All served names, the first one first.
    pub fn served(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.main.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// The loaded adapters, in order of loading.
    pub fn adapters(&self) -> Vec<Adapter> {
        self.read().clone()
    }

    /// The name under which a request for `name` is answered: an adapter's own, the main name for
    /// any served name and for none at all. `None` if nothing answers to it.
    pub fn resolve(&self, name: Option<&str>) -> Option<String> {
        let name = match name {
            None | Some("") => return Some(self.main.clone()),
            Some(name) => name,
        };
        if self.served().any(|served| served == name) {
            return Some(self.main.clone());
        }
        let adapters = self.read();
        adapters.iter().find(|adapter| adapter.name == name).map(|adapter| adapter.name.clone())
    }

    /// Loads an adapter; with `replace`, one of the same name gives way in its place.
    ///
    /// # Errors
    ///
    /// [`Refusal::NameOfModel`], or [`Refusal::AlreadyLoaded`] without `replace`.
    pub fn load(&self, adapter: Adapter, replace: bool) -> Result<(), Refusal> {
        if self.served().any(|served| served == adapter.name) {
            return Err(Refusal::NameOfModel);
        }
        let mut adapters = self.write();
        match adapters.iter_mut().find(|loaded| loaded.name == adapter.name) {
            Some(_) if !replace => Err(Refusal::AlreadyLoaded),
            Some(loaded) => {
                *loaded = adapter;
                Ok(())
            }
            None => {
                adapters.push(adapter);
                Ok(())
            }
        }
    }

    /// Unloads an adapter.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotLoaded`].
    pub fn unload(&self, name: &str) -> Result<(), Refusal> {
        let mut adapters = self.write();
        let position = adapters.iter().position(|adapter| adapter.name == name).ok_or(Refusal::NotLoaded)?;
        adapters.remove(position);
        Ok(())
    }

    // No step under the lock can leave the list half changed, so a poisoned lock is still good.

    fn read(&self) -> RwLockReadGuard<'_, Vec<Adapter>> {
        self.adapters.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Adapter>> {
        self.adapters.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn adapter(name: &str, path: &str) -> Adapter {
        Adapter { name: name.to_owned(), path: path.to_owned() }
    }

    #[test]
    fn an_alias_and_no_name_resolve_to_the_first_served_name() {
        let catalog = Catalog::new(&names(&["main", "alias"]), &names(&["lora"])).expect("valid");
        for (asked, answered) in [
            (None, Some("main")),
            (Some(""), Some("main")),
            (Some("main"), Some("main")),
            (Some("alias"), Some("main")),
            (Some("lora"), Some("lora")),
            (Some("nope"), None),
        ] {
            assert_eq!(catalog.resolve(asked).as_deref(), answered, "{asked:?}");
        }
    }

    #[test]
    fn an_adapter_is_replaced_only_when_asked() {
        let catalog = Catalog::new(&names(&["main"]), &names(&["a", "b"])).expect("valid");
        assert_eq!(catalog.load(adapter("a", "new"), false), Err(Refusal::AlreadyLoaded));
        assert_eq!(catalog.load(adapter("a", "new"), true), Ok(()));
        assert_eq!(catalog.adapters(), [adapter("a", "new"), adapter("b", "b")]);
    }

    #[test]
    fn an_unloaded_adapter_is_gone() {
        let catalog = Catalog::new(&names(&["main"]), &names(&["a"])).expect("valid");
        assert_eq!(catalog.unload("a"), Ok(()));
        assert_eq!(catalog.resolve(Some("a")), None);
        assert_eq!(catalog.unload("a"), Err(Refusal::NotLoaded));
    }

    #[test]
    fn names_that_cannot_work_are_refused_by_flag() {
        for (models, loras, flag) in [
            (&[][..], &[][..], "--model"),
            (&[""][..], &[][..], "--model"),
            (&["m"][..], &[""][..], "--lora"),
            (&["m", "n"][..], &["n"][..], "--lora n"),
        ] {
            let error = Catalog::new(&names(models), &names(loras)).expect_err(flag);
            assert!(error.to_string().starts_with(flag), "{error}");
        }
    }

    #[test]
    fn a_name_said_twice_counts_once() {
        let catalog = Catalog::new(&names(&["m", "n", "m", "n"]), &names(&["a", "a"])).expect("valid");
        assert_eq!(catalog.served().collect::<Vec<_>>(), ["m", "n"]);
        assert_eq!(catalog.adapters().len(), 1);
    }
}
