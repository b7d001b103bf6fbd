//! The table of a training's progress, written as it goes.

use std::path::{Path, PathBuf};

use deepmir_anatomy::Tissue;
use deepmir_anatomy::train::StepReport;
use deepmir_cases::CaseError;
use deepmir_cases::bids::write_text;

/// Steps that a row is the mean of.
const EVERY: u64 = 25;

/// Means of loss and Dice over the steps since the row before.
pub struct ProgressTable {
    path: PathBuf,
    /// `None` until the first step tells which rows of the file are to be kept.
    rows: Option<Vec<String>>,
    losses: Mean,
    dice: [Mean; Tissue::COUNT],
    /// Over the last steps, for the bar.
    shown: Option<(f64, f64)>,
}

#[derive(Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

impl ProgressTable {
    pub fn new(path: PathBuf) -> Self {
        let (losses, dice) = (Mean::default(), [Mean::default(); Tissue::COUNT]);
        Self { path, rows: None, losses, dice, shown: None }
    }

    /// Adds a step, and writes a row where one is due or `is_last`. Rows of an earlier run about steps that are taken again
    /// are replaced.
    ///
    /// # Errors
    /// If the table cannot be written.
    pub fn add(&mut self, report: &StepReport, is_last: bool) -> Result<(), CaseError> {
        let StepReport { step, loss, dice } = report;
        self.losses.add(*loss);
        for (mean, dice) in self.dice.iter_mut().zip(dice) {
            dice.iter().for_each(|dice| mean.add(*dice));
        }
        self.follow(*loss, dice);
        let rows = self.rows.get_or_insert_with(|| rows_before(&self.path, *step));
        if !step.is_multiple_of(EVERY) && !is_last {
            return Ok(());
        }
        let cell = |mean: &Mean| mean.value().map_or("n/a".to_owned(), |mean| format!("{mean:.4}"));
        let cells: Vec<String> =
            std::iter::once(&self.losses).chain(&self.dice).map(cell).collect();
        rows.push(format!("{step}\t{}\n", cells.join("\t")));
        let text = header() + &rows.concat();
        (self.losses, self.dice) = (Mean::default(), [Mean::default(); Tissue::COUNT]);
        write_text(&self.path, &text)
    }

    /// Moving means of the loss and of the Dice of all structures.
    fn follow(&mut self, loss: f64, dice: &[Option<f64>]) {
        let mut mean = Mean::default();
        dice.iter().flatten().for_each(|dice| mean.add(*dice));
        let dice = mean.value().unwrap_or_default();
        self.shown = Some(self.shown.map_or((loss, dice), |(shown_loss, shown_dice)| {
            (0.95 * shown_loss + 0.05 * loss, 0.95 * shown_dice + 0.05 * dice)
        }));
    }

    /// How it goes, in a few words.
    pub fn described(&self) -> String {
        let (loss, dice) = self.shown.unwrap_or_default();
        format!("loss {loss:.3}, Dice {dice:.3}")
    }
}

fn header() -> String {
    let names = Tissue::ALL.map(|tissue| format!("dice_{}", tissue.name().replace(' ', "_")));
    format!("step\tloss\t{}\n", names.join("\t"))
}

/// The rows of the file about steps before this one.
fn rows_before(path: &Path, step: u64) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let is_before = |row: &&str| {
        let number = row.split('\t').next().and_then(|number| number.parse::<u64>().ok());
        number.is_some_and(|number| number < step)
    };
    text.lines().filter(is_before).map(|row| format!("{row}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(step: u64, loss: f64) -> StepReport {
        let mut dice = [None; Tissue::COUNT];
        dice[Tissue::Cortex as usize] = Some(0.5);
        StepReport { step, loss, dice }
    }

    #[test]
    fn rows_are_means_and_steps_that_are_taken_again_replace_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("progress.tsv");
        let mut table = ProgressTable::new(path.clone());
        for step in 1..=60 {
            table.add(&report(step, if step <= 25 { 1.0 } else { 2.0 }), false).unwrap();
        }
        let read = || std::fs::read_to_string(&path).unwrap();
        let rows = |text: &str| -> Vec<String> {
            let cells = text.lines().skip(1).map(|row| row.split('\t').take(2).collect::<Vec<_>>());
            cells.map(|cells| cells.join(" ")).collect()
        };
        assert_eq!(rows(&read()), ["25 1.0000", "50 2.0000"]);
        let text = read();
        let mut columns = text.lines().map(|row| row.split('\t').count());
        assert!(columns.all(|count| count == Tissue::COUNT + 2), "{text}");
        assert_eq!(text.lines().nth(1).unwrap().split('\t').nth(6), Some("0.5000"));
        // Killed after step 60, resumed from a checkpoint of step 30.
        let mut table = ProgressTable::new(path.clone());
        for step in 31..=52 {
            table.add(&report(step, 4.0), step == 52).unwrap();
        }
        assert_eq!(rows(&read()), ["25 1.0000", "50 4.0000", "52 4.0000"]);
    }
}
