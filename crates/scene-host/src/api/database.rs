//! What scripts ask of databases.

use std::{rc::Rc, sync::Arc, time::Duration};

use ::database::{self, Error, ErrorKind, Settings, Slot};
use metrics::counter;
use pyo3::{
    exceptions::{PyBaseException, PyValueError},
    prelude::*,
    sync::PyOnceLock,
};

use crate::{
    Answer, Asked, DatabaseAnswer,
    database::{read_parameters, write_rows},
    script::host::{Host, current},
};

/// A database, behind `ffext.database.Database`.
#[pyclass(frozen, name = "Database", module = "_ffext")]
#[derive(Debug)]
pub(crate) struct NativeDatabase(database::Database);

/// A transaction, behind `ffext.database.Transaction`.
#[pyclass(frozen, name = "Transaction", module = "_ffext")]
#[derive(Debug)]
pub(crate) struct NativeTransaction(database::Transaction);

/// Opens a database, which connects to nothing. Raises `ValueError` for what is no
/// URL, repeating nothing of it.
#[pyfunction]
pub(crate) fn open_database(url: &str, pool: i64, timeout: f64) -> PyResult<NativeDatabase> {
    let host = current()?;
    let pool = usize::try_from(pool)
        .ok()
        .filter(|pool| (1..=1_000).contains(pool));
    let pool = pool.ok_or_else(|| PyValueError::new_err("pool is a number from 1 to 1000"))?;
    let settings = Settings {
        pool,
        timeout: seconds("timeout", timeout)?,
        ..Settings::default()
    };
    let opened = host
        .shared
        .databases
        .open(url, settings, &host.shared.runtime);
    let opened = opened.map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(NativeDatabase(opened))
}

#[pymethods]
impl NativeDatabase {
    /// Carries out a statement; what is returned gives an `ffext.database.Rows`, or,
    /// also of one that has failed, an `ffext.database.Result`.
    fn run<'py>(
        &self,
        py: Python<'py>,
        sql: &str,
        parameters: &Bound<'py, PyAny>,
        as_result: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let host = current()?;
        let parameters = read_parameters(parameters)?;
        let sql: Arc<str> = sql.into();
        let slot = match admit(&self.0) {
            Ok(slot) => slot,
            Err(error) if as_result => return settled(&host, py, failed(py, &error)),
            Err(error) => return settled(&host, py, raised(py, &error)),
        };
        ask(&host, py, as_result, |asked| {
            start(&host, asked, async move {
                DatabaseAnswer::Rows(slot.run(sql, parameters).await)
            });
        })
    }

    /// Begins a transaction, which may take `limit` seconds; what is returned gives
    /// a `Transaction`.
    fn begin<'py>(&self, py: Python<'py>, limit: f64) -> PyResult<Bound<'py, PyAny>> {
        let host = current()?;
        let limit = seconds("timeout", limit)?;
        let slot = match admit(&self.0) {
            Ok(slot) => slot,
            Err(error) => return settled(&host, py, raised(py, &error)),
        };
        ask(&host, py, false, |asked| {
            start(&host, asked, async move {
                DatabaseAnswer::Begun(slot.begin(limit).await)
            });
        })
    }

    /// Closes it for everybody who has opened it.
    fn close(&self) -> PyResult<()> {
        let host = current()?;
        let database = self.0.clone();
        host.shared
            .runtime
            .spawn(async move { database.close().await });
        Ok(())
    }

    /// Without the password.
    fn url(&self) -> String {
        self.0.url().to_string()
    }
}

#[pymethods]
impl NativeTransaction {
    /// Carries out a statement; what is returned gives an `ffext.database.Rows`, or,
    /// also of one that has failed, an `ffext.database.Result`.
    fn run<'py>(
        &self,
        py: Python<'py>,
        sql: &str,
        parameters: &Bound<'py, PyAny>,
        as_result: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let host = current()?;
        let parameters = read_parameters(parameters)?;
        let sql = sql.into();
        ask(&host, py, as_result, |asked| {
            // Its place is taken now, and the next has its own when this is answered:
            // or the script could hear of the end before it hears of the last statement.
            let ran = self.0.run_held(sql, parameters);
            start_held(&host, asked, async move {
                let (rows, hold) = ran.await;
                (DatabaseAnswer::Rows(rows), hold)
            });
        })
    }

    /// Commits it; what is returned gives None.
    fn commit<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let host = current()?;
        ask(&host, py, false, |asked| {
            let committed = self.0.commit();
            start(&host, asked, async move {
                DatabaseAnswer::Ended(committed.await)
            });
        })
    }

    /// Rolls it back; what is returned gives None.
    fn roll_back<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let host = current()?;
        ask(&host, py, false, |asked| {
            let rolled_back = self.0.roll_back();
            start(&host, asked, async move {
                rolled_back.await;
                DatabaseAnswer::Ended(Ok(()))
            });
        })
    }

    /// Rolls it back, if it has not ended, whoever waits for that.
    fn let_go(&self) -> PyResult<()> {
        current()?.shared.runtime.spawn(self.0.roll_back());
        Ok(())
    }
}

/// Has something done for the script; that it waits for too much already is told as
/// what a database says, too.
fn ask<'py>(
    host: &Rc<Host>,
    py: Python<'py>,
    as_result: bool,
    begin: impl FnOnce(Asked),
) -> PyResult<Bound<'py, PyAny>> {
    let mut has_begun = false;
    let future = host.ask(py, given(as_result), |asked| {
        has_begun = true;
        begin(asked);
    })?;
    if has_begun {
        return Ok(future);
    }
    // It is looked at here, and not to be logged as one that nobody has looked at.
    let why = future.call_method0("exception")?;
    let error = Error {
        kind: ErrorKind::Overloaded,
        message: why.str()?.to_string(),
    };
    count_one(error.kind.as_str());
    let how = if as_result {
        failed(py, &error)
    } else {
        raised(py, &error)
    };
    settled(host, py, how)
}

/// Does the work where the network is, and tells the script.
fn start(host: &Host, asked: Asked, work: impl Future<Output = DatabaseAnswer> + Send + 'static) {
    start_held(host, asked, async move { (work.await, ()) });
}

/// Does the work where the network is, tells the script, and then drops what has come
/// with the answer.
fn start_held<H: Send + 'static>(
    host: &Host,
    asked: Asked,
    work: impl Future<Output = (DatabaseAnswer, H)> + Send + 'static,
) {
    let inbox = host.shared.inbox.clone();
    let work = async move {
        let (answer, hold) = work.await;
        count(&answer);
        (Answer::Database(answer), hold)
    };
    host.shared.runtime.spawn(asked.answer_held(inbox, work));
}

/// A place among the statements of a database; a refusal counts as a statement.
fn admit(database: &database::Database) -> Result<Slot, Error> {
    database
        .admit()
        .inspect_err(|error| count_one(error.kind.as_str()))
}

fn count(answer: &DatabaseAnswer) {
    let error = match answer {
        DatabaseAnswer::Rows(result) => result.as_ref().err(),
        DatabaseAnswer::Begun(result) => result.as_ref().err(),
        DatabaseAnswer::Ended(result) => result.as_ref().err(),
    };
    count_one(error.map_or("ok", |error| error.kind.as_str()));
}

fn count_one(outcome: &'static str) {
    counter!("redrabbit_database_statements_total", "outcome" => outcome).increment(1);
}

/// What the script sees of an answer.
fn convert(py: Python<'_>, answer: Answer) -> PyResult<Py<PyAny>> {
    match answer {
        Answer::Database(DatabaseAnswer::Rows(Ok(rows))) => write_rows(py, rows, &current()?.keys),
        Answer::Database(DatabaseAnswer::Begun(Ok(transaction))) => {
            Ok(Bound::new(py, NativeTransaction(transaction))?
                .into_any()
                .unbind())
        }
        Answer::Database(DatabaseAnswer::Ended(Ok(()))) => Ok(py.None()),
        Answer::Database(
            DatabaseAnswer::Rows(Err(error))
            | DatabaseAnswer::Begun(Err(error))
            | DatabaseAnswer::Ended(Err(error)),
        ) => Err(PyErr::from_value(raised(py, &error)?)),
        other => Err(PyValueError::new_err(format!(
            "another answer was expected than {other:?}"
        ))),
    }
}

/// What is made of an answer: an `ffext.database.Result`, or what such a result is
/// about.
fn given(as_result: bool) -> impl FnOnce(Python<'_>, Answer) -> PyResult<Py<PyAny>> + 'static {
    move |py, answer| match answer {
        Answer::Database(DatabaseAnswer::Rows(Ok(rows))) if as_result => {
            static RESULT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            let rows = write_rows(py, rows, &current()?.keys)?;
            let made = RESULT.import(py, "ffext.database", "Result")?;
            Ok(made.call1((true, rows))?.unbind())
        }
        Answer::Database(DatabaseAnswer::Rows(Err(error))) if as_result => {
            Ok(failed(py, &error)?.unbind())
        }
        answer => convert(py, answer),
    }
}

/// A future that has ended already: with a value, or, of an exception, as that.
fn settled<'py>(
    host: &Host,
    py: Python<'py>,
    how: PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let how = how?;
    // No ask has this number.
    let future = host.python.future.bind(py).call1((0,))?;
    let set = if how.is_instance_of::<PyBaseException>() {
        "set_exception"
    } else {
        "set_result"
    };
    future.call_method1(set, (how,))?;
    Ok(future)
}

/// An `ffext.database.Result` of a statement that was not carried out.
fn failed<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    static FAILED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = FAILED.import(py, "ffext.database", "_failed")?;
    made.call1((error.kind.as_str(), &error.message))
}

/// An `ffext.DatabaseError`.
fn raised<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    static DATABASE_ERROR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = DATABASE_ERROR.import(py, "ffext.errors", "DatabaseError")?;
    made.call1((error.kind.as_str(), &error.message))
}

fn seconds(name: &str, seconds: f64) -> PyResult<Duration> {
    // A year is as good as for ever.
    let is_some = seconds > 0.0 && seconds <= 31_536_000.0;
    let duration = is_some
        .then(|| Duration::try_from_secs_f64(seconds).ok())
        .flatten();
    duration.filter(|span| !span.is_zero()).ok_or_else(|| {
        PyValueError::new_err(format!("{name} is seconds, more than 0, not {seconds}"))
    })
}
