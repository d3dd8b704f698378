//! Subshells (Jupyter enhancement proposal 91): further shells of one kernel, each with a thread of its
//! own, so that a command can be run while a long cell runs in the main shell.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use super::executor::{self, Context, Handle};
use crate::{session::Session, wire::Message};

/// Each has a thread and a connection to the engine; a client that makes more than this has lost
/// count.
const MAX_SUBSHELLS: usize = 64;

/// The subshells of this kernel.
pub(crate) struct Subshells {
    context: Context,
    open: Mutex<BTreeMap<String, Handle>>,
}

impl Subshells {
    /// None yet. `context` is the main shell's.
    pub(crate) fn new(context: Context) -> Self {
        Subshells { context, open: Mutex::default() }
    }

    /// The content of a `create_subshell_reply`.
    pub(crate) fn create(&self) -> Value {
        let mut open = self.lock();
        if open.len() >= MAX_SUBSHELLS {
            let evalue = format!("there are {MAX_SUBSHELLS} subshells already: delete some");
            return json!({"status": "error", "ename": "TooManySubshells", "evalue": evalue, "traceback": [evalue]});
        }
        let id = uuid::Uuid::new_v4().to_string();
        let session = Arc::new(self.context.session.subshell());
        open.insert(id.clone(), executor::spawn(Context { session, ..self.context.clone() }));
        json!({"status": "ok", "subshell_id": id})
    }

    /// The content of a `delete_subshell_reply`. A cell that runs there is interrupted; its thread ends
    /// with it.
    pub(crate) fn delete(&self, request: &Message) -> Value {
        match self.lock().remove(request.text("subshell_id")) {
            Some(handle) => {
                handle.session().interrupt();
                json!({"status": "ok"})
            }
            None => unknown(request.text("subshell_id")),
        }
    }

    /// The content of a `list_subshell_reply`.
    pub(crate) fn list(&self) -> Value {
        json!({"status": "ok", "subshell_id": self.lock().keys().collect::<Vec<_>>()})
    }

    /// Queue a cell; the error is the content of the reply to send instead.
    pub(crate) fn execute(&self, id: &str, request: Message) -> Result<(), Value> {
        self.lock().get(id).ok_or_else(|| unknown(id)).map(|shell| shell.execute(request))
    }

    /// Their sessions.
    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        self.lock().values().map(|handle| handle.session().clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Handle>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(id: &str) -> Value {
    let evalue =
        format!("there is no subshell {id:?}: it was deleted, or belonged to a kernel that has been restarted");
    json!({
        "status": "error", "ename": "UnknownSubshell", "evalue": evalue, "traceback": [evalue],
        "execution_count": 0, "user_expressions": {}, "payload": [],
    })
}
