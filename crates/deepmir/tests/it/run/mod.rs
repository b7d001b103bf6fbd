//! `deepmir run`: whole datasets, healthy, damaged, interrupted and shared.

mod bids_app;
mod damage;
mod datasets;
mod fleet;
mod group;
mod participants;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{random_model, run, text};

/// A dataset of made-up subjects, a small model, and where results go.
pub struct Study {
    _folder: tempfile::TempDir,
    pub data: PathBuf,
    pub model: PathBuf,
    pub out: PathBuf,
}

impl Study {
    pub fn new(subjects: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, out) = (folder.path().join("data"), folder.path().join("out"));
        fs::create_dir(&data).unwrap();
        describe(&data);
        for number in 1..=subjects {
            deepmir_testing::write_subject(&data, number);
        }
        let model = random_model(folder.path());
        Self { _folder: folder, data, model, out }
    }

    /// The participant level, with more options.
    pub fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let fixed =
            ["run", text(&self.data), text(&self.out), "participant", "--model", text(&self.model)];
        fixed.into_iter().chain(more.iter().copied()).collect()
    }

    pub fn participants(&self, more: &[&str]) -> (i32, String, String) {
        let finished = run(&self.arguments(more));
        if finished.0 == 0 && self.out.exists() {
            deepmir_testing::assert_predictions_agree(&self.out);
        }
        finished
    }

    pub fn group(&self) -> (i32, String, String) {
        run(&["run", text(&self.data), text(&self.out), "group"])
    }

    /// The cohort's tables, after the group level.
    pub fn tables(&self) -> Vec<Vec<u8>> {
        let (code, _, told) = self.group();
        assert_eq!(code, 0, "{told}");
        ["subjects.tsv", "lesions.tsv", "lesions.parquet", "timeline.tsv", "index.html"]
            .map(|name| fs::read(self.out.join("group").join(name)).unwrap())
            .to_vec()
    }

    /// Every result, by path, with its contents; statuses left out, which say when and where.
    pub fn results(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.out.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.starts_with(self.out.join("status")) {
                    let bytes = fs::read(&path).unwrap();
                    found.insert(path.strip_prefix(&self.out).unwrap().to_owned(), bytes);
                }
            }
        }
        found
    }
}

pub fn describe(dataset: &Path) {
    fs::write(
        dataset.join("dataset_description.json"),
        r#"{"Name": "made up", "BIDSVersion": "1.10.0"}"#,
    )
    .unwrap();
}

/// Names of files that should not be left anywhere.
pub fn leftovers(study: &Study) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![study.out.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".tmp") || name.ends_with(".lock") {
                found.push(path);
            }
        }
    }
    found
}
