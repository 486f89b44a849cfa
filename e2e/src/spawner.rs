//! Starts programs that end with the test process, whatever ends it.
//!
//! Instances live in statics, which nothing drops, and a test run may be killed. The kernel's parent
//! death signal covers both, but it is sent when the *thread* that forked ends, and test threads come
//! and go: so one thread starts everything and stays.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::thread;

type Order = (Command, Sender<io::Result<Child>>);

static SPAWNER: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
    let (orders, queue) = channel();
    thread::Builder::new().name("spawner".to_owned()).spawn(move || serve(&queue)).expect("a thread");
    Mutex::new(orders)
});

/// Starts `setpriv --pdeathsig KILL PROGRAM ...` (util-linux), which becomes the program itself.
///
/// `configure` adds arguments, environment and pipes.
///
/// # Panics
/// When it cannot be started.
pub fn spawn(program: &Path, configure: impl FnOnce(&mut Command)) -> Child {
    let mut command = Command::new(setpriv());
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    configure(&mut command);
    let (reply, answer) = channel();
    SPAWNER.lock().expect("nothing panics while it is held").send((command, reply)).expect("the spawner lives");
    answer.recv().expect("the spawner answers").unwrap_or_else(|error| panic!("setpriv (util-linux): {error}"))
}

/// Looked up here: the program's own PATH may be another one.
fn setpriv() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).map(|directory| directory.join("setpriv"));
    places.find(|place| place.exists()).expect("setpriv (util-linux) is on the PATH")
}

fn serve(queue: &Receiver<Order>) {
    for (mut command, reply) in queue {
        // Whoever asked may have panicked meanwhile; its child dies with us.
        let _ = reply.send(command.spawn());
    }
}
