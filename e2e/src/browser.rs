//! A real headless Chromium, driven by the DevTools protocol over its pipe.
//!
//! Protocol: <https://chromedevtools.github.io/devtools-protocol/>; with `--remote-debugging-pipe` it is JSON
//! messages that end with a zero byte, on the descriptors 3 and 4: no port, no WebSocket, nothing to find.

use crate::{scratch, spawn, until};
use serde_json::{Value, json};
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use tempfile::TempDir;

/// The pipes to its standard input and output become the two that it talks on.
const SCRIPT: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;

/// A browser with one page; dropping it ends it.
#[derive(Debug)]
pub struct Page {
    browser: Child,
    commands: Mutex<ChildStdin>,
    messages: Messages,
    commanded: AtomicU64,
    session: String,
    _profile: TempDir,
}

#[derive(Debug, Clone, Default)]
struct Messages(Arc<Mutex<Vec<Value>>>);

// === impl Page ===

impl Page {
    /// Starts a browser and goes to an address.
    ///
    /// # Panics
    /// As every method here: when the browser cannot be had, says no, or says nothing in time.
    pub async fn open(url: &str) -> Self {
        let chromium = crate::binaries::chromium();
        let profile = scratch::directory();
        let mut browser = spawn(Path::new("/bin/sh"), |command| {
            command.args(["-c", SCRIPT]).arg(chromium);
            // Tests run as root in containers, where Chromium's own sandbox cannot be had.
            command.args(["--headless", "--no-sandbox", "--remote-debugging-pipe", "--no-first-run"]);
            command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
            command.arg(format!("--user-data-dir={}", profile.path().display()));
            command.env("HOME", profile.path()).env("PATH", env::var_os("PATH").unwrap_or_default());
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        });
        let commands = Mutex::new(browser.stdin.take().expect("a pipe"));
        let messages = Messages::default();
        messages.follow(browser.stdout.take().expect("a pipe"));
        let commanded = AtomicU64::new(0);
        let mut page = Self { browser, commands, messages, commanded, session: String::new(), _profile: profile };
        let target = page.command("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = page.command("Target.attachToTarget", attach).await;
        page.session = attached["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Network", "Log"] {
            page.command(&format!("{domain}.enable"), json!({})).await;
        }
        page.command("Page.navigate", json!({ "url": url })).await;
        // Navigating is answered before there is a document.
        page.until("location.href !== 'about:blank' && document.readyState === 'complete'").await;
        page
    }

    /// The value of an expression in the page.
    pub async fn eval(&self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let told = self.command("Runtime.evaluate", asked).await;
        assert!(told["exceptionDetails"].is_null(), "{expression}: {}", told["exceptionDetails"]);
        told["result"]["value"].clone()
    }

    /// Waits until an expression in the page is true.
    pub async fn until(&self, expression: &str) {
        until(expression, async || (self.eval(expression).await == true).then_some(())).await;
    }

    /// What went wrong in the page: exceptions, errors on the console, loads that were refused or failed.
    pub fn complaints(&self) -> Vec<String> {
        let complains = |message: &&Value| match message["method"].as_str() {
            Some("Runtime.exceptionThrown" | "Network.loadingFailed") => true,
            Some("Runtime.consoleAPICalled") => message["params"]["type"] == "error",
            Some("Log.entryAdded") => message["params"]["entry"]["level"] == "error",
            _ => false,
        };
        self.messages.lock().iter().filter(complains).map(ToString::to_string).collect()
    }

    /// Every address that the page asked for.
    pub fn requests(&self) -> Vec<String> {
        let sent = |message: &Value| {
            (message["method"] == "Network.requestWillBeSent").then(|| message["params"]["request"]["url"].clone())
        };
        self.messages.lock().iter().filter_map(sent).filter_map(|url| Some(url.as_str()?.to_owned())).collect()
    }

    async fn command(&self, method: &str, params: Value) -> Value {
        let id = self.commanded.fetch_add(1, Ordering::Relaxed) + 1;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        let line = format!("{message}\0");
        self.commands.lock().expect("nobody panicked").write_all(line.as_bytes()).expect("the browser reads");
        let answer = until(&format!("the browser's answer to {method}"), async || self.messages.answer(id)).await;
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}

// === impl Messages ===

impl Messages {
    /// Reads on a thread of its own, which ends with the browser.
    fn follow(&self, pipe: impl Read + Send + 'static) {
        let messages = self.clone();
        thread::spawn(move || {
            for message in BufReader::new(pipe).split(0).map_while(Result::ok) {
                messages.lock().push(serde_json::from_slice(&message).expect("JSON from the browser"));
            }
        });
    }

    fn answer(&self, id: u64) -> Option<Value> {
        self.lock().iter().find(|message| message["id"] == id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().expect("nothing panics while it is held")
    }
}
