//! The VM's one table.

use kthena_core::routing::Routes;
use std::cell::RefCell;
use std::rc::Rc;

thread_local! {
    static ROUTES: RefCell<Rc<Routes>> = RefCell::new(Rc::new(Routes::default()));
}

/// The table in force. Callers hold it for one callback only, so that an old one never lingers.
pub(crate) fn routes() -> Rc<Routes> {
    ROUTES.with(|routes| Rc::clone(&routes.borrow()))
}

/// Puts another table in force.
pub(crate) fn replace(fresh: Routes) {
    // The old table is dropped outside the borrow.
    drop(ROUTES.with(|routes| routes.replace(Rc::new(fresh))));
}
