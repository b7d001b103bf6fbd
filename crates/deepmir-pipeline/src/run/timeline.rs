//! Lesions followed from one session to the next.

use std::path::{Path, PathBuf};

use deepmir_cases::{CaseFiles, Modality};
use deepmir_lesion::matching::{MatchRule, match_lesions};
use deepmir_lesion::{Lesion, LesionRow, table};
use deepmir_recon::register::{RegistrationConfig, register_rigid};
use deepmir_volume::Affine;
use deepmir_volume::nifti::ReadOptions;
use serde::Serialize;

use crate::PipelineError;
use deepmir_cases::bids::{OrderFrom, write_text};

/// The columns of a subject's table of changes.
pub const COLUMNS: [&str; 16] = [
    "from_scan",
    "to_scan",
    "change",
    "class_before",
    "class_after",
    "lesion_before",
    "lesion_after",
    "volume_before_mm3",
    "volume_after_mm3",
    "chi_total_before_ppm_mm3",
    "chi_total_after_ppm_mm3",
    "x_mm",
    "y_mm",
    "z_mm",
    "apart_mm",
    "order_from",
];

/// How far apart the centres of one lesion may lie in two sessions, once the heads are aligned.
const SAME_WITHIN_MM: f64 = 5.0;
/// A lesion that becomes this much larger has grown; the same way back it has shrunk. Smaller
/// changes are within what noise and partial volume do to a few voxels.
const GROWN: f64 = 1.5;

/// What became of a lesion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It was not there before.
    New,
    /// It is not there any more.
    Gone,
    /// Half as large again, or more.
    Grown,
    /// Two thirds of what it was, or less.
    Shrunk,
    /// About as it was.
    Stable,
}

impl Change {
    /// As tables have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Grown => "grown",
            Self::Shrunk => "shrunk",
            Self::Stable => "stable",
        }
    }

    fn of(before_mm3: f64, after_mm3: f64) -> Self {
        if after_mm3 >= GROWN * before_mm3 {
            Self::Grown
        } else if before_mm3 >= GROWN * after_mm3 {
            Self::Shrunk
        } else {
            Self::Stable
        }
    }
}

/// One session, as far as it takes part.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) scan: String,
    /// Its reference image alone, with the brain.
    pub(super) files: CaseFiles,
    pub(super) table: PathBuf,
}

impl Session {
    /// `2` of `sub-01_ses-2`.
    pub(super) fn label(&self) -> &str {
        self.scan.split('_').find_map(|part| part.strip_prefix("ses-")).unwrap_or_default()
    }
}

/// Follows lesions over sessions in their order and writes the table of changes. Each row says where the order is from:
/// if that is wrong, new and gone change places.
///
/// # Errors
/// Unreadable images or tables, a registration that failed, a full disk.
pub(super) fn write(
    sessions: &[&Session],
    order: OrderFrom,
    read: &ReadOptions,
    settings: &RegistrationConfig,
    path: &Path,
) -> Result<(), PipelineError> {
    let mut text = COLUMNS.join("\t") + "\n";
    for pair in sessions.windows(2) {
        let to_later = movement(&pair[0].files, &pair[1].files, read, settings)?;
        let (before, after) = (table::read(&pair[0].table)?, table::read(&pair[1].table)?);
        for row in changes(&before, &after, &to_later) {
            let (from, to, row) = (&pair[0].scan, &pair[1].scan, row.join("\t"));
            text += &format!("{from}\t{to}\t{row}\t{}\n", order.name());
        }
    }
    Ok(write_text(path, &text)?)
}

/// From the earlier head to the later one, RAS millimetres.
fn movement(
    earlier: &CaseFiles,
    later: &CaseFiles,
    read: &ReadOptions,
    settings: &RegistrationConfig,
) -> Result<Affine, PipelineError> {
    let one = |files: &CaseFiles| -> Result<_, PipelineError> {
        let modalities: Vec<Modality> = files.images.keys().copied().take(1).collect();
        let finder = crate::anatomy::Anatomy::default();
        Ok((files.read_finding(&modalities, read, Some(&finder))?, modalities))
    };
    let (fixed, fixed_names) = one(earlier)?;
    let (moving, moving_names) = one(later)?;
    let found = register_rigid(
        &fixed.images[&fixed_names[0]],
        &fixed.brain,
        &moving.images[&moving_names[0]],
        settings,
    )?;
    Ok(found.transform.affine())
}

fn changes(before: &[LesionRow], after: &[LesionRow], to_later: &Affine) -> Vec<Vec<String>> {
    let to_earlier = to_later.inverse();
    let earlier: Vec<Lesion> = before.iter().map(|row| lesion(row, None)).collect();
    let later: Vec<Lesion> = after.iter().map(|row| lesion(row, Some(&to_earlier))).collect();
    let (one, other): (Vec<&Lesion>, Vec<&Lesion>) =
        (earlier.iter().collect(), later.iter().collect());
    let pairs = match_lesions(&one, &other, MatchRule::Centre(SAME_WITHIN_MM));
    let mut rows = Vec::new();
    for (n, row) in before.iter().enumerate() {
        let partner = pairs.iter().find(|pair| pair.truth == n).map(|pair| pair.predicted);
        rows.push(match partner {
            Some(m) => {
                let change = Change::of(row.volume_mm3, after[m].volume_mm3);
                let squares = (0..3)
                    .map(|axis| (earlier[n].centre_mm[axis] - later[m].centre_mm[axis]).powi(2));
                cells(change, Some(row), Some(&after[m]), Some(squares.sum::<f64>().sqrt()))
            }
            None => cells(Change::Gone, Some(row), None, None),
        });
    }
    for (m, row) in after.iter().enumerate() {
        if !pairs.iter().any(|pair| pair.predicted == m) {
            rows.push(cells(Change::New, None, Some(row), None));
        }
    }
    rows
}

/// Only its place and size count here.
fn lesion(row: &LesionRow, moved: Option<&Affine>) -> Lesion {
    let place = [row.x_mm, row.y_mm, row.z_mm];
    Lesion {
        class: row.class,
        voxels: Vec::new(),
        centre_mm: moved.map_or(place, |affine| affine.apply(place)),
        volume_mm3: row.volume_mm3,
    }
}

/// The columns behind the scans; the place is where it was seen last.
fn cells(
    change: Change,
    before: Option<&LesionRow>,
    after: Option<&LesionRow>,
    apart_mm: Option<f64>,
) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_else(|| "n/a".to_owned());
    let number = |value: Option<f64>, digits: usize| text(value.map(|x| format!("{x:.digits$}")));
    let seen = after.or(before);
    vec![
        change.name().to_owned(),
        text(before.map(|row| row.class.to_string())),
        text(after.map(|row| row.class.to_string())),
        text(before.map(|row| row.lesion_id.to_string())),
        text(after.map(|row| row.lesion_id.to_string())),
        number(before.map(|row| row.volume_mm3), 3),
        number(after.map(|row| row.volume_mm3), 3),
        number(before.and_then(|row| row.chi_total_ppm_mm3), 4),
        number(after.and_then(|row| row.chi_total_ppm_mm3), 4),
        number(seen.map(|row| row.x_mm), 2),
        number(seen.map(|row| row.y_mm), 2),
        number(seen.map(|row| row.z_mm), 2),
        number(apart_mm, 2),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::unmeasured;

    fn row(id: usize, place: [f64; 3], volume_mm3: f64) -> LesionRow {
        let [x_mm, y_mm, z_mm] = place;
        LesionRow { lesion_id: id, x_mm, y_mm, z_mm, volume_mm3, ..unmeasured() }
    }

    #[test]
    fn lesions_are_followed_through_a_moved_head() {
        // The head lies 20 mm further left in the later scan.
        let moved = Affine::from_spacing([1.0; 3], [20.0, 0.0, 0.0]);
        let before =
            [row(1, [0.0; 3], 10.0), row(2, [30.0, 0.0, 0.0], 9.0), row(3, [0.0, 40.0, 0.0], 8.0)];
        let after = [
            row(1, [50.5, 0.0, 0.0], 20.0),
            row(2, [20.0, 1.0, 0.0], 11.0),
            row(3, [-60.0, 0.0, 0.0], 5.0),
        ];
        let found: Vec<(String, String, String)> = changes(&before, &after, &moved)
            .into_iter()
            .map(|row| (row[0].clone(), row[3].clone(), row[4].clone()))
            .collect();
        let want =
            [("stable", "1", "2"), ("grown", "2", "1"), ("gone", "3", "n/a"), ("new", "n/a", "3")];
        let want = want.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(found, want);
    }
}
