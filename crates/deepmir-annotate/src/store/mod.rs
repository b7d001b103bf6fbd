//! What raters did, in SQLite: `annotate.sqlite` in the derivatives folder.
//!
//! Each change is one transaction that is on the disk before the page hears of it, and names the
//! revision it was made on: what another window did in between is never overwritten.

mod layers;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deepmir_volume::Grid;
use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params,
};
use serde::{Deserialize, Serialize};

pub use layers::{LayerState, Progress};

use crate::AnnotateError;
use crate::case::describe;

/// The database's name.
pub const FILE: &str = "annotate.sqlite";
/// The name adjudicated label maps carry; nobody's own.
pub const ADJUDICATED: &str = "adjudicated";

/// How a rater came to a layer's marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Without help.
    Own,
    /// With a model's candidates.
    Review,
    /// Between two raters.
    Adjudication,
    /// Of what has changed since the visit before, with a program's proposals.
    Visits,
    /// A program's results, to look at; never in a store.
    Results,
}

impl Stage {
    /// As in the store and in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Review => "review",
            Self::Adjudication => "adjudication",
            Self::Visits => "visits",
            Self::Results => "results",
        }
    }

    /// Reverses [`Stage::name`].
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Own, Self::Review, Self::Adjudication, Self::Visits, Self::Results];
        all.into_iter().find(|stage| stage.name() == name)
    }
}

/// Which layer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerKey {
    /// The case.
    pub case: String,
    /// Whose.
    pub rater: String,
    /// At which stage.
    pub stage: Stage,
}

impl LayerKey {
    /// The `desc` entity of its label map.
    pub fn desc(&self) -> String {
        match self.stage {
            Stage::Own | Stage::Visits | Stage::Results => self.rater.clone(),
            Stage::Review => format!("{}Review", self.rater),
            Stage::Adjudication => ADJUDICATED.to_owned(),
        }
    }
}

/// Whether a database is one of these, or a new one; `false` for that of another program and for any other file.
fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let mut query = match connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
    {
        Ok(query) => query,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    let names = query.query_map([], |row| row.get::<_, String>(0))?;
    let names: Vec<String> = names.collect::<Result<_, _>>()?;
    Ok(names.is_empty()
        || ["raters", "cases", "layers", "operations"]
            .iter()
            .all(|wanted| names.iter().any(|name| name == wanted)))
}

/// The database.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the database of a derivatives folder, or makes it.
    ///
    /// # Errors
    /// A folder that cannot be written, or a file that is no such database.
    pub fn open(folder: &Path) -> Result<Self, AnnotateError> {
        let path = folder.join(FILE);
        std::fs::create_dir_all(folder)
            .map_err(|source| AnnotateError::Io { path: folder.to_owned(), source })?;
        let fail = |source| AnnotateError::Store { path: path.clone(), source };
        let connection = Connection::open(&path).map_err(fail)?;
        connection.busy_timeout(Duration::from_secs(10)).map_err(fail)?;
        // Before anything is written: the file of another program must stay as it is.
        if !is_ours(&connection).map_err(fail)? {
            return Err(AnnotateError::Foreign { path });
        }
        connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
        // Each stroke is on the disk before the page hears of it, even if the power fails.
        connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
        Self::of(connection, path)
    }

    /// A store that is gone with the program, for looking at results: settings of the page and nothing else.
    ///
    /// # Errors
    /// A lack of memory.
    pub fn in_memory() -> Result<Self, AnnotateError> {
        let path = PathBuf::from("memory");
        let connection = Connection::open_in_memory()
            .map_err(|source| AnnotateError::Store { path: path.clone(), source })?;
        Self::of(connection, path)
    }

    fn of(connection: Connection, path: PathBuf) -> Result<Self, AnnotateError> {
        let fail = |source| AnnotateError::Store { path: path.clone(), source };
        connection.pragma_update(None, "foreign_keys", true).map_err(fail)?;
        connection.execute_batch(include_str!("schema.sql")).map_err(fail)?;
        Ok(Self { path: path.clone(), connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic interrupted was rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self) -> impl Fn(rusqlite::Error) -> AnnotateError + use<'_> {
        |source| AnnotateError::Store { path: self.path.clone(), source }
    }

    fn damaged(&self) -> impl Fn(serde_json::Error) -> AnnotateError + use<'_> {
        |error| AnnotateError::Damaged { path: self.path.clone(), reason: error.to_string() }
    }

    /// Does `work` whole or not at all. Others wait until it is done.
    fn change<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, AnnotateError>,
    ) -> Result<T, AnnotateError> {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(self.fault())?;
        let result = work(&transaction)?;
        transaction.commit().map_err(self.fault())?;
        Ok(result)
    }

    /// Adds a rater, if there is none of the name.
    ///
    /// # Errors
    /// A name that cannot be part of a file name.
    pub fn add_rater(&self, name: &str) -> Result<(), AnnotateError> {
        let fits = (1..=32).contains(&name.len())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric());
        // The names of other stages' label maps must not be a rater's own.
        if !fits || name == ADJUDICATED || name.ends_with("Review") {
            return Err(AnnotateError::Rater { name: name.to_owned() });
        }
        self.connection()
            .execute("INSERT OR IGNORE INTO raters (id) VALUES (?1)", [name])
            .map_err(self.fault())?;
        Ok(())
    }

    /// Makes room for what is settled between raters.
    ///
    /// # Errors
    /// A store that does not answer.
    pub fn add_adjudication(&self) -> Result<(), AnnotateError> {
        self.connection()
            .execute("INSERT OR IGNORE INTO raters (id) VALUES (?1)", [ADJUDICATED])
            .map_err(self.fault())?;
        Ok(())
    }

    /// All raters, by name.
    ///
    /// # Errors
    /// A store that does not answer.
    pub fn raters(&self) -> Result<Vec<String>, AnnotateError> {
        let connection = self.connection();
        let mut query =
            connection.prepare("SELECT id FROM raters ORDER BY id").map_err(self.fault())?;
        let raters = query.query_map([], |row| row.get(0)).map_err(self.fault())?;
        raters.collect::<Result<_, _>>().map_err(self.fault())
    }

    /// A rater's settings (keys, brush), as the page left them.
    ///
    /// # Errors
    /// A store that does not answer.
    pub fn settings(&self, rater: &str) -> Result<serde_json::Value, AnnotateError> {
        let text: Option<String> = self
            .connection()
            .query_row("SELECT settings FROM raters WHERE id = ?1", [rater], |row| row.get(0))
            .optional()
            .map_err(self.fault())?;
        serde_json::from_str(text.as_deref().unwrap_or("{}")).map_err(self.damaged())
    }

    /// Keeps a rater's settings.
    ///
    /// # Errors
    /// A store that does not answer.
    pub fn set_settings(
        &self,
        rater: &str,
        settings: &serde_json::Value,
    ) -> Result<(), AnnotateError> {
        self.connection()
            .execute(
                "UPDATE raters SET settings = ?2 WHERE id = ?1",
                params![rater, settings.to_string()],
            )
            .map_err(self.fault())?;
        Ok(())
    }

    /// Remembers a case's grid the first time, and holds it to that afterwards.
    ///
    /// # Errors
    /// [`AnnotateError::OtherGrid`].
    pub fn check_grid(&self, case: &str, grid: &Grid, path: &Path) -> Result<(), AnnotateError> {
        let now = describe(grid);
        let connection = self.connection();
        connection
            .execute("INSERT OR IGNORE INTO cases (id, grid) VALUES (?1, ?2)", [case, &now])
            .map_err(self.fault())?;
        let then: String = connection
            .query_row("SELECT grid FROM cases WHERE id = ?1", [case], |row| row.get(0))
            .map_err(self.fault())?;
        if then == now {
            return Ok(());
        }
        Err(AnnotateError::OtherGrid { case: case.to_owned(), then, now, path: path.to_owned() })
    }
}
