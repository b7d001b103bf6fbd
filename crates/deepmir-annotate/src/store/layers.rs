//! Layers in the store: reading, changing, undoing.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{LayerKey, Stage, Store};
use crate::AnnotateError;
use crate::layer::{Delta, Layer, Operation};

/// A layer as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerState {
    /// Rises by one with every change, undo and redo.
    pub revision: u64,
    /// The number of the next new lesion.
    pub next_lesion: u16,
    /// When the rater said that this is all.
    pub done: Option<String>,
    /// Of an adjudication: the raters it is between.
    pub sources: Vec<String>,
    /// Whether there is something to undo.
    pub can_undo: bool,
    /// Whether there is something to redo.
    pub can_redo: bool,
    /// The marks.
    pub layer: Layer,
}

/// How far a rater is with a case at a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Which layer.
    pub key: LayerKey,
    /// When it was finished.
    pub done: Option<String>,
    /// Changes so far.
    pub revision: u64,
    /// Lesions so far: CMB, NHID.
    pub lesions: [usize; 2],
}

impl Store {
    /// A layer, if it was opened.
    ///
    /// # Errors
    /// A store that does not answer.
    pub fn layer(&self, key: &LayerKey) -> Result<Option<LayerState>, AnnotateError> {
        self.read_layer(&self.connection(), key)
    }

    /// A layer, opened with `start` if it was not. `sources` are the raters of an adjudication.
    ///
    /// # Errors
    /// A store that does not answer.
    pub fn open_layer(
        &self,
        key: &LayerKey,
        start: &Layer,
        sources: &[&str],
    ) -> Result<LayerState, AnnotateError> {
        self.change(|transaction| {
            if let Some(state) = self.read_layer(transaction, key)? {
                return Ok(state);
            }
            let next = start.lesions.keys().next_back().map_or(1, |last| last.saturating_add(1));
            let content = serde_json::to_string(start).map_err(self.damaged())?;
            transaction
                .execute(
                    "INSERT INTO layers (case_id, rater, stage, next_lesion, content, sources) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        key.case,
                        key.rater,
                        key.stage.name(),
                        next,
                        content,
                        sources.join(" ")
                    ],
                )
                .map_err(self.fault())?;
            self.note(transaction, key, "opened", None)?;
            self.existing(transaction, key)
        })
    }

    /// Does an operation on the revision that the rater saw. `work` gives the new layer.
    ///
    /// # Errors
    /// [`AnnotateError::Conflict`] if there is a newer one; what `work` refuses; a finished layer.
    pub fn operate(
        &self,
        key: &LayerKey,
        revision: u64,
        operation: &Operation,
        work: impl FnOnce(&LayerState) -> Result<(Layer, Delta), AnnotateError>,
    ) -> Result<LayerState, AnnotateError> {
        self.change(|transaction| {
            let state = self.at_revision(transaction, key, revision)?;
            let (layer, delta) = work(&state)?;
            if delta.is_empty() {
                return Ok(state);
            }
            transaction
                .execute(
                    "UPDATE operations SET state = 'abandoned' \
                     WHERE case_id = ?1 AND rater = ?2 AND stage = ?3 AND state = 'undone'",
                    params![key.case, key.rater, key.stage.name()],
                )
                .map_err(self.fault())?;
            let request = serde_json::to_string(operation).map_err(self.damaged())?;
            let changes = serde_json::to_string(&delta).map_err(self.damaged())?;
            transaction
                .execute(
                    "INSERT INTO operations (case_id, rater, stage, kind, request, delta) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        key.case,
                        key.rater,
                        key.stage.name(),
                        operation.name(),
                        request,
                        changes
                    ],
                )
                .map_err(self.fault())?;
            let last = layer.lesions.keys().next_back().map_or(0, |last| *last);
            let next = state.next_lesion.max(last.saturating_add(1));
            self.write_layer(transaction, key, revision + 1, next, &layer)?;
            self.existing(transaction, key)
        })
    }

    /// Takes the last operation back, or does the last one taken back again.
    ///
    /// # Errors
    /// [`AnnotateError::Conflict`]; nothing to undo or redo.
    pub fn undo(
        &self,
        key: &LayerKey,
        revision: u64,
        again: bool,
    ) -> Result<LayerState, AnnotateError> {
        let (from, to, order, what) = if again {
            ("undone", "done", "ASC", "redo")
        } else {
            ("done", "undone", "DESC", "undo")
        };
        self.change(|transaction| {
            let mut state = self.at_revision(transaction, key, revision)?;
            let found: Option<(i64, String)> = transaction
                .query_row(
                    &format!(
                        "SELECT number, delta FROM operations WHERE case_id = ?1 AND rater = ?2 AND \
                         stage = ?3 AND state = ?4 ORDER BY number {order} LIMIT 1"
                    ),
                    params![key.case, key.rater, key.stage.name(), from],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()
                .map_err(self.fault())?;
            let (number, delta) =
                found.ok_or_else(|| AnnotateError::refused(format!("there is nothing to {what}")))?;
            let delta: Delta = serde_json::from_str(&delta).map_err(self.damaged())?;
            let delta = if again { delta } else { delta.inverse() };
            delta.apply_to(&mut state.layer);
            transaction
                .execute("UPDATE operations SET state = ?2 WHERE number = ?1", params![number, to])
                .map_err(self.fault())?;
            self.note(transaction, key, what, Some(number))?;
            self.write_layer(transaction, key, revision + 1, state.next_lesion, &state.layer)?;
            self.existing(transaction, key)
        })
    }

    /// Says that a layer is finished, or takes that back.
    ///
    /// # Errors
    /// [`AnnotateError::Conflict`]; an own pass whose candidates have been reviewed stays finished.
    pub fn set_done(
        &self,
        key: &LayerKey,
        revision: u64,
        done: bool,
    ) -> Result<LayerState, AnnotateError> {
        self.change(|transaction| {
            let state = self.existing(transaction, key)?;
            if state.revision != revision {
                return Err(AnnotateError::Conflict { seen: revision, now: state.revision });
            }
            let review = LayerKey { stage: Stage::Review, ..key.clone() };
            if !done && key.stage == Stage::Own && self.read_layer(transaction, &review)?.is_some() {
                return Err(AnnotateError::refused(
                    "the model's candidates of this case were shown, so what was marked without them stays as \
                     it is; change the review instead",
                ));
            }
            transaction
                .execute(
                    "UPDATE layers SET revision = revision + 1, \
                     done = CASE WHEN ?4 THEN strftime('%Y-%m-%dT%H:%M:%fZ', 'now') ELSE NULL END \
                     WHERE case_id = ?1 AND rater = ?2 AND stage = ?3",
                    params![key.case, key.rater, key.stage.name(), done],
                )
                .map_err(self.fault())?;
            self.note(transaction, key, if done { "done" } else { "reopened" }, None)?;
            self.existing(transaction, key)
        })
    }

    /// Every layer that was opened.
    ///
    /// # Errors
    /// A store that does not answer.
    pub fn progress(&self) -> Result<Vec<Progress>, AnnotateError> {
        let connection = self.connection();
        let mut query = connection
            .prepare(
                "SELECT case_id, rater, stage, done, revision, \
                 (SELECT COUNT(*) FROM json_each(content, '$.lesions') WHERE json_extract(value, '$.class') = 'CMB'), \
                 (SELECT COUNT(*) FROM json_each(content, '$.lesions') WHERE json_extract(value, '$.class') = 'NHID') \
                 FROM layers ORDER BY case_id, rater, stage",
            )
            .map_err(self.fault())?;
        let rows = query
            .query_map([], |row| {
                let stage: String = row.get(2)?;
                Ok(Progress {
                    key: LayerKey {
                        case: row.get(0)?,
                        rater: row.get(1)?,
                        stage: Stage::parse(&stage).unwrap_or(Stage::Own),
                    },
                    done: row.get(3)?,
                    revision: row.get(4)?,
                    lesions: [row.get(5)?, row.get(6)?],
                })
            })
            .map_err(self.fault())?;
        rows.collect::<Result<_, _>>().map_err(self.fault())
    }

    /// Layers whose label maps are older than they are.
    ///
    /// # Errors
    /// A store that does not answer.
    pub fn not_exported(&self) -> Result<Vec<LayerKey>, AnnotateError> {
        let connection = self.connection();
        let mut query = connection
            .prepare("SELECT case_id, rater, stage FROM layers WHERE exported < revision")
            .map_err(self.fault())?;
        let rows = query
            .query_map([], |row| {
                let stage: String = row.get(2)?;
                Ok(LayerKey {
                    case: row.get(0)?,
                    rater: row.get(1)?,
                    stage: Stage::parse(&stage).unwrap_or(Stage::Own),
                })
            })
            .map_err(self.fault())?;
        rows.collect::<Result<_, _>>().map_err(self.fault())
    }

    /// Remembers that a layer's label map is that of a revision.
    ///
    /// # Errors
    /// A store that does not answer.
    pub fn set_exported(&self, key: &LayerKey, revision: u64) -> Result<(), AnnotateError> {
        self.connection()
            .execute(
                "UPDATE layers SET exported = ?4 WHERE case_id = ?1 AND rater = ?2 AND stage = ?3",
                params![key.case, key.rater, key.stage.name(), revision],
            )
            .map_err(self.fault())?;
        Ok(())
    }

    fn read_layer(
        &self,
        connection: &Connection,
        key: &LayerKey,
    ) -> Result<Option<LayerState>, AnnotateError> {
        type Row = (u64, u16, Option<String>, String, String);
        let found: Option<Row> = connection
            .query_row(
                "SELECT revision, next_lesion, done, content, sources FROM layers \
                 WHERE case_id = ?1 AND rater = ?2 AND stage = ?3",
                params![key.case, key.rater, key.stage.name()],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )
            .optional()
            .map_err(self.fault())?;
        let Some((revision, next_lesion, done, content, sources)) = found else { return Ok(None) };
        let has = |state: &str| {
            connection
                .query_row(
                    "SELECT EXISTS (SELECT 1 FROM operations WHERE case_id = ?1 AND rater = ?2 AND \
                     stage = ?3 AND state = ?4)",
                    params![key.case, key.rater, key.stage.name(), state],
                    |row| row.get(0),
                )
                .map_err(self.fault())
        };
        Ok(Some(LayerState {
            revision,
            next_lesion,
            done,
            sources: sources.split_whitespace().map(str::to_owned).collect(),
            can_undo: has("done")?,
            can_redo: has("undone")?,
            layer: serde_json::from_str(&content).map_err(self.damaged())?,
        }))
    }

    fn existing(
        &self,
        transaction: &Connection,
        key: &LayerKey,
    ) -> Result<LayerState, AnnotateError> {
        self.read_layer(transaction, key)?.ok_or_else(|| {
            AnnotateError::refused(format!("{} was not opened by {} yet", key.case, key.rater))
        })
    }

    fn at_revision(
        &self,
        transaction: &Connection,
        key: &LayerKey,
        revision: u64,
    ) -> Result<LayerState, AnnotateError> {
        let state = self.existing(transaction, key)?;
        if state.revision != revision {
            return Err(AnnotateError::Conflict { seen: revision, now: state.revision });
        }
        if state.done.is_some() {
            return Err(AnnotateError::refused(
                "this case is marked as done; reopen it to change it",
            ));
        }
        Ok(state)
    }

    fn write_layer(
        &self,
        transaction: &Transaction<'_>,
        key: &LayerKey,
        revision: u64,
        next_lesion: u16,
        layer: &Layer,
    ) -> Result<(), AnnotateError> {
        let content = serde_json::to_string(layer).map_err(self.damaged())?;
        transaction
            .execute(
                "UPDATE layers SET revision = ?4, next_lesion = ?5, content = ?6 \
                 WHERE case_id = ?1 AND rater = ?2 AND stage = ?3",
                params![key.case, key.rater, key.stage.name(), revision, next_lesion, content],
            )
            .map_err(self.fault())?;
        Ok(())
    }

    fn note(
        &self,
        transaction: &Transaction<'_>,
        key: &LayerKey,
        what: &str,
        operation: Option<i64>,
    ) -> Result<(), AnnotateError> {
        transaction
            .execute(
                "INSERT INTO history (case_id, rater, stage, what, operation) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![key.case, key.rater, key.stage.name(), what, operation],
            )
            .map_err(self.fault())?;
        Ok(())
    }
}
