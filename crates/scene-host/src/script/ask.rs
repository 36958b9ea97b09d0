//! What the script asks for and waits for, while others do it.
//!
//! A function of `ffext` that takes time on the network's side begins with
//! [`Host::ask`]: the script gets a future of its event loop, whoever does the work
//! gets an [`Asked`] and answers it with an event, once.

use std::{future::Future, rc::Rc, sync::Arc};

use foldhash::HashMap;
use protocol::{CallError, ErrorKind};
use pyo3::{intern, prelude::*};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Answer, Event, Inbox, script::host::Host};

/// Something that the script has asked for; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AskId(u64);

/// What is to be answered.
#[derive(Clone, Debug)]
pub struct Asked {
    id: AskId,
    given_up: CancellationToken,
}

/// What makes an object for the script of an answer, or the error that it sees.
type Convert = Box<dyn FnOnce(Python<'_>, Answer) -> PyResult<Py<PyAny>>>;

/// What the script waits for.
#[derive(Default)]
pub(crate) struct Asks {
    waiting: HashMap<AskId, Waiting>,
    next: u64,
}

struct Waiting {
    future: Py<PyAny>,
    convert: Convert,
    /// Tells whoever does the work that nobody waits for it.
    _given_up: DropGuard,
}

impl Asked {
    /// Does the work, unless the script stops waiting for it, and answers.
    pub async fn answer(self, inbox: Arc<Inbox>, work: impl Future<Output = Answer>) {
        self.answer_held(inbox, async { (work.await, ()) }).await;
    }

    /// As [`answer`](Self::answer), and what comes with the answer is dropped after it
    /// was given.
    pub async fn answer_held<H>(self, inbox: Arc<Inbox>, work: impl Future<Output = (Answer, H)>) {
        let owed = Owed {
            ask: self.id,
            inbox: Some(inbox),
        };
        let done = self.given_up.run_until_cancelled(work).await;
        match done {
            Some((answer, _hold)) => owed.pay(answer),
            // Nobody waits for it.
            None => owed.forget(),
        }
    }
}

/// An answer that is owed, whatever becomes of the work.
struct Owed {
    ask: AskId,
    inbox: Option<Arc<Inbox>>,
}

impl Owed {
    fn pay(mut self, answer: Answer) {
        self.give(answer);
    }

    fn forget(mut self) {
        self.inbox = None;
    }

    fn give(&mut self, answer: Answer) {
        if let Some(inbox) = self.inbox.take() {
            let ask = self.ask;
            // A script that has ended waits for nothing.
            let _ = inbox.push(Event::Answer { ask, answer });
        }
    }
}

/// The work has ended without a result: its task is gone.
impl Drop for Owed {
    fn drop(&mut self) {
        let error = CallError::new(ErrorKind::Unavailable, "the work was given up");
        self.give(Answer::Lost(error));
    }
}

/// Two are the same if they are answered the same.
impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Asked {}

impl Asks {
    /// How much a script may wait for at once.
    const LIMIT: usize = 65_536;
}

impl Host {
    /// Has something done for the script. `begin` is told what to answer; what
    /// `convert` makes of the answer is what the future that is returned gives.
    ///
    /// Past 65,536 at once nothing is begun, and the future fails as
    /// `overloaded`.
    pub(crate) fn ask<'py>(
        self: &Rc<Self>,
        py: Python<'py>,
        convert: impl FnOnce(Python<'_>, Answer) -> PyResult<Py<PyAny>> + 'static,
        begin: impl FnOnce(Asked),
    ) -> PyResult<Bound<'py, PyAny>> {
        let id = {
            let mut asks = self.asks.borrow_mut();
            asks.next += 1;
            AskId(asks.next)
        };
        let future = self.python.future.bind(py).call1((id.0,))?;
        if self.asks.borrow().waiting.len() >= Asks::LIMIT {
            let error = CallError::new(
                ErrorKind::Overloaded,
                format!("the script waits for {} answers already", Asks::LIMIT),
            );
            let error = self.call_error(py, &error)?;
            future.call_method1(intern!(py, "set_exception"), (error,))?;
            return Ok(future);
        }
        let given_up = CancellationToken::new();
        let waiting = Waiting {
            future: future.clone().unbind(),
            convert: Box::new(convert),
            _given_up: given_up.clone().drop_guard(),
        };
        self.asks.borrow_mut().waiting.insert(id, waiting);
        begin(Asked { id, given_up });
        Ok(future)
    }

    /// The script has stopped waiting for something.
    pub(crate) fn give_up(&self, id: u64) {
        let waiting = self.asks.borrow_mut().waiting.remove(&AskId(id));
        // Not under the borrow: it may end objects of the script.
        drop(waiting);
    }

    /// Something that the script has asked for has been done, or not.
    pub(crate) fn answered(&self, py: Python<'_>, id: AskId, answer: Answer) {
        let waiting = self.asks.borrow_mut().waiting.remove(&id);
        let Some(Waiting {
            future, convert, ..
        }) = waiting
        else {
            return;
        };
        let future = future.bind(py);
        let converted = match answer {
            Answer::Lost(error) => self
                .call_error(py, &error)
                .and_then(|error| Err(PyErr::from_value(error))),
            answer => convert(py, answer),
        };
        let given = match converted {
            Ok(value) => future.call_method1(intern!(py, "set_result"), (value,)),
            Err(error) => future.call_method1(intern!(py, "set_exception"), (error,)),
        };
        if let Err(error) = given {
            // The script has given the future a result of its own.
            self.report(py, "callback", "answer", "", &error);
        }
    }

    /// An `ffext.CallError`.
    pub(crate) fn call_error<'py>(
        &self,
        py: Python<'py>,
        error: &CallError,
    ) -> PyResult<Bound<'py, PyAny>> {
        let kind = error.kind.as_str();
        self.python
            .call_error
            .bind(py)
            .call1((kind, &error.message))
    }
}
