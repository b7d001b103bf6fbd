//! Names of images: `sub-01_ses-1_run-1_echo-2_part-phase_MEGRE`.

use crate::sort::{Decision, Taken};

/// A volume and what becomes of it.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its number among all volumes.
    pub stack: usize,
    /// What it is taken for.
    pub decision: Decision,
    /// The subject's label; none if nothing says it.
    pub subject: Option<String>,
    /// The session's label, where the subject has several.
    pub session: Option<String>,
}

/// Names of an image's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Inside the subject's folder: `ses-1/anat` or `anat`.
    pub folder: String,
    /// Without ending.
    pub stem: String,
}

impl Names {
    /// Of a volume; `None` if nothing is written of it.
    pub fn of(item: &Item) -> Option<Self> {
        let Decision { taken, run, .. } = item.decision.clone();
        let (echo, part, suffix) = match taken {
            Taken::Echo(echo, part) => (Some(echo), Some(part.entity()), "MEGRE"),
            Taken::T2Star | Taken::Swi => (None, None, "T2starw"),
            Taken::T2w => (None, None, "T2w"),
            Taken::Qsm(_) => (None, None, "Chimap"),
            Taken::Aside | Taken::Failed => return None,
        };
        let mut stem = format!("sub-{}", item.subject.as_ref()?);
        let mut add = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                stem += &format!("_{key}-{value}");
            }
        };
        add("ses", item.session.clone());
        add("acq", (taken == Taken::Swi).then(|| "swi".to_owned()));
        add("run", run.map(|run| run.to_string()));
        add("echo", echo.map(|echo| echo.to_string()));
        add("part", part.map(str::to_owned));
        stem += &format!("_{suffix}");
        let session =
            item.session.as_ref().map_or(String::new(), |session| format!("ses-{session}/"));
        Some(Self { folder: format!("{session}anat"), stem })
    }
}
