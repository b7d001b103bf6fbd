//! What was taken for what, in words.

use crate::bids::{Item, Names};
use crate::header::Part;
use crate::sort::{Stack, Taken};

const FAILED: &str = "failed";

/// A volume in the listing. Nothing in it names a person: descriptions of series are free text and left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The subject's label; none where the table of subjects has no row.
    pub subject: Option<String>,
    /// The session's label, where there are several.
    pub session: Option<String>,
    /// The series' number.
    pub series: Option<i64>,
    /// Slices.
    pub slices: usize,
    /// Pixels of a row and a column.
    pub pixels: [usize; 2],
    /// In milliseconds.
    pub echo_time_ms: Option<f64>,
    /// Which part of a complex image it is by its header, as BIDS has it: `mag`, `phase`, `real`, `imag`.
    pub part: Option<&'static str>,
    /// What it is taken for: `SWI`, `phase of echo 2`, or that it is set aside.
    pub taken_for: String,
    /// The image without its ending, inside the subject's folder.
    pub file: Option<String>,
    /// Why.
    pub why: String,
}

impl Line {
    /// Whether something is written of it.
    pub fn is_taken(&self) -> bool {
        self.file.is_some()
    }

    /// Whether it would have been taken, and cannot be read.
    pub fn has_failed(&self) -> bool {
        self.taken_for == FAILED
    }

    pub(crate) fn fail(&mut self) {
        self.taken_for = FAILED.to_owned();
        self.file = None;
        "its files could not be read".clone_into(&mut self.why);
    }
}

pub(crate) fn line(item: &Item, stack: &Stack) -> Line {
    let header = stack.header();
    let taken_for = match item.decision.taken {
        Taken::Echo(echo, part) => format!("{} of echo {echo}", part.entity()),
        Taken::T2Star => "T2*-weighted magnitude".to_owned(),
        Taken::Swi => "SWI".to_owned(),
        Taken::T2w => "T2w".to_owned(),
        Taken::Qsm(_) => "QSM".to_owned(),
        Taken::Aside => "set aside".to_owned(),
        Taken::Failed => FAILED.to_owned(),
    };
    let mut why = item.decision.why.clone();
    if header.contrast_agent {
        why += "; after a contrast agent";
    }
    if stack.frames.iter().any(|frame| frame.header.has_loss) {
        why += "; compressed with loss";
    }
    Line {
        subject: item.subject.clone(),
        session: item.session.clone(),
        series: header.series_number,
        slices: stack.frames.len(),
        pixels: stack.frames[0].plane.shape,
        echo_time_ms: stack.echo_time_ms(),
        part: stack.part().map(Part::entity),
        taken_for,
        file: Names::of(item).map(|names| format!("{}/{}", names.folder, names.stem)),
        why,
    }
}

/// The lines as a tab-separated table.
pub(crate) fn table(lines: impl Iterator<Item = Line>) -> String {
    let mut text = "session\tseries\tslices\techo_time_ms\ttaken_for\tfile\twhy\n".to_owned();
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "n/a".to_owned());
    for line in lines {
        let cells = [
            or_none(line.session.clone()),
            or_none(line.series.map(|number| number.to_string())),
            line.slices.to_string(),
            or_none(line.echo_time_ms.map(|time| format!("{time:.3}"))),
            line.taken_for.clone(),
            or_none(line.file.clone()),
            line.why.clone(),
        ];
        text += &cells.join("\t");
        text.push('\n');
    }
    text
}
